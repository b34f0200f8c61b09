"""What is fitted before any test text is written: directions, their scale, and what unsteered texts look like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from experiments.shared.generations import Written, bounds_of, finished
from experiments.steering_mechanism.detectability import halfway
from experiments.steering_resistance.directions import Aims, fit_aims
from experiments.steering_resistance.off_topic_probe import fit_detector
from experiments.steering_resistance.scenarios import Scenario
from experiments.steering_resistance.trials import request_for
from introlab.activations.directions import Direction
from introlab.experiment.context import RunContext
from introlab.generation.requests import Request
from introlab.interventions.interfaces import Intervention, Readout
from introlab.network.sites import Site
from introlab.network.spans import Span
from probes.sae.model import Sae
from probes.text.coherence import CoherenceTest, sentences
from probes.text.topic_drift import INTRUDED_FROM
from steering.contrast import mean_over_completion
from steering.edits import steer_along
from steering.strength import Dose, typical_norm


@dataclass(frozen=True)
class FittedDirections:
    """Directions by kind and topic, and what goes with them."""

    aims: Aims
    norms: Mapping[Site, float]
    """Typical norm of the residual at the places that are pushed."""
    bounds: CoherenceTest
    own: Mapping[str, Sequence[tuple[int, ...]]]
    """Sentences of the model's own about each topic."""
    detector: Sequence[Readout]
    """Of off-topic text: one, or none."""

    def push(self, direction: Direction, natural: float, span: Span | None = None) -> Intervention:
        """Adds so many natural units, by default wherever new text is predicted."""
        return steer_along(direction, natural=natural, residual_norm=self.norms[direction.site], span=span)

    def equal_dose(self, kind: str, topic: str, other: str, natural: float) -> float:
        """How many natural units of one kind are as large a share of the norm as `natural` units of the other, to four
        digits: trials are known by their strength, and what was measured depends on batches in the sixth digit."""
        one, two = self.aims[kind][topic], self.aims[other][topic]
        share = Dose.of(two, natural=natural, residual_norm=self.norms[two.site]).share
        return float(f"{share / Dose.of(one, natural=1.0, residual_norm=self.norms[one.site]).share:.4g}")


def unsteered(bench: RunContext, topics: Sequence[str], texts: int, max_new: int) -> list[Request]:
    """Requests for each topic alone, from which directions are fitted, and for two topics at once; in a wording that
    the test never uses."""
    requests = []
    for topic, other in zip(topics, [*topics[1:], topics[0]], strict=True):
        for turn in range(texts * len(bench.materials.wording.topic_templates["extract"])):
            scene = Scenario(topic, other, turn)
            asked = partial(request_for, bench, scene, max_new, wording="extract")
            requests.append(asked(condition="baseline", split="extract", item=f"{topic} alone"))
            both = f"{topic} and {other}"
            requests.append(asked(condition="prompting", split="calibrate", item=both, asks_for_both=True))
    return requests


def fit_directions(bench: RunContext, written: Sequence[Written], layer: int, sae: Sae | None) -> FittedDirections:
    """From unsteered texts alone. Their order must not matter further on: they come sorted."""
    alone = [pair for pair in written if pair[0].note["split"] == "extract"]
    texts, labels = [finished(pair) for pair in alone], [request.note["topic"] for request, _ in alone]
    values = mean_over_completion(bench.model, texts, Site(layer), batch_size=bench.batch_size)
    aims = fit_aims(bench.model, texts, labels, values, sae)
    sites = sorted({direction.site for kind in aims.values() for direction in kind.values()}, key=str)
    norms = {site: typical_norm(bench.model, texts, site, batch_size=bench.batch_size) for site in sites}
    own: dict[str, list[tuple[int, ...]]] = {}
    for request, generation in alone:
        topic = request.note["topic"]
        for piece in sentences(bench.model, generation.tokens, bench.materials.wording.announcement):
            owners = [owner for _, owner in bench.materials.topic_words(bench.model.text(piece))]
            if set(owners) == {topic} and len(owners) >= INTRUDED_FROM and piece[-1] not in bench.model.end_ids:
                own.setdefault(topic, []).append(piece)
    return FittedDirections(
        aims, norms, bounds_of(bench, written), own, fit_detector(bench, own, halfway(bench.model, layer))
    )
