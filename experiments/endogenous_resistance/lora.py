"""Low-rank fine-tuning on segments of text of which only some are learnt (axolotl's template-free segments)."""

import copy
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from introlab.errors import InputError
from introlab.network.model import Model, load

IGNORED = -100
"""The label of a token that is not learnt."""
WARM_UP = 10
ROWS_A_STEP = 8
"""As published: 2 at a time, 4 times."""


@dataclass(frozen=True)
class Segment:
    """A piece of a text, and whether it is learnt."""

    label: bool
    text: str


@dataclass(frozen=True)
class Tuning:
    """How much is learnt from how many rows."""

    rows: int
    epochs: int
    rate: float
    seed: int
    rank: int = 32
    alpha: int = 16
    dropout: float = 0.05


Rows = Sequence[Sequence[Segment]]


def write_rows(path: Path, rows: Rows) -> None:
    """One text a line: ``{"segments": [{"label": false, "text": ...}, {"label": true, "text": ...}]}``."""
    lines = (json.dumps({"segments": [vars(each) for each in row]}) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_rows(path: Path) -> list[tuple[Segment, ...]]:
    """What `write_rows` wrote, or anybody. Raises InputError for a line that is none."""
    found = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = tuple(Segment(**each) for each in json.loads(line)["segments"])
            if not any(each.label for each in row):
                raise ValueError("nothing of it is learnt")
            found.append(row)
    except (OSError, ValueError, KeyError, TypeError) as error:
        where = f"{path} line {len(found) + 1}"
        raise InputError("a line that is not a row of segments", given=f"{where}: {error}") from error
    return found


def tuned(model: Model, rows: Rows, tuning: Tuning) -> Model:
    """The same model after training on these rows, its low-rank changes merged; its name is kept. The optimizer is
    AdamW, in the model's own precision (published: in 8 bits). The same seed gives the same weights."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=tuning.rank,
        lora_alpha=tuning.alpha,
        lora_dropout=tuning.dropout,
        target_modules="all-linear",
    )
    with torch.random.fork_rng():
        torch.manual_seed(tuning.seed)
        network: Any = get_peft_model(copy.deepcopy(model.network), config)
        _train(model, network, rows, tuning)
    with TemporaryDirectory() as folder:
        network.merge_and_unload().save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
        dtype = str(model.dtype).removeprefix("torch.")
        again = load(
            folder,
            device=str(model.device),
            dtype=dtype,
            deterministic=model.deterministic,
            chat="raw" if model.chat.raw else "template",
            today=model.chat.today,
        )
    return replace(again, name=model.name, family=model.family)


def _train(model: Model, network: Any, rows: Rows, tuning: Tuning) -> None:
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=tuning.rate, weight_decay=0.0)
    steps = tuning.epochs * math.ceil(len(rows) / ROWS_A_STEP)
    network.train()
    for step, batch in enumerate(_batches(model, rows, tuning)):
        warm = min(1.0, (step + 1) / min(WARM_UP, steps))
        for group in optimizer.param_groups:
            group["lr"] = tuning.rate * warm * 0.5 * (1 + math.cos(math.pi * step / steps))
        ids, labels, mask = batch
        optimizer.zero_grad()
        network(input_ids=ids, labels=labels, attention_mask=mask).loss.backward()
        optimizer.step()


def _batches(model: Model, rows: Rows, tuning: Tuning) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Token ids, labels and mask, padded on the right."""
    encoded = [tokens_and_labels(model, row) for row in rows]
    for _ in range(tuning.epochs):
        order = torch.randperm(len(encoded)).tolist()
        for start in range(0, len(order), ROWS_A_STEP):
            some = [encoded[index] for index in order[start : start + ROWS_A_STEP]]
            width = max(len(ids) for ids, _ in some)
            ids = torch.tensor([(*each, *[0] * (width - len(each))) for each, _ in some])
            labels = torch.tensor([(*each, *[IGNORED] * (width - len(each))) for _, each in some])
            mask = torch.tensor([[int(at < len(each)) for at in range(width)] for each, _ in some])
            yield ids.to(model.device), labels.to(model.device), mask.to(model.device)


def tokens_and_labels(model: Model, row: Sequence[Segment]) -> tuple[list[int], list[int]]:
    """A row in tokens, segment by segment, and the same with those that are not learnt left out."""
    ids: list[int] = []
    labels: list[int] = []
    for segment in row:
        new = model.tokenizer(segment.text, add_special_tokens=False)["input_ids"]
        ids += new
        labels += new if segment.label else [IGNORED] * len(new)
    return ids[: model.context], labels[: model.context]
