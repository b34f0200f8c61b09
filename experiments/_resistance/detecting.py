"""A reading of off-topic text, fitted without a push, by which every text is coloured token by token.

It says what the model makes of its own words, whatever made it write them: fitted on its own sentences put in its
mouth, on the topic that was asked about and on others.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from experiments._resistance.scenes import Scene
from experiments._resistance.writing import DETECTOR, request_for
from introlab.bench import Bench
from introlab.findings import Row
from introlab.passes import Text
from introlab.protocols import Readout
from introlab.scores import auroc
from introlab.sites import Site
from introlab.trials import Trial
from probes.linear import fit_probe
from probes.readouts import Projection
from steering.contrast import over_new_tokens

Sentences = Mapping[str, Sequence[tuple[int, ...]]]
FEWEST = 8
"""Sentences on topic and off it, below which there is no detector."""


def fit_detector(bench: Bench, own: Sentences, site: Site) -> list[Readout]:
    """A direction from sentences on the topic asked about to sentences off it, as one reading of every text to be
    written; none for a model with too few sentences of its own. `own` are its sentences by topic; every topic is asked
    about in a wording that no test uses, as often before one of its own sentences as before one of another topic."""
    texts, off = [], []
    for turn, (topic, other) in enumerate(product(sorted(own), repeat=2)):
        if topic == other:
            continue
        for name in (topic, other):
            mouth = own[name][turn % len(own[name])]
            asked = request_for(bench, Scene(topic, other, turn), 0, wording="extract", condition="", mouth=mouth)
            texts.append(Text.written(asked.prompt[: asked.note["asked"]], mouth, f"detector {turn} {name == other}"))
            off.append(name == other)
    if sum(off) < FEWEST:
        return []
    values = over_new_tokens(bench.model, texts, site, batch_size=bench.batch_size)
    return [Projection(DETECTOR, fit_probe(values, off, model=bench.model, method="lda", penalty=0.1).direction)]


def detector_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """How well the detector, read where a topic's word has just been read, tells words off topic from words on it."""
    name = f"{DETECTOR}_per_token"
    for arm in ("prompting", "push"):
        found = [
            (score, owned < 0, trial.cluster)
            for trial in trials
            if trial.condition == arm and name in trial.readings
            for owned, score in zip(trial.readings["on_topic"], trial.readings[name][1:], strict=False)
            if owned is not None
        ]
        if found:
            yield Row(
                "detector: AUROC of words off topic", {"model": model, "arm": arm}, auroc(*zip(*found, strict=True))
            )
