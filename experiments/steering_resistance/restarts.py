"""What holds the text on its topic after a restart: the same beginning, with the push left on and taken off."""

import re
from collections.abc import Iterator, Sequence
from functools import partial

from experiments.shared.generations import Written
from experiments.steering_resistance.fitted import FittedDirections
from experiments.steering_resistance.labels import DIFFERENCE, PUSH_OFF, PUSH_ON, RECOVERED
from experiments.steering_resistance.scenarios import Scenario
from experiments.steering_resistance.trials import request_for
from introlab.experiment.context import RunContext
from introlab.generation.requests import Request
from introlab.network.spans import Span
from introlab.reporting.detokenize import written as token_texts
from introlab.tasks.materials import Materials
from probes.text.coherence import sentences
from probes.text.topic_drift import read_drift


def restarts(bench: RunContext, rig: FittedDirections, written: Sequence[Written], max_new: int) -> Iterator[Request]:
    """For each text that a push took off its topic: all up to its restart, and then on with the push and without it.
    Where it did restart, also its first sentence afterwards as the beginning of a text under a new push.

    A restart is the end of the announcement; where there is none, of the sentence in which the text left its topic.
    """
    for request, generation in written:
        turn, announced = _turn(bench, request, generation.tokens)
        if turn is None or turn == len(generation.tokens):
            continue
        note = request.note
        scene = Scenario(note["topic"], note["push"], request.replicate)
        start, restart = note["asked"] - 1, note["asked"] + turn - 1
        direction, prefill = rig.aims[DIFFERENCE][scene.push], generation.tokens[:turn]
        arms = {PUSH_ON: (Span.positions(start), prefill), PUSH_OFF: (Span.positions(start, restart), prefill)}
        after = sentences(bench.model, generation.tokens[turn:], bench.materials.wording.announcement)
        if announced and after and after[0][-1] not in bench.model.end_ids:
            arms[RECOVERED] = (Span.positions(start), after[0])
        asked = partial(request_for, bench, scene, max_new, item=f"{scene.item}, restart", strength=note["strength"])
        for condition, (span, begun) in arms.items():
            push = rig.push(direction, note["strength"], span)
            yield asked(push, prefill=begun, condition=condition)


def _turn(bench: RunContext, request: Request, tokens: Sequence[int]) -> tuple[int | None, bool]:
    """How many new tokens there are up to the restart, and whether it was announced; None where it never left."""
    topic, text = request.note["topic"], bench.model.text(tokens)
    drift = read_drift(text, topic, bench.materials)
    if not drift.intruded:
        return None, False
    pieces = token_texts(bench.model.tokenizer.backend_tokenizer, tokens)
    said = _announced_until("".join(pieces), bench.materials)
    whole = 0
    for index, piece in enumerate(pieces, 1):
        whole += len(piece)
        past = whole >= said if said else read_drift("".join(pieces[:index]), topic, bench.materials).intruded
        if past and (piece.strip().endswith((".", "?", "!"))):
            return index, said > 0
    return None, said > 0


def _announced_until(text: str, materials: Materials) -> int:
    """Where the first announcement ends, with all that follows it without a topic's word between; 0 without one."""
    end = 0
    for said in re.finditer(materials.wording.announcement, text, re.IGNORECASE):
        if end and materials.topic_words(text[end : said.start()]):
            break
        end = said.end()
    return end
