"""The conditions in which texts are written: pushed, not pushed, pushed elsewhere, asked in words, swept, warned."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.endogenous_resistance.parts import META_PROMPT, SWEEP
from experiments.endogenous_resistance.prompts import ResistancePrompts
from experiments.endogenous_resistance.setup import Setup
from experiments.endogenous_resistance.strength_search import Pushed
from introlab.generation.requests import Request
from introlab.interventions.interfaces import Intervention
from introlab.records.trial import Trial

Told = Sequence[tuple[Request, Trial]]
"""Texts with what asked for them."""


def steered(setup: Setup, pushed: Sequence[Pushed], prompts: int, draws: int) -> list[tuple[Request, Trial]]:
    """Every scene pushed, not pushed, pushed along a random direction of equal norm (they take turns), and asked in
    words for what the push does. All share their random numbers."""
    requests = []
    for index, (each, topic) in enumerate(scenes(setup, pushed, prompts)):
        latent, draw = each.latent, index % draws
        asked = setup.both(setup.prompt(topic, "test"), latent.topic)
        requests += [
            scene(setup, each, topic, "baseline"),
            scene(setup, each, topic, "prompting", prompt=asked),
            scene(setup, each, topic, "push", setup.push(latent.index, each.strength), strength=each.strength),
            scene(
                setup,
                each,
                topic,
                "random_direction",
                setup.stray(latent.index, each.strength, draw),
                strength=each.strength,
                draw=draw,
            ),
        ]
    return list(zip(requests, setup.trials(setup.written(requests, "texts with and without a push")), strict=True))


def swept(setup: Setup, pushed: Sequence[Pushed], prompts: int, levels: int) -> Iterator[Trial]:
    """Every scene at strengths that all latents share: from three standard deviations of the found ones below their
    mean to three above, none below 0."""
    strengths = [each.strength for each in pushed]
    mean, spread = float(np.mean(strengths)), float(np.std(strengths))
    requests = []
    for away in np.linspace(-3, 3, levels).tolist():
        strength = max(0.0, mean + away * spread)
        for each, topic in scenes(setup, pushed, prompts):
            push = (setup.push(each.latent.index, strength),) if strength else ()
            name = SWEEP(f"{away:+.2f} sd")
            requests.append(scene(setup, each, topic, name, *push, part="sweep", strength=strength))
    yield from setup.trials(setup.written(requests, "texts of the sweep"))


def meta_prompted(setup: Setup, pushed: Sequence[Pushed], prompts: int) -> Iterator[Trial]:
    """Every scene pushed as hard as before, with a warning after the question."""
    warnings = ResistancePrompts.of(setup.bench.materials).meta_prompts
    requests = []
    for name, warning in warnings.items():
        for each, topic in scenes(setup, pushed, prompts):
            told = warning.format(label=each.latent.topic, topic=topic)
            prompt = f"{setup.prompt(topic, 'test')} {told}"
            push = setup.push(each.latent.index, each.strength)
            note: dict[str, Any] = {"part": "meta_prompts", "strength": each.strength, "prompt": prompt}
            requests.append(scene(setup, each, topic, META_PROMPT(name), push, **note))
    yield from setup.trials(setup.written(requests, "texts with meta-prompts"))


def scene(
    setup: Setup,
    each: Pushed,
    topic: str,
    condition: str,
    *interventions: Intervention,
    prompt: str | None = None,
    **note: Any,
) -> Request:
    """A latent and a topic in one condition. The random numbers are those of latent and topic in all of them."""
    asked = setup.prompt(topic, "test")
    both = setup.both(asked, each.latent.topic)
    told: dict[str, Any] = {**each.note, "both": both, "condition": condition, **note}
    return setup.request(prompt or asked, topic, f"{each.latent.name}: {asked}", *interventions, **told)


def scenes(setup: Setup, pushed: Sequence[Pushed], prompts: int) -> Iterator[tuple[Pushed, str]]:
    """Every latent with the topics that are asked about while it is pushed."""
    for each in pushed:
        for topic in setup.drawn(each.latent, prompts):
            yield each, topic
