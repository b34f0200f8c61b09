"""Writes the texts on which the measure of coherence is worked out and tested: fluent, steered, broken in five ways.

    python -m benchmarks.coherence_texts --model smollm2 --out tests/data

Two sets of 200 texts, which share no topic, wording, layer or strength. Labels (`coherent`) are given by reading the
texts in an order that hides how each was made, before any measure is computed on them; here they are left open. A
third file holds unsteered texts in the wording of neither set: what thresholds are calibrated on.
"""

import argparse
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from introlab.activations.directions import Direction, random_control
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.generation.model_sampling import sampling_for
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY, SAMPLED, Sampling
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from introlab.network.model import load
from introlab.network.sites import Site
from introlab.tasks.materials import materials_for
from steering.contrast import one_vs_rest_from_texts
from steering.edits import steer_along
from steering.strength import typical_norm

NEW = 40
"""Tokens of a text at most."""
FIT = ("Tell me about {topic} in a few sentences.", "Explain in a few sentences what matters about {topic}.")
"""Of the unsteered texts that directions and thresholds come from."""


@dataclass(frozen=True)
class Plan:
    """How the texts of one set are made."""

    name: str
    topics: tuple[str, ...]
    wording: str
    layer: int
    steered: tuple[float, ...]
    """Shares of the residual norm along another topic's direction."""
    random: tuple[float, ...]
    """The same along random directions."""
    hot: tuple[float, ...]
    """Temperatures without top-p."""
    questions: str
    """Split of the general questions."""
    both: str = "{plain} Also talk about {other}."

    def asked(self, topic: str) -> str:
        return self.wording.format(topic=topic)

    def both_asked(self, topic: str, other: str) -> str:
        """The prompt under which everything the text may be about is asked for."""
        return self.both.format(plain=self.asked(topic), other=other)


def main() -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--out", type=Path, default=Path("tests/data"))
    chosen = parser.parse_args()
    model = load(chosen.model, device="cpu")
    bench = RunContext(model, materials_for(model), batch_size=64, quiet=True)
    topics = bench.materials.lab_topics
    plans = (
        Plan(
            "working", topics[0::2], "Describe {topic} in a few sentences.", 10, (0.2, 0.3, 0.4, 0.55),
            (0.3, 0.5, 0.8, 1.2), (1.5, 2.2), "extract",
        ),
        Plan(
            "held_out", topics[1::2], "Write a short paragraph about {topic}.", 15, (0.25, 0.35, 0.45, 0.6),
            (0.25, 0.45, 0.7, 1.0), (1.3, 1.8), "calibrate",
        ),
    )  # fmt: skip
    fitted = _unsteered(bench, topics)
    _write(chosen.out / "coherence_calibration.jsonl", fitted)
    for plan in plans:
        rows = list(_texts(bench, plan, [row for row in fitted if row["topic"] in plan.topics]))
        random.Random(plan.name).shuffle(rows)
        numbered = [{"id": f"{plan.name} {index:03}", **row} for index, row in enumerate(rows)]
        _write(chosen.out / f"coherence_{plan.name}.jsonl", numbered)


def _unsteered(bench: RunContext, topics: Sequence[str]) -> list[dict[str, object]]:
    requests = []
    for topic, other in zip(topics, [*topics[1:], topics[0]], strict=True):
        for wording in FIT:
            plain = wording.format(topic=topic)
            note = {"topic": topic, "asked": plain, "both": f"{plain} Also talk about {other}.", "made": "unsteered"}
            for turn in range(2):
                requests.append(_request(bench, f"{topic} {wording}", turn, note, sampling_for(bench.model)))
    return _written(bench, requests, "unsteered texts")


