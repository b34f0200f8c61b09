"""What all parts share: the model with its autoencoder, prompts, requests, and how a text becomes a trial."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiments.endogenous_resistance.latent_selection import Chosen
from experiments.shared.generations import Written, bounds_of, trial_of, with_logprobs
from introlab.activations.directions import Direction
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.generation.requests import Request
from introlab.generation.sampling import Sampling
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.records.trial import Trial
from probes.sae.model import LINEAGE, Sae
from probes.text.attempts import degraded, read_attempts
from probes.text.coherence import CoherenceTest
from steering.edits import steer_along
from steering.sae_edits import Latent
from steering.strength import Dose

_AT_ONCE, _PROMPT = 2**27, 128


@dataclass(frozen=True)
class Setup:
    """One model under the protocol."""

    bench: RunContext
    experiment: str
    sae: Sae
    site: Site
    """Where is written, which may be another place than the autoencoder is of."""
    span: Span
    sampling: Sampling
    max_new: int
    topics: tuple[str, ...]
    norm: float = 1.0
    """Typical residual norm at the site."""
    bounds: CoherenceTest | None = None
    """None until unsteered texts are there."""

    def __post_init__(self) -> None:
        if len(self.bench.materials.wording.topic_templates["extract"]) < 2 or len(self.topics) < 3:
            raise InputError(
                "prompts to search a strength with and fresh ones to verify it on",
                given=f"{self.bench.materials.folder}: {len(self.topics)} topics to push towards",
                allowed="two templates of split extract or more in wording.json, three topics or more",
            )

    @property
    def reading(self) -> int:
        """How many texts are read at once: no more than half a gigabyte of latents."""
        return max(1, min(self.bench.batch_size, _AT_ONCE // (self.sae.latents * (self.max_new + _PROMPT))))

    def transfer(self) -> Trial:
        """For the record: where the autoencoder was trained, and where it is read and written."""
        stated, model = self.sae.sae.cfg.metadata, self.bench.model
        return Trial(
            experiment=self.experiment,
            model=model.name,
            item=self.sae.name,
            cluster=self.sae.name,
            split="extract",
            condition="reading: autoencoder",
            outcomes={
                "trained on": stated.model_name,
                "transferred": stated[LINEAGE] != model.fingerprint,
                "read at": str(self.sae.site),
                "written at": str(self.site),
            },
        )

    def prompt(self, topic: str, kind: str) -> str:
        """A question about a topic: of the `search` of a strength, of its verification (`fresh`), or of the `test`."""
        templates = self.bench.materials.wording.topic_templates
        found = {"search": templates["extract"][0], "fresh": templates["extract"][1], "test": templates["test"][0]}
        return found[kind].format(topic=topic)

    def both(self, prompt: str, other: str) -> str:
        """The same, that asks in words for another topic, too."""
        return f"{prompt} {self.bench.materials.wording.request_topic.format(topic=other)}"

    def others(self, topic: str) -> list[str]:
        return [other for other in self.topics if other != topic]

    def drawn(self, latent: Chosen, count: int) -> list[str]:
        """The topics that are asked about while a latent is pushed: `count`, by lot, never its own."""
        others = self.others(latent.topic)
        return random.Random(f"{self.bench.seed} {latent.name}").sample(others, min(count, len(others)))

    def direction(self, latent: int) -> Direction:
        """What a latent writes; its natural unit raises it by 1."""
        return self.sae.written_by(latent, self.bench.model).at_site(self.site)

    def push(self, latent: int, strength: float) -> Intervention:
        """Raises a latent by `strength`, the error term kept: published as mode add."""
        dose = Dose.of(self.direction(latent), natural=strength, residual_norm=self.norm)
        return Intervention(
            Latent(self.sae.sae, latent, "add", strength, self.sae.name, dose=dose), self.site, self.span
        )

    def stray(self, latent: int, strength: float, draw: int) -> Intervention:
        """A random direction of equal norm."""
        away = self.bench.random_direction(self.direction(latent), draw)
        return steer_along(away, natural=strength, residual_norm=self.norm, span=self.span)

    def request(
        self, prompt: str, topic: str, item: str, *interventions: Intervention, replicate: int = 0, **note: Any
    ) -> Request:
        """A text about `topic`. Conditions of one item and replicate share their random numbers."""
        return Request(
            prompt=tuple(self.bench.model.ids([user(prompt)], room=self.max_new)),
            item=item,
            replicate=replicate,
            interventions=interventions,
            max_new=self.max_new,
            sampling=self.sampling,
            note={"topic": topic, "both": prompt, "strength": 0.0, "draw": None, "split": "test", **note},
        )

    def written(self, requests: Sequence[Request], stage: str) -> list[Written]:
        """In the order of the requests, so that the order of work does not matter further on."""
        found = {id(pair[0].note): pair for pair in self.bench.generate(requests, stage=stage)}
        return [found[id(request.note)] for request in requests]

    def bounded(self, unsteered: Sequence[Written]) -> "Setup":
        """With the bounds that these texts give."""
        return replace(self, bounds=bounds_of(self.bench, unsteered))

    def trials(self, written: Iterable[Written]) -> Iterator[Trial]:
        for pair, logprob in with_logprobs(self.bench, written):
            yield self._trial(pair, logprob)

    def _trial(self, pair: Written, logprob: float | None) -> Trial:
        assert self.bounds is not None, "unsteered texts come first"
        request, generation = pair
        note, text = request.note, self.bench.model.text(generation.tokens)
        attempts = read_attempts(text, note["topic"], self.bench.materials)
        scores = [each.score for each in attempts]
        several = len(scores) > 1
        first, last = (scores[0], scores[-1]) if scores else (None, None)
        return trial_of(
            self.bench,
            self.experiment,
            pair,
            cluster=note.get("cluster", request.item),
            readings={
                "scores": scores,
                "spans": [[each.start, each.stop] for each in attempts],
                "first_score": first,
                "gain": 0.0 if not several else None if first is None or last is None else last - first,
                "logprob_unsteered": logprob,
                **note.get("readings", {}),
            },
            outcomes={
                "several": several,
                "improved": False if not several else None if first is None or last is None else last > first,
                "degraded": degraded(text),
                "incoherent": self.bounds.incoherent(logprob, generation.tokens, text),
                "topic": note["topic"],
                "label": note.get("label"),
                "part": note.get("part", "steered"),
            },
        )
