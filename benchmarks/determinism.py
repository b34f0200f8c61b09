"""How often does floating point make a trial depend on its company? 500 sampled, half of them steered texts.

Each setting is compared, token by token, with the same trials in batches of 64 in the order given. Run with
`make bench`; the table goes into docs/determinism.md, from which docs/decisions.md draws its choice.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from introlab.activations.directions import Direction, random_control
from introlab.generation.requests import Request
from introlab.generation.scheduler import generate
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from introlab.network.model import Model, load
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.tasks.materials import materials_for
from steering.edits import Add
from steering.strength import Dose

Tokens = tuple[int, ...]
TRIALS = 500
OUT = Path(__file__).parent.parent / "docs" / "determinism.md"


def requests(model: Model) -> list[Request]:
    """Questions of all kinds and topics to explain, at temperature 1, every second one under a push."""
    materials, rng = materials_for(model), random.Random(0)
    asked = [question.text for question in materials.pick("test", limit=TRIALS - 100)]
    asked += [
        materials.wording.topic_templates["test"][0].format(topic=rng.choice(list(materials.topics)))
        for _ in range(100)
    ]
    unit = torch.eye(model.d_model)[0]
    like = Direction(unit, 12.0, Site(3), model.fingerprint, model.family, "random", ())
    made = []
    for index, text in enumerate(asked):
        push = Add(random_control(like, index), Dose(12.0, 1.0, 0.5))
        steps = (Intervention(push, Site(3), Span.generated()),) if index % 2 else ()
        made.append(Request(tuple(model.ids([user(text)], room=40)), f"trial {index}", interventions=steps, max_new=40))
    return made


def texts(model: Model, asked: Sequence[Request], *, shuffled: bool, batch_size: int | None) -> dict[str, Tokens]:
    order = list(asked)
    if shuffled:
        random.Random(1).shuffle(order)
    return {request.item: one.tokens for request, one in generate(model, order, seed=0, batch_size=batch_size)}


def differing(one: dict[str, Tokens], other: dict[str, Tokens]) -> tuple[int, int, int]:
    """Trials that differ, tokens that differ, tokens in all."""
    trials = sum(one[item] != other[item] for item in one)
    pairs = [(one[item] + (-1,) * 40, other[item] + (-1,) * 40) for item in one]
    tokens = sum(a != b for mine, theirs in pairs for a, b in zip(mine[:40], theirs[:40], strict=True))
    return trials, tokens, sum(map(len, one.values()))


def compared(dtype: str) -> Iterator[tuple[str, int, int, int]]:
    model = load("organism:reflective", dtype=dtype, device="cpu")
    asked = requests(model)
    reference = texts(model, asked, shuffled=False, batch_size=64)
    for size in (1, 7, 64, None):
        name = f"batches of {size}" if size else "as many rows as fit"
        yield f"{name}, shuffled", *differing(reference, texts(model, asked, shuffled=True, batch_size=size))
    if dtype != "bfloat16":
        bridge = texts(model.through("bridge"), asked, shuffled=True, batch_size=64)
        yield "through TransformerBridge, shuffled", *differing(reference, bridge)
    fixed = replace(model, deterministic=True)
    one = texts(fixed, asked, shuffled=False, batch_size=64)
    yield (
        "deterministic, shuffled, against deterministic in order",
        *differing(one, texts(fixed, asked, shuffled=True, batch_size=7)),
    )
    yield "deterministic, against batches of 64 in order", *differing(reference, one)


def main() -> None:
    rows = [(dtype, *row) for dtype in ("float32", "float64", "bfloat16") for row in compared(dtype)]
    lines = [
        f"| {dtype} | {name} | {trials} of {TRIALS} | {tokens} of {total} |"
        for dtype, name, trials, tokens, total in rows
    ]
    table = "\n".join(["| dtype | setting | trials that differ | tokens that differ |", "|---|---|---|---|", *lines])
    OUT.write_text(
        f"# How often floating point changes a trial\n\nWritten by `make bench`.\n\n{table}\n", encoding="utf-8"
    )
    print(table)


if __name__ == "__main__":
    main()
