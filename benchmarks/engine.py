"""The engine against plain Hugging Face and against itself without its shortcuts, as ratios within one run:
`python -m benchmarks.engine` writes docs/engine.md.

On the base organism and on a random Llama of 8 layers, 512 wide, with 32,000 words. Texts never end by themselves, so
that all candidates write equally much.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.peer_worker import endlessly
from benchmarks.timing import Timed, in_turn, seconds
from introlab.activations.directions import Direction, random_control
from introlab.activations.extract import read
from introlab.activations.forward import TOGETHER, Text
from introlab.generation import decode as decoding
from introlab.generation import prefill
from introlab.generation import scheduler as generation
from introlab.generation.requests import Request
from introlab.generation.scheduler import generate
from introlab.interventions.interfaces import Intervention
from introlab.network.model import Model, load
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.network.specs import organism_folder
from probes.online import Entropy, Projections
from steering.edits import Add
from steering.strength import Dose

OUT = Path(__file__).parent.parent / "docs" / "engine.md"
REPEATS = 5


def llama(folder: Path) -> Path:
    """A random 8-layer, 512-wide Llama with 32,000 words, and a tokenizer nobody asks."""
    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=8,
        num_attention_heads=8,
        max_position_embeddings=1024,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((organism_folder() / "base" / name).read_bytes())
    return folder


def endless(model: Model) -> Model:
    return replace(model, end_ids=())


def prompts(model: Model, count: int, length: int) -> list[tuple[int, ...]]:
    top = int(model.network.config.vocab_size)
    draws = torch.randint(4, top, (count, length), generator=torch.Generator().manual_seed(length))
    return [tuple(row) for row in draws.tolist()]


def push(model: Model, vector: torch.Tensor, span: Span) -> Intervention:
    """This vector [d_model] added after the middle block."""
    site, size = Site(model.n_layers // 2), float(vector.norm())
    direction = Direction(vector / size, 1.0, site, model.fingerprint, None, "random", ())
    return Intervention(Add(direction, Dose(size, 1.0, 1.0)), site, span)


def random_push(model: Model, seed: int) -> Intervention:
    draws = torch.Generator().manual_seed(seed)
    vector = torch.nn.functional.normalize(torch.randn(model.d_model, generator=draws), dim=0)
    return push(model, 2.0 * vector, Span.generated())


def writing(model: Model, rows: int) -> Timed:
    """64 new tokens, an intervention for each row, entropy and four projections read - against `generate` without."""
    asked = prompts(model, rows, 24)
    requests = [Request(ids, str(n), interventions=(random_push(model, n),), max_new=64) for n, ids in enumerate(asked)]
    like = requests[0].interventions[0].edit.direction  # type: ignore[attr-defined]
    readouts = [Entropy(), Projections("four", [random_control(like, 900 + n) for n in range(4)])] if rows > 1 else []
    ids = torch.tensor(asked)

    def theirs() -> object:
        return model.network.generate(ids, attention_mask=torch.ones_like(ids), **endlessly(64))

    return in_turn(
        {
            "engine": lambda: seconds(lambda: list(generate(model, requests, seed=0, readouts=readouts))),
            "transformers": lambda: seconds(theirs),
        },
        repeats=REPEATS,
    )


def sharing(model: Model, length: int) -> Timed:
    """24 conditions sharing each of two prompts, pushed from the last token on, 16 new tokens - and with every row's
    prompt read by itself."""
    asked = prompts(model, 2, length)
    requests = [
        Request(ids, f"{at} {n}", interventions=(random_push(model, n),), max_new=16)
        for at, ids in enumerate(asked)
        for n in range(24)
    ]

    def work() -> list[object]:
        return list(generate(model, requests, seed=0, batch_size=48))

    def nothing(*_: object) -> int:
        return 0

    def alone() -> float:
        with (
            patch.object(prefill, "untouched", nothing),
            patch.object(generation, "untouched", nothing),
            patch.object(prefill, "shared_depth", nothing),
        ):
            return seconds(work)

    return in_turn({"shared": lambda: seconds(work), "each row": alone}, repeats=3)


def reading(model: Model, sites: Sequence[Site]) -> Timed:
    """Last-token residuals of 2,000 prompts of 12 to 40 tokens - against the bare forward pass of the same batches."""
    lengths = [12 + n % 29 for n in range(2000)]
    texts = [Text(prompts(model, 1, size)[0], size, str(n)) for n, size in enumerate(lengths)]
    order = sorted(texts, key=lambda text: len(text.ids))

    def bare() -> None:
        with torch.inference_mode():
            for start in range(0, len(order), TOGETHER):
                batch = order[start : start + TOGETHER]
                width = len(batch[-1].ids)
                ids = torch.tensor([(*text.ids, *[0] * (width - len(text.ids))) for text in batch])
                mask = torch.tensor([[1] * len(text.ids) + [0] * (width - len(text.ids)) for text in batch])
                model.network.base_model(input_ids=ids, attention_mask=mask, use_cache=False)

    places = [[len(text.ids) - 1] for text in texts]
    return in_turn(
        {"read": lambda: seconds(lambda: read(model, texts, sites, places)), "bare": lambda: seconds(bare)},
        repeats=REPEATS,
    )


def refilling(model: Model) -> Timed:
    """512 rows of 8 to 256 new tokens - against batches of 64 that go on until their last row is done."""
    spread = torch.randint(8, min(257, model.context - 24), (512,), generator=torch.Generator().manual_seed(1)).tolist()
    requests = [Request(prompts(model, 1, 12)[0], str(n), max_new=size) for n, size in enumerate(spread)]

    def static() -> None:
        with patch.object(decoding.DecodingBatch, "_shrink", lambda *_: None):
            for start in range(0, 512, 64):
                list(generate(model, requests[start : start + 64], seed=0, batch_size=64))

    return in_turn(
        {
            "refilled": lambda: seconds(lambda: list(generate(model, requests, seed=0, batch_size=64))),
            "static": lambda: seconds(static),
        },
        repeats=1,
    )


def table(model: Model, name: str) -> list[str]:
    every = [Site(layer) for layer in range(model.n_layers)]
    third, bare = every[model.n_layers // 3 - 1 :][:1], "bare forward pass"
    rows = [
        ("64 rows, 64 interventions, 64 new tokens", "transformers", writing(model, 64), "transformers", "engine"),
        ("one row, one intervention", "transformers", writing(model, 1), "transformers", "engine"),
        ("24 conditions of each prompt", "every row prefilled", sharing(model, _long(model)), "each row", "shared"),
        ("last-token residuals, all layers", bare, reading(model, every), "bare", "read"),
        ("one site at a third of the depth", bare, reading(model, third), "bare", "read"),
    ]
    if name == "organism":
        rows.append(("512 rows of 8 to 256 new tokens", "static batches of 64", refilling(model), "static", "refilled"))
    lines = []
    for work, against, timed, other, own in rows:
        ratio, low, high = timed.ratio(other, own)
        took = f"{timed.median(own):.2f} s"
        lines.append(f"| {name} | {work} | {against} | {ratio:.2f} ({low:.2f} to {high:.2f}) | {took} |")
        print(lines[-1], flush=True)
    return lines


def _long(model: Model) -> int:
    return min(400, model.context - 20)


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        lines = table(endless(load("organism:base", device="cpu")), "organism")
        lines += table(endless(load(str(llama(Path(place) / "llama")), device="cpu")), "8 x 512 Llama")
    head = "| model | work | against | times as fast: median (least to most) | engine |\n|---|---|---|---|---|"
    threads = torch.get_num_threads()
    note = f"Written by `make bench` on {threads} CPU threads, torch {torch.__version__}, float32."
    OUT.write_text(f"# Speed of the engine\n\n{note}\n\n{head}\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
