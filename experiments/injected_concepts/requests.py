"""From what is to be asked to a request: its dialogue, and the pushes at their places."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from experiments.injected_concepts.design import WEAKER, Asking
from experiments.injected_concepts.labels import (
    ANSWER,
    BOTH,
    CACHE,
    COMPARE,
    FLIPPED,
    LOCALISE,
    RANDOM,
    WITHOUT_YES,
    YES_PUSH,
    condition_of,
)
from experiments.shared.concept_vectors import ConceptVectors, along, extent, flipped, token_text_in, without
from introlab.activations.directions import Direction, random_control
from introlab.experiment.context import RANDOM_DIRECTIONS, RunContext
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import Message, assistant, system, user
from introlab.network.spans import Span


@dataclass(frozen=True)
class InjectionDirections:
    """Vectors, and where and how strongly they are injected unless it is said otherwise."""

    vectors: ConceptVectors
    yes_axes: Mapping[int, tuple[Tensor, Tensor]]
    """By layer, each [d_model]: from *no* to *yes* as words are read there, and as words are written (unembedding)."""
    layer: int
    strength: float
    """Share of the usual norm of the residual."""
    seed: int = 0
    """Of the run: draws random directions."""

    def direction(self, one: Asking) -> Direction:
        """The direction of an arm."""
        layer = self.layer if one.layer is None else one.layer
        known, (read, written) = self.vectors.directions[layer], self.yes_axes[layer]
        base = known[one.injected] if one.injected else next(iter(known.values()))
        if one.arm == RANDOM:
            assert one.draw is not None
            return random_control(base, RANDOM_DIRECTIONS * self.seed + one.draw)
        if one.arm == YES_PUSH:
            return along(base, read, "from no to yes")
        if one.arm == FLIPPED:
            return flipped(base)
        return without(base, [read, written], "without yes") if one.arm == WITHOUT_YES else base


def dialogue(one: Asking) -> list[Message]:
    """Its turns."""
    before = [user(one.earlier[0]), assistant(one.earlier[1])] if one.earlier else []
    return [*([system(one.system)] if one.system else []), *before, user(one.text)]


def request_of(bench: RunContext, rig: InjectionDirections, one: Asking, max_new: int) -> Request:
    """One text to be written: a single token where an answer is read from its mass."""
    messages = dialogue(one)
    ids = tuple(bench.model.ids(messages, prefill=one.prefill, room=max_new))
    pushes = _pushes(bench, rig, one, messages, ids) if one.pushed else ()
    layer = rig.layer if one.layer is None else one.layer
    where = f"layer {layer}, " if one.split == "calibrate" and one.pushed else ""
    return Request(
        prompt=ids,
        item=f"{where}{one.asked} {one.variant}" + (f", {one.concept}" if one.concept else ""),
        interventions=pushes,
        max_new=max_new,
        sampling=GREEDY,
        note={
            "asking": one,
            "split": one.split,
            "condition": condition_of(one.asked, one.arm, one.place, one.informed),
            "strength": 0.0 if not pushes else rig.strength if one.strength is None else one.strength,
            "draw": one.draw,
            "layer": layer if pushes else None,
        },
    )


def _pushes(
    bench: RunContext, rig: InjectionDirections, one: Asking, messages: Sequence[Message], ids: Sequence[int]
) -> tuple[Intervention, ...]:
    direction, strength = rig.direction(one), rig.strength if one.strength is None else one.strength
    spans = bench.model.chat.spans(messages, prefill=one.prefill)
    last = spans["user 1" if one.earlier else "user 0"]
    if one.asked in (LOCALISE, COMPARE):
        assert one.right is not None
        doses = {one.right: strength} | ({1 - one.right: WEAKER * strength} if one.asked == COMPARE else {})
        start, stop = extent(last)
        where = {which: token_text_in(bench, ids, start, stop, one.pieces[which]) for which in doses}
        return tuple(rig.vectors.push(direction, doses[which], Span.positions(*where[which])) for which in doses)
    span = {CACHE: spans["user 0"], ANSWER: Span.generated(), BOTH: last + Span.generated()}.get(one.place, last)
    return (rig.vectors.push(direction, strength, span),)
