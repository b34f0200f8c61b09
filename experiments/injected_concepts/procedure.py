"""What is done with the model: how much is written, where and how strongly is best on other concepts, every trial."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from experiments.injected_concepts.design import Asking, InjectionPlan
from experiments.injected_concepts.experiment import InjectedConcepts
from experiments.injected_concepts.labels import DETECT, RANDOM, TARGET, UNRELATED
from experiments.injected_concepts.prompts import InjectionPrompts
from experiments.injected_concepts.readings import asked_of, named_freely
from experiments.injected_concepts.regulation import regulated, tokens_of_regulation
from experiments.injected_concepts.requests import InjectionDirections, dialogue, request_of
from experiments.shared.concept_vectors import concept_vectors
from experiments.shared.detection_rates import beyond, by_unit, difference_in_differences, rate
from experiments.shared.reading_amounts import mean_tokens
from introlab.activations.directions import Direction
from introlab.experiment.context import RunContext
from introlab.network.answer_tokens import answer_tokens
from introlab.network.messages import user
from introlab.network.sites import Site
from introlab.records.size import Size
from introlab.records.trial import Trial

ANALYSIS = 6.0
"""Seconds of intervals and report, as seen on organisms."""
MOST_UNUSABLE = 0.5
"""Share of answers without enough mass at which a place and strength is not chosen."""
STEP = 0.05
"""Of a share of yes: less is no reason to choose."""


def size(experiment: InjectedConcepts, bench: RunContext) -> Size:
    plan = plan_of(experiment, bench)
    layers, strengths = grid(experiment, bench)
    searched = list(plan.searching(layers, strengths)) if searches(experiment) else []
    askings, freely = [*searched, *_read_once(plan)], list(plan.naming())
    prompt = mean_tokens(bench, [dialogue(one) for one in [*askings, *freely]])
    prompts, texts = plan.prompts, len(askings) + len(freely)
    words = (*plan.tuned, *plan.tested, *prompts.yes_no, *prompts.baseline_words)
    contexts = [[user(context.format(word=word))] for word in words for context in prompts.contexts]
    read = prompt * texts + mean_tokens(bench, contexts) * len(contexts)
    return Size(
        texts,
        len(askings) + len(freely) * experiment.max_new,
        read=round(read + tokens_of_regulation(bench, plan)),
        seconds=ANALYSIS,
    )


def trials(experiment: InjectedConcepts, bench: RunContext) -> Iterator[Trial]:
    plan, name = plan_of(experiment, bench), experiment.trial_name()
    layers, strengths = grid(experiment, bench)
    rig = _rig(experiment, bench, plan, layers, strengths)
    if searches(experiment):
        askings = list(plan.searching(layers, strengths))
        found = list(asked_of(bench, name, rig, plan.prompts, askings, "layers and strengths"))
        yield from found
        layer, strength = best(found, (rig.layer, rig.strength))
        rig = replace(rig, layer=layer, strength=strength)
    yield from asked_of(bench, name, rig, plan.prompts, _read_once(plan), "answers")
    requests = [request_of(bench, rig, one, experiment.max_new) for one in plan.naming()]
    written = sorted(bench.generate(requests, stage="free replies"), key=lambda pair: _place(pair[0].note["asking"]))
    yield from named_freely(bench, name, plan.prompts, written)
    yield from regulated(bench, name, rig, plan)


def plan_of(experiment: InjectedConcepts, bench: RunContext) -> InjectionPlan:
    """Raises InputError for files that cannot be used."""
    prompts = InjectionPrompts.of(bench.materials, concepts=experiment.concepts, questions=experiment.questions)
    return InjectionPlan.of(
        prompts, experiment.tune, experiment.test, experiment.random_directions, experiment.wordings
    )


def grid(experiment: InjectedConcepts, bench: RunContext) -> tuple[list[int], list[float]]:
    """Blocks and strengths that are tried: those given, or shares of the depth and of the residual norm."""
    count = bench.model.n_layers
    layers = sorted({min(count - 1, round(depth * count)) for depth in experiment.depths})
    if experiment.layer is not None:
        bench.model.check_site(Site(experiment.layer))
        layers = [experiment.layer]
    return layers, [experiment.strength] if experiment.strength is not None else sorted(experiment.strengths)


def searches(experiment: InjectedConcepts) -> bool:
    """Whether layer and strength are to be found."""
    return experiment.layer is None or experiment.strength is None


def best(trials: Sequence[Trial], otherwise: tuple[int, float]) -> tuple[int, float]:
    """The block and strength at which concepts make it say yes most beyond random directions, and beyond always-no
    questions too (the lesser of the two), among those where both intervals lie above 0. Where there are none: where
    concepts raise yes most, in steps of STEP, and of these the weakest. Where it does not answer at all, `otherwise`.
    """
    detected: dict[tuple[int, float], float] = {}
    raised: dict[tuple[int, float], tuple[int, float, int]] = {}
    for layer, strength in sorted({(t.readings["layer"], t.strength) for t in trials if t.strength}):
        here = [t for t in trials if (t.readings["layer"], t.strength) == (layer, strength)]
        if sum(t.outcomes["usable"] for t in here) <= (1 - MOST_UNUSABLE) * len(here):
            continue
        target, target_no, stray, stray_no = (
            by_unit([t for t in here if (t.outcomes["asked"], t.outcomes["arm"]) == cell])
            for cell in ((DETECT, TARGET), (UNRELATED, TARGET), (DETECT, RANDOM), (UNRELATED, RANDOM))
        )
        found = (beyond(target, stray), difference_in_differences(target, target_no, stray, stray_no))
        if all(each.above(0) for each in found):
            detected[layer, strength] = round(min(each.value or 0.0 for each in found), 3)
        raised[layer, strength] = (-round((rate(target).value or 0.0) / STEP), strength, layer)
    if detected:
        return max(detected, key=lambda place: (detected[place], -place[1], -place[0]))
    return min(raised, key=raised.__getitem__) if raised else otherwise


def _rig(
    experiment: InjectedConcepts,
    bench: RunContext,
    plan: InjectionPlan,
    layers: Sequence[int],
    strengths: Sequence[float],
) -> InjectionDirections:
    """At the middle of the grid, until a better place is found."""
    prompts = plan.prompts
    words = (*plan.tuned, *plan.tested, *prompts.yes_no)
    vectors = concept_vectors(
        bench, words, prompts.baseline_words, prompts.contexts, layers, read_at=experiment.read_at
    )
    axes = {layer: _yes_axes(bench, known, prompts) for layer, known in vectors.directions.items()}
    return InjectionDirections(vectors, axes, layers[len(layers) // 2], strengths[len(strengths) // 2], bench.seed)


def _yes_axes(bench: RunContext, known: Mapping[str, Direction], prompts: InjectionPrompts) -> tuple[Tensor, Tensor]:
    """From no to yes, as words are read and as they are written; the former alone where a model has no single token for
    one of them (it cannot be asked then, and its verdict is *cannot tell*)."""
    yes, no = prompts.yes_no
    read = known[yes].vector - known[no].vector
    ids = [answer_tokens(bench.model, word) for word in (yes, no)]
    return read, bench.model.word_axis(ids[0]) - bench.model.word_axis(ids[1]) if all(ids) else read


def _read_once(plan: InjectionPlan) -> list[Asking]:
    """All whose answer is read from the mass of one token."""
    return [*plan.testing(), *plan.choosing(), *plan.placing(), *plan.owning()]


def _place(one: Asking) -> tuple[str, int, str, int]:
    return one.arm, one.variant, one.concept or "", -1 if one.draw is None else one.draw
