"""What is done with the model: how much is written, and every trial."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.endogenous_resistance.ablation import ablated, detectors_of
from experiments.endogenous_resistance.conditions import Told, meta_prompted, steered, swept
from experiments.endogenous_resistance.experiment import EndogenousResistance
from experiments.endogenous_resistance.finetuning import finetuned
from experiments.endogenous_resistance.judging import judged
from experiments.endogenous_resistance.latent_selection import (
    Seen,
    choose,
    known_by_texts,
    labelled,
    observe_topics,
    top_latents_on,
)
from experiments.endogenous_resistance.latent_timecourse import aligned, episode
from experiments.endogenous_resistance.lora import Tuning
from experiments.endogenous_resistance.parts import Part
from experiments.endogenous_resistance.setup import Setup
from experiments.endogenous_resistance.strength_search import LatentSearch, Pushed, find_strengths
from experiments.shared.choices import chosen
from experiments.shared.generations import Written, finished
from experiments.shared.reading_amounts import mean_tokens
from experiments.shared.side_effects import damage_trials
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.generation.sampling import Sampling
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from introlab.network.model import load
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.records.size import Size
from introlab.records.trial import Trial
from probes.sae.model import Sae
from steering.strength import typical_norm
from steering.strength_search import Plan, Prior

ASKED = 8
"""Tokens of a prompt beside its topics."""
ANALYSIS = 5.0
"""Seconds of intervals and report, as seen on organisms."""


def has(experiment: EndogenousResistance, part: Part) -> bool:
    return bool({part, "all"} & set(experiment.parts))


def size(experiment: EndogenousResistance, bench: RunContext) -> Size:
    """At most: fewer latents may pass the filters, and no detectors may be found."""
    scenes = experiment.latents * min(experiment.prompts, len(bench.materials.lab_topics) - 1)
    own = experiment.own_texts * len(bench.materials.topics) + experiment.own_texts * len(bench.materials.lab_topics)
    found = experiment.latents * _plan(experiment, len(bench.materials.lab_topics) - 1).texts
    arms = 4 + experiment.levels * has(experiment, "sweep") + 4 * has(experiment, "meta_prompts")
    arms += 3 * has(experiment, "detectors") + experiment.random_sets * has(experiment, "random_ablation")
    tuned = len(experiment.mixes) * has(experiment, "finetuning")
    texts = own + found + arms * scenes + tuned * (found + scenes)
    prompt = mean_tokens(bench, [[user(f"{topic} and {topic}")] for topic in bench.materials.lab_topics]) + ASKED
    return Size(
        texts,
        texts * experiment.max_new,
        read=round(prompt * (2.5 * texts + 4 * experiment.neutral)),
        read_again=round(1.5 * texts * experiment.max_new),
        seconds=ANALYSIS,
    )


def trials(experiment: EndogenousResistance, bench: RunContext) -> Iterator[Trial]:
    setup, own = _setup(experiment, bench)
    yield setup.transfer()
    yield from setup.trials(own)
    seen = _seen(experiment, setup, own)
    prompts = {topic: setup.prompt(topic, "test") for topic in setup.topics}
    loudest = top_latents_on(bench.model, setup.sae, prompts, setup.reading)
    known = labelled(Path(experiment.labels)) if experiment.labels else known_by_texts(seen, bench.materials)
    chosen = choose(
        known, loudest, count=experiment.latents, concreteness=experiment.concreteness, seed=experiment.seed
    )
    pushed, searched = find_strengths(setup, chosen, _search(experiment, setup))
    yield from searched
    told = steered(setup, pushed, experiment.prompts, experiment.random_directions)
    yield from (trial for _, trial in told)
    yield from _damage(experiment, setup, pushed)
    yield from _other_parts(experiment, setup, pushed, seen, own, told)


def _other_parts(
    experiment: EndogenousResistance,
    setup: Setup,
    pushed: Sequence[Pushed],
    seen: Seen,
    own: Sequence[Written],
    told: Told,
) -> Iterator[Trial]:
    if has(experiment, "judges"):
        yield from judged(setup, told, experiment.judged, experiment.hosted_judges)
    if has(experiment, "sweep"):
        yield from swept(setup, pushed, experiment.prompts, experiment.levels)
    if has(experiment, "meta_prompts"):
        yield from meta_prompted(setup, pushed, experiment.prompts)
    if any(has(experiment, part) for part in ("detectors", "random_ablation", "episode", "alignment")):
        found = detectors_of(setup, own, told, experiment.detectors)
        yield from found.trials(setup)
        sets = experiment.random_sets if has(experiment, "random_ablation") else 0
        yield from ablated(setup, pushed, experiment.prompts, found, seen.frequency, sets, has(experiment, "detectors"))
        if has(experiment, "episode"):
            yield from episode(setup, told, found)
        if has(experiment, "alignment"):
            yield from aligned(setup, told, found)
    if has(experiment, "finetuning"):
        tuning = Tuning(experiment.tuning_rows, experiment.tuning_epochs, experiment.tuning_rate, experiment.seed)
        for mix in experiment.mixes:
            yield from finetuned(
                setup, pushed, own, mix, tuning, _search(experiment, setup), experiment.prompts, experiment.tuning_data
            )


def _search(experiment: EndogenousResistance, setup: Setup) -> LatentSearch:
    return LatentSearch(experiment.target, _plan(experiment, len(setup.topics) - 1), experiment.guarded)


def _plan(experiment: EndogenousResistance, topics: int) -> Plan:
    return Plan(
        Prior(*experiment.bounds, *experiment.prior),
        tuple(f"search {turn}" for turn in range(topics)),
        tuple(f"fresh {turn}" for turn in range(topics)),
        steps=experiment.steps,
        per_step=experiment.per_step,
        per_fresh=1,
    )


def sae_spec(experiment: EndogenousResistance, bench: RunContext) -> str:
    """Raises InputError where neither the user nor the materials name an autoencoder."""
    spec = chosen(bench, experiment.name(), "sae", experiment.sae)
    if spec is None:
        raise InputError(
            "which autoencoder?",
            given=f"no --sae, and {bench.materials.folder / 'wording.json'} names none",
            allowed="a folder, RELEASE:SAE_ID of sae-lens' registry, or one the lab ships",
            do="introlab saes train makes one",
        )
    return spec


def _setup(experiment: EndogenousResistance, bench: RunContext) -> tuple[Setup, list[Written]]:
    """With unsteered texts: about pairs of topics, by which latents are known, and to the prompts of the search."""
    read = Sae.load(sae_spec(experiment, bench), model=bench.model)
    setup = Setup(
        bench,
        experiment.trial_name(),
        read,
        read.site if experiment.layer is None else Site(experiment.layer),
        Span.parse(experiment.span),
        Sampling(temperature=experiment.temperature, repetition_penalty=experiment.repetition_penalty),
        experiment.max_new,
        bench.materials.lab_topics,
    )
    bench.model.check_site(setup.site, write=True)
    topics = sorted(bench.materials.topics)
    requests = []
    for topic, other in zip(topics, [*topics[1:], topics[0]], strict=True):
        for turn in range(experiment.own_texts):
            prompt = setup.both(setup.prompt(topic, ("search", "fresh")[turn % 2]), other)
            note = {"condition": "prompting", "split": "extract", "cluster": topic, "part": "own texts"}
            requests.append(setup.request(prompt, topic, f"both: {prompt}", replicate=turn, label=other, **note))
    for topic in setup.topics:
        for turn in range(experiment.own_texts):
            prompt = setup.prompt(topic, ("search", "fresh")[turn % 2])
            note = {"condition": "baseline", "split": "calibrate", "cluster": topic, "part": "own texts"}
            requests.append(setup.request(prompt, topic, f"alone: {prompt}", replicate=turn, **note))
    own = setup.written(requests, "unsteered texts")
    norm = typical_norm(bench.model, list(map(finished, own)), setup.site, batch_size=bench.batch_size)
    return replace(setup, norm=norm).bounded(own), own


def _seen(experiment: EndogenousResistance, setup: Setup, own: Sequence[Written]) -> Seen:
    """A shipped autoencoder's latents are known by what they are in the organism it was trained on, as published
    ones of a base model are by their labels there."""
    bench, read = setup.bench, setup.sae
    spec = sae_spec(experiment, bench)
    trained_on = spec.split("/")[0]
    model = bench.model
    if trained_on.startswith("organism:") and trained_on != model.name:
        model = load(trained_on, device=str(model.device), deterministic=model.deterministic)
        read = Sae.load(spec, model=model)
    return observe_topics(model, read, list(map(finished, own)), bench.materials, setup.reading)


def _damage(experiment: EndogenousResistance, setup: Setup, pushed: Sequence[Pushed]) -> Iterator[Trial]:
    """What the same pushes do to questions that have nothing to do with topics. Strengths differ from latent to
    latent: their mean stands for them."""
    questions = setup.bench.materials.pick("calibrate", limit=experiment.neutral, seed=setup.bench.seed)
    mean = sum(each.strength for each in pushed) / len(pushed)

    def push(index: int, draw: int | None) -> Intervention:
        each = pushed[index % len(pushed)]
        how = (each.latent.index, each.strength)
        return setup.push(*how) if draw is None else setup.stray(*how, draw)

    yield from damage_trials(
        setup.bench, experiment.trial_name(), mean, questions, push, draws=experiment.random_directions
    )
