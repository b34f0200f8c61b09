"""From what was written, or was about to be, to a trial."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.injected_concepts.design import Asking
from experiments.injected_concepts.labels import CHOOSE, CHOOSE_UNRELATED, COMPARE, LOCALISE, NAME
from experiments.injected_concepts.prompts import InjectionPrompts
from experiments.injected_concepts.requests import InjectionDirections, dialogue, request_of
from experiments.shared.answer_mass import AnswerMass, answer_readout, first_tokens
from experiments.shared.generations import Written, trial_of
from introlab.experiment.context import RunContext
from introlab.interventions.interfaces import Readout
from introlab.records.trial import Trial
from probes.online import Entropy, Options
from probes.text.coherence import compression, redundancy

REPEATS, COMPRESSES = 0.3, 3.0
"""Redundancy and compression beyond which a short reply is broken, or beyond all replies without a push where those
repeat more. Likelihood is no part of it: a claim is unlikely without a push by its nature."""
_ENTROPY = "entropy"


def answers_of(one: Asking, prompts: InjectionPrompts) -> tuple[str, ...]:
    """What the mass of is read; none of a free reply."""
    if one.asked in (LOCALISE, COMPARE):
        return tuple(str(number) for number in range(1, len(one.pieces) + 1))
    return (
        () if one.asked == NAME else prompts.yes_no if one.asked not in (CHOOSE, CHOOSE_UNRELATED) else one.candidates
    )


def asked_of(
    bench: RunContext,
    name: str,
    rig: InjectionDirections,
    prompts: InjectionPrompts,
    askings: Sequence[Asking],
    stage: str,
) -> Iterator[Trial]:
    """Every answer that is read from next-token mass, in one pass each, as they come."""
    groups: dict[tuple[str, ...], list[Asking]] = {}
    for one in askings:
        groups.setdefault(() if one.candidates else answers_of(one, prompts), []).append(one)
    words = sorted({word for one in askings for word in one.candidates})
    for answers, some in groups.items():
        readout = _words(bench, prompts, words, some) if not answers else answer_readout(bench.model, answers)
        readouts: list[Readout] = [Entropy(_ENTROPY), *([readout] if readout else [])]
        requests = [request_of(bench, rig, one, 1) for one in some]
        for pair in bench.generate(requests, stage=stage, readouts=readouts):
            one: Asking = pair[0].note["asking"]
            each = pair[1].readings["answers"][0] if readout else [0.0] * max(2, len(answers))
            masses = [each[words.index(word)] for word in one.candidates] if one.candidates else each
            yield _answer(bench, name, pair, one, [float(mass) for mass in masses])


def _words(bench: RunContext, prompts: InjectionPrompts, words: Sequence[str], some: Sequence[Asking]) -> Options:
    """The first token of each word after the begun answer."""
    messages, prefill = dialogue(some[0]), prompts.name_prefill
    before = bench.model.ids(messages, prefill=prefill, room=1)
    whole = [bench.model.ids(messages, prefill=f"{prefill} {word}") for word in words]
    return Options("answers", first_tokens(bench.model, before, whole))


def _answer(bench: RunContext, name: str, pair: Written, one: Asking, masses: Sequence[float]) -> Trial:
    read = AnswerMass.of(masses)
    entropy = float(pair[1].readings[_ENTROPY][0])
    readings: dict[str, Any] = {**_about(one, pair), "mass": _short(read.mass), "entropy": _short(entropy)}
    outcomes: dict[str, Any] = {"asked": one.asked, "arm": one.arm, "place": one.place, "usable": read.usable}
    if one.asked in (CHOOSE, CHOOSE_UNRELATED):
        best = max(range(len(masses)), key=lambda index: masses[index])
        # The right one stands first: where several are equally likely, none of them is named.
        alone = sum(mass == masses[best] for mass in masses) == 1
        chosen = one.candidates[best] if alone else None
        outcomes |= {"usable": True, "right": alone and best == one.right, "chosen": chosen}
    elif one.asked in (LOCALISE, COMPARE):
        outcomes |= {"right": None if read.best is None else read.best == one.right, "answer": read.best}
        readings["right_share"] = None if read.shares is None else _short(read.shares[one.right or 0])
    else:
        readings["yes_share"] = None if read.first is None else _short(read.first)
        outcomes["yes"] = None if read.first is None else read.first > 0.5
    return trial_of(bench, name, pair, cluster=one.cluster, readings=readings, outcomes=outcomes)


def _about(one: Asking, pair: Written) -> dict[str, Any]:
    marks = ", informed" if one.informed else ""
    return {
        "question": f"{one.asked}, {one.place}{marks} {one.variant}",
        "concept": one.concept,
        "injected": one.injected,
        "layer": pair[0].note["layer"],
    }


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def named_freely(
    bench: RunContext, name: str, prompts: InjectionPrompts, written: Sequence[Written]
) -> Iterator[Trial]:
    """Free replies: does it claim a thought, does it name the concept, which comes first, and does the text hold
    together?"""
    plain = [pair[1] for pair in written if not pair[0].interventions]
    texts = [bench.model.text(each.tokens) for each in plain]
    bounds = (
        max([REPEATS, *(redundancy(each.tokens) for each in plain)]),
        max([COMPRESSES, *map(compression, texts)]),
    )
    for pair in written:
        one: Asking = pair[0].note["asking"]
        text = bench.model.text(pair[1].tokens)
        claim = re.search(prompts.claim, text, re.IGNORECASE)
        word = named_at(text, one.concept) if one.concept else None
        every = [each for each in prompts.concepts if named_at(text, each) is not None]
        broken = redundancy(pair[1].tokens) > bounds[0] or compression(text) > bounds[1] or not text.strip()
        first = None if word is None else claim is not None and claim.start() <= word
        outcomes = {
            "asked": NAME,
            "arm": one.arm,
            "place": one.place,
            "usable": bool(text.strip()),
            "claims": claim is not None,
            "names": None if one.concept is None else word is not None,
            "claims_first": first,
            "reports": None if one.concept is None else bool(not broken and first),
            "incoherent": broken,
            "named": ", ".join(every),
        }
        yield trial_of(bench, name, pair, cluster=one.cluster, readings=_about(one, pair), outcomes=outcomes)


def named_at(text: str, concept: str) -> int | None:
    """Where a concept, or its plural, first stands in a text as a word."""
    found = re.search(rf"(?<!\w){re.escape(concept)}(?:s|es)?(?!\w)", text, re.IGNORECASE)
    return found.start() if found else None
