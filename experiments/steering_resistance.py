"""Pushed off topic while the push stays on: three readings that keep three kinds of model apart."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any, ClassVar

from experiments._damage import damage_trials
from experiments._resistance import analysis
from experiments._resistance.simulation import simulated
from introlab.bench import Bench
from introlab.chat import user
from introlab.directions import Direction, random_like
from introlab.experiment import Experiment, Size
from introlab.findings import Findings
from introlab.passes import Text
from introlab.protocols import Intervention
from introlab.requests import Generation, Request
from introlab.sampling import Sampling
from introlab.sites import Site
from introlab.trials import Trial
from probes.coherence import CoherenceBounds, sentence_logprobs
from probes.drift import read_drift
from steering.contrast import one_against_rest
from steering.dose import typical_norm
from steering.edits import push_along

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TEMPERATURE = 0.7


@dataclass(frozen=True)
class _Scene:
    """A topic asked about and a topic pushed towards, once."""

    topic: str
    push: str
    replicate: int

    @property
    def item(self) -> str:
        return f"{self.topic} -> {self.push}"


@dataclass(frozen=True)
class _Rig:
    """What is fitted before any test text is written."""

    directions: dict[str, Direction]
    residual_norm: float
    bounds: CoherenceBounds

    def push(self, direction: Direction, strength: float) -> Intervention:
        return push_along(direction, natural=strength, residual_norm=self.residual_norm)


@dataclass(frozen=True, kw_only=True)
class SteeringResistance(Experiment):
    """Pushed off topic while the push stays on: does the model announce it, does it come back, or was it never moved?

    A topic's direction (difference of means over the model's own texts) is added to the residual stream wherever
    new text is predicted, while the model explains another topic. Three readings of what it writes - moved,
    announced, returned - give a verdict per model. Random directions of equal norm, no push, and a request in
    words for the same topic run beside it on the same prompts with the same random numbers.
    """

    primary: ClassVar[str] = "announced beyond random"
    null: ClassVar[float] = 0.0
    controls: ClassVar[tuple[str, ...]] = ("baseline", "random_direction", "prompting", "coherence")
    debug: ClassVar = {
        "strengths": (1.5,),
        "topics": 3,
        "random_directions": 3,
        "fit_texts": 2,
        "neutral": 6,
        "max_new": 24,
    }
    models: ClassVar[tuple[str, ...]] = (
        "organism:resistant",
        "organism:announcer",
        "organism:compliant",
        "organism:immune",
    )

    layer: int = 2
    """The push goes into the output of this block."""
    strengths: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    """In natural units: 1 is the difference between texts of the topic and of others."""
    verdict_strength: float = 1.5
    """The strength at which verdicts are given; fixed before the run."""
    topics: int = 8
    """Topics asked about and pushed towards, in all ordered pairs."""
    replicates: int = 2
    random_directions: int = 20
    fit_texts: int = 6
    """Unsteered texts per topic and wording, from which directions are fitted."""
    neutral: int = 96
    """Questions on which damage is measured."""
    max_new: int = 48
    seed: int = 0

    def size(self, bench: Bench) -> Size:
        scenes, wordings = len(self._scenes(bench)), len(bench.materials.wording.topic_templates["extract"])
        unsteered = 2 * self.fit_texts * len(self._topics(bench)) * wordings
        texts = unsteered + scenes * (2 + 2 * len(self._all_strengths()))
        return Size(texts, texts * self.max_new)

    def trials(self, bench: Bench) -> Iterator[Trial]:
        rig, unsteered = self._rig(bench)
        yield from self._trials(bench, unsteered, rig.bounds)
        requests = [
            request
            for index, scene in enumerate(self._scenes(bench))
            for request in self._arms(bench, rig, scene, index)
        ]
        yield from self._trials(bench, bench.generate(requests, stage="texts with and without a push"), rig.bounds)
        yield from self._damage(bench, rig)

    def _topics(self, bench: Bench) -> list[str]:
        return sorted(topic.name for topic in bench.materials.topics.values() if topic.lab)[: self.topics]

    def _scenes(self, bench: Bench) -> list[_Scene]:
        pairs = permutations(self._topics(bench), 2)
        return [_Scene(topic, push, replicate) for topic, push in pairs for replicate in range(self.replicates)]

    def _all_strengths(self) -> tuple[float, ...]:
        return tuple(sorted({*self.strengths, self.verdict_strength}))

    def _prompts(self, bench: Bench, topic: str, push: str, split: str, turn: int) -> tuple[str, str]:
        """The plain request for a topic, and the one that asks in words for the other topic too."""
        wording = bench.materials.wording
        templates = wording.topic_templates[split]
        plain = templates[turn % len(templates)].format(topic=topic)
        return plain, f"{plain} {wording.request_topic.format(topic=push)}"

    def _request(self, bench: Bench, content: str, item: str, *pushes: Intervention, **note: Any) -> Request:
        return Request(
            prompt=tuple(bench.model.ids([user(content)], room=self.max_new)),
            item=item,
            replicate=note["replicate"],
            interventions=pushes,
            max_new=self.max_new,
            sampling=Sampling(temperature=TEMPERATURE),
            note={"strength": 0.0, "draw": None, **note},
        )

    def _rig(self, bench: Bench) -> tuple[_Rig, list[tuple[Request, Generation]]]:
        """Unsteered texts, in a wording the test never uses, and what is fitted on them."""
        topics = self._topics(bench)
        requests = []
        for topic, push in zip(topics, [*topics[1:], topics[0]], strict=True):
            for index in range(self.fit_texts * len(bench.materials.wording.topic_templates["extract"])):
                plain, both = self._prompts(bench, topic, push, "extract", index)
                note = {"topic": topic, "push": push, "replicate": index, "both": both}
                requests.append(
                    self._request(bench, plain, f"{topic} alone", split="extract", condition="baseline", **note)
                )
                requests.append(
                    self._request(bench, both, f"{topic} and {push}", split="calibrate", condition="prompting", **note)
                )
        written = list(bench.generate(requests, stage="unsteered texts"))
        written.sort(key=lambda pair: (pair[0].item, pair[0].replicate))  # the order of work must not matter further on
        alone = [pair for pair in written if pair[0].note["split"] == "extract"]
        texts = [_finished(pair) for pair in alone]
        directions = one_against_rest(
            bench.model,
            texts,
            [request.note["topic"] for request, _ in alone],
            Site(self.layer),
            batch_size=bench.batch_size,
        )
        norm = typical_norm(bench.model, texts, Site(self.layer), batch_size=bench.batch_size)
        generations = [generation.tokens for _, generation in written]
        bounds = CoherenceBounds.of(
            _logprobs(bench, written), generations, [bench.model.text(tokens) for tokens in generations]
        )
        return _Rig(directions, norm, bounds), written

    def _arms(self, bench: Bench, rig: _Rig, scene: _Scene, index: int) -> Iterator[Request]:
        """One scene in every condition. Random directions take turns over the scenes."""
        plain, both = self._prompts(bench, scene.topic, scene.push, "test", scene.replicate)
        note = {"topic": scene.topic, "push": scene.push, "replicate": scene.replicate, "both": both, "split": "test"}
        yield self._request(bench, plain, scene.item, condition="baseline", **note)
        yield self._request(bench, both, scene.item, condition="prompting", **note)
        direction, draw = rig.directions[scene.push], index % self.random_directions
        direction.check_unseen([f"{scene.item} #{scene.replicate}"])
        for strength in self._all_strengths():
            push, stray = rig.push(direction, strength), rig.push(random_like(direction, draw), strength)
            yield self._request(bench, plain, scene.item, push, condition="push", strength=strength, **note)
            yield self._request(
                bench, plain, scene.item, stray, condition="random_direction", strength=strength, draw=draw, **note
            )

    def _trials(
        self, bench: Bench, written: Iterable[tuple[Request, Generation]], bounds: CoherenceBounds
    ) -> Iterator[Trial]:
        for chunk in bench.chunks(written):
            for (request, generation), logprob in zip(chunk, _logprobs(bench, chunk), strict=True):
                yield self._trial(bench, request, generation, logprob, bounds)

    def _trial(
        self, bench: Bench, request: Request, generation: Generation, logprob: float | None, bounds: CoherenceBounds
    ) -> Trial:
        note, text = request.note, bench.model.text(generation.tokens)
        drift = read_drift(text, note["topic"], bench.materials)
        return Trial(
            experiment=self.name(),
            model=bench.model.name,
            item=request.item,
            cluster=f"random {note['draw']}" if note["draw"] is not None else request.item,
            split=note["split"],
            condition=note["condition"],
            strength=note["strength"],
            draw=note["draw"],
            replicate=request.replicate,
            prompt=bench.model.text(request.prompt),
            text=text,
            tokens=generation.tokens,
            readings={
                "logprob_unsteered": logprob,
                "off_share": drift.off_share,
                "late_off_share": drift.late_off_share,
            },
            outcomes={
                "incoherent": bounds.incoherent(logprob, generation.tokens, text),
                "intruded": drift.intruded,
                "announced": drift.announced,
                "announced_first": drift.announced_first,
                "returned": drift.returned,
            },
            receipts=generation.receipts,
        )

    def _damage(self, bench: Bench, rig: _Rig) -> Iterator[Trial]:
        """What the same pushes do to questions that have nothing to do with topics."""
        questions = bench.materials.pick("calibrate", limit=self.neutral)
        topics, at = sorted(rig.directions), self.verdict_strength

        def pushed(index: int, draw: int | None) -> Intervention:
            fitted = rig.directions[topics[index % len(topics)]]
            return rig.push(fitted if draw is None else random_like(fitted, draw), at)

        yield from damage_trials(bench, self.name(), at, questions, pushed, draws=self.random_directions)

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        return analysis.findings(trials, self.verdict_strength)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments._resistance.figures import draw

        return draw(findings, self.verdict_strength)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """Twelve topics pushed towards, six texts each and per condition: pushed texts leave the topic, and announce it
        more often than random pushes do by `effect` times 0.8."""
        return simulated(self.name(), self.verdict_strength, effect, seed, fault)


def _finished(pair: tuple[Request, Generation]) -> Text:
    request, generation = pair
    return Text.written(request.prompt, generation.tokens, f"{request.item} #{request.replicate}")


def _logprobs(bench: Bench, written: Sequence[tuple[Request, Generation]]) -> list[float | None]:
    """How likely the unsteered model finds the sentences of each text, asked for both topics."""
    asked = [(bench.model.ids([user(request.note["both"])]), generation.tokens) for request, generation in written]
    return sentence_logprobs(bench.model, asked, bench.materials.wording.announcement, batch_size=bench.batch_size)