def _texts(bench: RunContext, plan: Plan, fitted: Sequence[dict[str, object]]) -> Iterator[dict[str, object]]:
    usual, site = sampling_for(bench.model), Site(plan.layer)
    texts = [
        Text.written(tuple(bench.model.ids([user(str(row["asked"]))])), tuple(row["tokens"]), str(row["topic"]))  # type: ignore[arg-type]
        for row in fitted
    ]
    directions = one_vs_rest_from_texts(bench.model, texts, [str(row["topic"]) for row in fitted], site)
    norm = typical_norm(bench.model, texts, site)
    requests: list[Request] = []
    for index, topic in enumerate(plan.topics):
        other = plan.topics[(index + 5) % len(plan.topics)]
        note = {"topic": topic, "asked": plan.asked(topic), "both": plan.both_asked(topic, other)}

        made: list[tuple[str, int, Sampling, tuple[Intervention, ...]]] = [
            ("unsteered", turn, usual, ()) for turn in range(6)
        ]
        for turn, share in enumerate(plan.steered):
            made.append((f"steered {share}", 10 + turn, usual, (_push(directions[other], share, norm),)))
        for turn, share in enumerate(plan.random):
            drawn = random_control(directions[other], index * 10 + turn)
            made.append((f"random {share}", 20 + turn, usual, (_push(drawn, share, norm),)))
        for turn, heat in enumerate(plan.hot):
            made.append((f"temperature {heat}", 30 + turn, Sampling(temperature=heat), ()))
        made.append(("temperature 1", 40, SAMPLED, ()))
        for how, turn, sampling, pushes in made:
            each = {**note, "made": how}
            requests.append(_request(bench, f"{plan.name} {topic}", turn, each, sampling, *pushes))
    requests += _of_questions(bench, plan)
    rows = _written(bench, requests, f"texts, {plan.name}")
    yield from rows
    plain = [row for row in rows if row["made"] == "unsteered" and row["asked"] != row["both"]]
    for index in range(10):
        yield _looped(bench, plain[index * 6], index)
    for index in range(10):
        yield _shuffled(bench, plain[index * 6 + 1], index)


def _of_questions(bench: RunContext, plan: Plan) -> list[Request]:
    questions = bench.materials.pick(plan.questions, limit=400)[::40]  # type: ignore[arg-type]
    return [
        _request(bench, one.id, 0, {"topic": "", "asked": one.text, "both": one.text, "made": "unsteered"}, GREEDY)
        for one in questions[:10]
    ]


def _push(direction: Direction, share: float, norm: float) -> Intervention:
    return steer_along(direction, natural=share * norm / direction.scale, residual_norm=norm)


def _request(
    bench: RunContext, item: str, turn: int, note: Mapping[str, object], sampling: Sampling, *pushes: Intervention
) -> Request:
    prompt = tuple(bench.model.ids([user(str(note["asked"]))], room=NEW))
    return Request(prompt, item, turn, interventions=pushes, max_new=NEW, sampling=sampling, note=note)


def _written(bench: RunContext, requests: Sequence[Request], stage: str) -> list[dict[str, object]]:
    done = {id(request): generation for request, generation in bench.generate(requests, stage=stage)}
    return [_row(bench, request.note, done[id(request)].tokens) for request in requests]


def _row(bench: RunContext, note: Mapping[str, object], tokens: Sequence[int]) -> dict[str, object]:
    return {**note, "tokens": list(tokens), "text": bench.model.text(tokens), "coherent": None}


def _looped(bench: RunContext, row: dict[str, object], index: int) -> dict[str, object]:
    """Begins as it did, and then says a part of itself over and over."""
    tokens, start, length = list(row["tokens"]), 4 + index, 2 + index % 6  # type: ignore[arg-type]
    part = tokens[start : start + length]
    looped = [*tokens[:start], *(part * NEW)][:NEW]
    return _row(bench, {**_note(row), "made": f"loop of {length}"}, looped)


def _shuffled(bench: RunContext, row: dict[str, object], index: int) -> dict[str, object]:
    """The same words in another order."""
    words = str(row["text"]).split()
    random.Random(index).shuffle(words)
    tokens = bench.model.tokenizer(" ".join(words), add_special_tokens=False)["input_ids"]
    return _row(bench, {**_note(row), "made": "shuffled"}, tokens)


def _note(row: dict[str, object]) -> dict[str, object]:
    return {name: row[name] for name in ("topic", "asked", "both")}


def _write(path: Path, rows: Sequence[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
