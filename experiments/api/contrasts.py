"""Directions and probes from two sides: prompts or texts that have something, and prompts or texts that have not."""

from collections.abc import Sequence
from typing import Literal

from experiments.api.texts import AnyText, ReadableText, as_list, readable, site_of
from introlab.activations.directions import Direction, difference_of_means
from introlab.activations.directions import random_control as random_direction
from introlab.activations.extract import Activations, mean_over
from introlab.activations.forward import TOGETHER
from introlab.errors import InputError
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.records.findings import Findings
from probes.linear import evaluate, fit
from probes.linear.bank import Method
from probes.linear.probe import Probe

__all__ = ["contrast", "evaluate_probe", "fit_probe", "random_direction"]

Side = AnyText | Sequence[AnyText]
"""One or several prompts or texts."""
Over = Literal["words", "last"]
"""Where a text is read: the mean over its words (the answer's where there is one, else the user's), or its last
token."""


def contrast(
    model: Model,
    *,
    positive: Side,
    negative: Side,
    layer: float | Site = 0.5,
    over: Over = "words",
    batch_size: int = TOGETHER,
) -> Direction:
    """The difference of means between two sides, read at one layer: a direction from pairs of prompts or of texts.

    A string is a user's turn (of a model loaded with `chat="raw"`, a bare text); a pair (prompt, answer), a dialogue
    that ends with the assistant and what `generate` gave are texts, and read over the answer. `layer` is a block's
    index, or a fraction of the depth; `model.n_layers` says how many blocks there are. The natural unit of the
    direction is the distance of the two means. Raises InputError for an empty side, a text on both sides, a place the
    model does not have, and sides whose means are equal.
    """
    site, sides = _checked(model, positive, negative, layer, over)
    one, other = (_activations(model, side, site, over, batch_size) for side in sides)
    return difference_of_means(one, other, model=model)


def fit_probe(
    model: Model,
    *,
    positive: Side,
    negative: Side,
    layer: float | Site = 0.5,
    over: Over = "words",
    method: Method = "logistic",
    target: str = "",
    batch_size: int = TOGETHER,
) -> Probe:
    """A probe that gives the probability of the positive side; texts and layers as for `contrast`.

    `target` says in words what a high value means. What a probe is worth is what `evaluate_probe` says of it on texts
    it has not seen. Raises InputError as `contrast` does.
    """
    site, sides = _checked(model, positive, negative, layer, over)
    both = _activations(model, [*sides[0], *sides[1]], site, over, batch_size)
    labels = [1.0] * len(sides[0]) + [0.0] * len(sides[1])
    probe = fit.fit_probe(both, labels, model=model, method=method)
    return Probe(probe.direction, probe.gain, probe.offset, target, probe.threshold, probe.calibration)


def evaluate_probe(
    model: Model,
    *,
    positive: Side,
    negative: Side,
    layer: float | Site = 0.5,
    over: Over = "words",
    method: Method = "logistic",
    target: str = "the state",
    batch_size: int = TOGETHER,
) -> Findings:
    """Held-out AUROC of such a probe, beside a bag of words, the length of the text and shuffled labels.

    A probe that does not beat the words has read nothing that the text does not show. Each text is held out in turn
    with those of its part; at least ten of each side give an interval. Raises InputError as `contrast` does, and for
    too few texts to hold any out.
    """
    site, sides = _checked(model, positive, negative, layer, over)
    texts = [*sides[0], *sides[1]]
    both = _activations(model, texts, site, over, batch_size)
    labels = [1.0] * len(sides[0]) + [0.0] * len(sides[1])
    beside = evaluate.Baselines(
        texts=[each.words for each in texts], numbers={"length": [float(len(each.text.ids)) for each in texts]}
    )
    groups = [each.text.example for each in texts]
    return evaluate.evaluate({(site, 0): both}, labels, groups, target=target, beside=beside, method=method)


def _checked(
    model: Model, positive: Side, negative: Side, layer: float | Site, over: Over
) -> tuple[Site, tuple[list[ReadableText], list[ReadableText]]]:
    """The place and both sides in tokens, before anything is read."""
    site = site_of(model, layer)
    if over not in ("words", "last"):
        raise InputError(
            "an unknown place of a text",
            given=repr(over),
            allowed="words, last",
            do='leave it out to read the mean over the words, or say over="last"',
        )
    one = [readable(model, text) for text in as_list(positive, "positive texts")]
    other = [readable(model, text) for text in as_list(negative, "negative texts")]
    shared = {text.text.example for text in one} & {text.text.example for text in other}
    if shared:
        which = next(text.words for text in one if text.text.example in shared)
        raise InputError(
            "a text on both sides",
            given=f"{len(shared)} texts, such as {which[:60]!r}",
            allowed="texts that are on one side",
            do="leave it out of one of the two",
        )
    return site, (one, other)


def _activations(model: Model, texts: Sequence[ReadableText], site: Site, over: Over, batch_size: int) -> Activations:
    spans = [(each.first if over == "words" else each.stop - 1, each.stop) for each in texts]
    if over == "last":
        spans = [(len(each.text.ids) - 1, len(each.text.ids)) for each in texts]
    return mean_over(model, [each.text for each in texts], site, spans, batch_size=batch_size)
