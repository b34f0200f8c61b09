"""Off-topic detectors by both published procedures, and the same scenes with them, or random latents, silenced."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from experiments.endogenous_resistance.conditions import Told, scene, scenes
from experiments.endogenous_resistance.parts import ABLATION
from experiments.endogenous_resistance.setup import Setup
from experiments.endogenous_resistance.strength_search import Pushed
from experiments.shared.generations import Written
from introlab.activations.forward import Text
from introlab.generation.requests import Request
from introlab.interventions.interfaces import Intervention
from introlab.records.trial import Trial
from probes.sae.latent_probes import matched_at_random
from probes.sae.latent_search import by_contrast, observe, silent_elsewhere
from steering.sae_edits import Silence


@dataclass(frozen=True)
class Detectors:
    """Latents found by each procedure, best first."""

    silent: tuple[int, ...]
    """Silent on every response after its own prompt, active on most after another's (the code as published)."""
    contrast: tuple[int, ...]
    """Larger on texts that corrected themselves than on unsteered ones (as the published 26 were found)."""

    unseen: tuple[tuple[int, ...], tuple[int, ...]]
    """By contrast again, for scenes of even and of odd latents: each found on those of the others, as a latent that is
    found on the scenes it is tested on is a choice of outcomes."""

    @property
    def all(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys((*self.silent, *self.contrast)))

    @property
    def by_name(self) -> dict[str, tuple[int, ...]]:
        even, odd = self.unseen
        return {
            "silent elsewhere": self.silent,
            "contrast": self.contrast,
            "contrast, for even": even,
            "contrast, for odd": odd,
        }

    @property
    def arms(self) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        """By condition, what is silenced in scenes of even and of odd latents; only where something was found."""
        every = {
            ABLATION("silent elsewhere"): (self.silent, self.silent),
            ABLATION("contrast"): (self.contrast, self.contrast),
            ABLATION("contrast, on other scenes"): self.unseen,
        }
        return {name: sides for name, sides in every.items() if all(sides)}

    def trials(self, setup: Setup) -> Iterator[Trial]:
        """What was found, for the record."""
        for name, latents in self.by_name.items():
            yield Trial(
                experiment=setup.experiment,
                model=setup.bench.model.name,
                item=name,
                cluster=name,
                split="extract",
                condition="detectors",
                readings={"latents": list(latents)},
            )


def detectors_of(setup: Setup, own: Sequence[Written], told: Told, most: int) -> Detectors:
    """Both procedures. The second needs texts that corrected themselves, and finds nothing without."""
    even, odd = ([pair for pair in told if pushed_latent(pair[1]) % 2 == side] for side in (0, 1))
    return Detectors(
        tuple(_silent(setup, own)[:most]),
        tuple(_contrast(setup, told, most)),
        (tuple(_contrast(setup, odd, most)), tuple(_contrast(setup, even, most))),
    )


def pushed_latent(trial: Trial) -> int:
    """Of a scene, in whatever condition."""
    return int(trial.cluster.split()[-1])


def _silent(setup: Setup, own: Sequence[Written]) -> list[int]:
    """As published: each latent's largest value over all tokens of prompt and response, responses after their own
    prompts and each after that of another topic."""
    bench = setup.bench
    alone = [pair for pair in own if pair[0].note["condition"] == "baseline"]
    topics = sorted({request.note["topic"] for request, _ in alone})
    away = int(np.random.default_rng(bench.seed).integers(1, len(topics)))
    prompts = {topic: [request.prompt for request, _ in alone if request.note["topic"] == topic] for topic in topics}
    texts, truth = [], []
    for request, generation in alone:
        lenders = prompts[topics[(topics.index(request.note["topic"]) + away) % len(topics)]]
        other = lenders[request.replicate % len(lenders)]
        for prompt, wrong in ((request.prompt, False), (other, True)):
            texts.append(Text.written(prompt, generation.tokens, f"{request.item} #{request.replicate} {wrong}"))
            truth.append(wrong)
    spans = [(0, len(text.ids)) for text in texts]
    items = [text.example for text in texts]
    return silent_elsewhere(
        observe(bench.model, setup.sae, texts, spans, truth, items, batch_size=setup.reading), active=0.8
    )


def _contrast(setup: Setup, told: Told, most: int) -> list[int]:
    success = [(request, trial) for request, trial in told if trial.condition == "push" and trial.outcomes["improved"]]
    plain = [(request, trial) for request, trial in told if trial.condition == "baseline"]
    if not success or not plain:
        return []
    texts = [as_written(request, trial) for request, trial in (*success, *plain)]
    seen = observe(
        setup.bench.model,
        setup.sae,
        texts,
        [(text.prompt_len, len(text.ids)) for text in texts],
        [index < len(success) for index in range(len(texts))],
        [text.example for text in texts],
        batch_size=setup.reading,
    )
    pushed = {pushed_latent(trial) for _, trial in told}
    return [latent for latent in by_contrast(seen, count=most + len(pushed)) if latent not in pushed][:most]


def as_written(request: Request, trial: Trial) -> Text:
    """A text with what was done while it was written."""
    return Text((*request.prompt, *trial.tokens), len(request.prompt), trial.id, request.interventions)


def ablated(
    setup: Setup,
    pushed: Sequence[Pushed],
    prompts: int,
    found: Detectors,
    frequency: Float[Tensor, " latent"],
    sets: int,
    detectors: bool,
) -> Iterator[Trial]:
    """Every scene pushed as before, with latents silenced at the same place at every position: the detectors of each
    procedure, and `sets` sets of random latents as frequent. Where no detectors were found, random sets are as large as
    the publication's and drawn from all that are ever active."""
    arms: list[tuple[str, int | None, tuple[Sequence[int], Sequence[int]]]] = [
        (name, None, sides) for name, sides in found.arms.items() if detectors
    ]
    rng = np.random.default_rng(setup.bench.seed)
    for draw in range(sets):
        active = frequency.nonzero()[:, 0].tolist()
        alike = matched_at_random(found.all, frequency, rng) if found.all else rng.choice(active, 26, False).tolist()
        arms.append(("random_ablation", draw, (alike, alike)))
    requests = []
    for condition, draw, sides in arms:
        for each, topic in scenes(setup, pushed, prompts):
            left = tuple(latent for latent in sides[each.latent.index % 2] if latent != each.latent.index)
            push = setup.push(each.latent.index, each.strength)
            # First silenced, then pushed: both then act on what one reading of the residual found, as published.
            silenced = Intervention(Silence(setup.sae.sae, left, setup.sae.name), setup.site, setup.span)
            note: dict[str, Any] = {"part": "ablation", "strength": each.strength, "draw": draw}
            requests.append(scene(setup, each, topic, condition, silenced, push, **note))
    yield from setup.trials(setup.written(requests, "texts with latents silenced"))
