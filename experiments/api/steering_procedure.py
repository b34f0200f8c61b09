"""What a steering experiment does with the model: how much is written, and every trial."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.api.contrasts import random_direction
from experiments.api.steering_experiment import SteeringExperiment
from experiments.api.texts import site_of
from introlab.activations.directions import Direction, difference_of_means
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.generation.requests import Generation, Request
from introlab.generation.sampling import Sampling
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from introlab.records.size import Size
from introlab.records.trial import Trial
from probes.text.coherence import CoherenceBounds, compression, redundancy
from steering.contrast import mean_over_completion
from steering.edits import steer_along
from steering.strength import typical_norm


@dataclass(frozen=True)
class _Cell:
    """What is done to a prompt, for the trial."""

    split: str
    condition: str
    strength: float = 0.0
    draw: int | None = None
    prompt: str = ""


def size(experiment: SteeringExperiment, bench: RunContext) -> Size:
    """Of the prompts, conditions and draws that are declared."""
    _check(experiment)
    tested = len(experiment.prompts) * (2 + len(experiment.strengths))
    texts = len(experiment.positive) + len(experiment.negative) + tested + len(_drawn(experiment))
    return Size(texts, texts * experiment.max_new)


def trials(experiment: SteeringExperiment, bench: RunContext) -> Iterator[Trial]:
    """Answers the direction is fitted on, then every condition on every prompt."""
    _check(experiment)
    fitted_on = [_request(experiment, bench, prompt, _Cell("extract", "positive")) for prompt in experiment.positive]
    fitted_on += [_request(experiment, bench, prompt, _Cell("extract", "negative")) for prompt in experiment.negative]
    written = _written(bench, fitted_on, "answers to fit the direction on")
    yield from (_trial(experiment, bench, request, generation, None) for request, generation in written)
    direction, norm = _direction(experiment, bench, written)
    plain = _written(
        bench,
        [_request(experiment, bench, each, _Cell("test", "baseline")) for each in experiment.prompts],
        "unsteered",
    )
    bounds = CoherenceBounds(
        float("-inf"),
        max(redundancy(generation.tokens) for _, generation in plain),
        max(compression(bench.model.text(generation.tokens)) for _, generation in plain),
    )
    steered = _written(bench, _steered(experiment, bench, direction, norm), "steered, and asked in words")
    yield from (_trial(experiment, bench, *each, bounds) for each in (*plain, *steered))


def _check(experiment: SteeringExperiment) -> None:
    sides = {"positive": experiment.positive, "negative": experiment.negative, "prompts": experiment.prompts}
    empty = [name for name, prompts in sides.items() if not prompts or isinstance(prompts, str)]
    if empty:
        raise InputError(
            "an experiment without prompts",
            given=f"{experiment.name()}: {', '.join(empty)}",
            allowed="a tuple of at least one prompt each",
            do=f'write {empty[0]} = ("...", "...")',
        )
    both = set(experiment.prompts) & {*experiment.positive, *experiment.negative}
    if both or set(experiment.positive) & set(experiment.negative):
        raise InputError(
            "prompts that are used twice",
            given=", ".join(sorted(both or set(experiment.positive) & set(experiment.negative)))[:120],
            allowed="prompts of one side, and others to test on",
            do="test on prompts that the direction was not fitted on",
        )
    if not experiment.strengths or 0 in experiment.strengths or experiment.random_directions < 1:
        raise InputError(
            "steering at no strength, or without random directions",
            given=f"strengths {experiment.strengths}, random_directions {experiment.random_directions}",
            allowed="strengths other than 0, at least one random direction",
            do="leave strength 0 out: it is the baseline",
        )


def _drawn(experiment: SteeringExperiment) -> list[tuple[int, str]]:
    """The prompts each random direction is tried on, spread over all of them."""
    count, prompts = min(experiment.per_direction, len(experiment.prompts)), experiment.prompts
    return [
        (draw, prompts[(draw * count + index) % len(prompts)])
        for draw in range(experiment.random_directions)
        for index in range(count)
    ]


def _request(
    experiment: SteeringExperiment, bench: RunContext, prompt: str, cell: _Cell, *interventions: Intervention
) -> Request:
    words = f"{prompt} {experiment.request}" if cell.condition == "prompting" else prompt
    return Request(
        tuple(bench.model.ids([user(words)], room=experiment.max_new)),
        prompt,
        interventions=interventions,
        max_new=experiment.max_new,
        sampling=Sampling(temperature=experiment.temperature),
        note=_Cell(cell.split, cell.condition, cell.strength, cell.draw, prompt),
    )


def _written(bench: RunContext, requests: Sequence[Request], stage: str) -> list[tuple[Request, Generation]]:
    """In the order of the requests, whatever the order of work."""
    written = {_key(request): (request, generation) for request, generation in bench.generate(requests, stage=stage)}
    return [written[_key(request)] for request in requests]


def _key(request: Request) -> tuple[object, ...]:
    note = request.note
    return note.prompt, note.split, note.condition, note.strength, note.draw


def _direction(
    experiment: SteeringExperiment, bench: RunContext, written: Sequence[tuple[Request, Generation]]
) -> tuple[Direction, float]:
    """The direction of the answers, and the norm of the residual where they end."""
    texts = [Text.written(request.prompt, generation.tokens, request.item) for request, generation in written]
    positive = [request.note.condition == "positive" for request, _ in written]
    site = site_of(bench.model, experiment.layer)
    values = mean_over_completion(bench.model, texts, site, batch_size=bench.batch_size)
    direction = difference_of_means(
        values.where(positive), values.where([not each for each in positive]), model=bench.model
    )
    direction.check_held_out(experiment.prompts)
    return direction, typical_norm(bench.model, texts, site, batch_size=bench.batch_size)


def _steered(experiment: SteeringExperiment, bench: RunContext, direction: Direction, norm: float) -> list[Request]:
    def push(along: Direction, strength: float) -> Intervention:
        return steer_along(along, natural=strength, residual_norm=norm)

    requests = [
        _request(experiment, bench, prompt, _Cell("test", "push", strength), push(direction, strength))
        for prompt in experiment.prompts
        for strength in experiment.strengths
    ]
    at = experiment.verdict_strength
    requests += [
        _request(experiment, bench, prompt, _Cell("test", "random_direction", at, draw), push(stray, at))
        for draw, prompt in _drawn(experiment)
        for stray in [random_direction(direction, draw)]
    ]
    return requests + [_request(experiment, bench, prompt, _Cell("test", "prompting")) for prompt in experiment.prompts]


def _trial(
    experiment: SteeringExperiment,
    bench: RunContext,
    request: Request,
    generation: Generation,
    bounds: CoherenceBounds | None,
) -> Trial:
    note, text = request.note, bench.model.text(generation.tokens)
    return Trial(
        experiment=experiment.trial_name(),
        model=bench.model.name,
        item=note.prompt,
        cluster=note.prompt,
        split=note.split,
        condition=note.condition,
        strength=note.strength,
        draw=note.draw,
        prompt=bench.model.text(request.prompt),
        text=text,
        tokens=generation.tokens,
        readings=dict(generation.per_token()),
        outcomes={
            "measure": _measured(experiment, text),
            "degenerate": bounds.incoherent(0.0, generation.tokens, text) if bounds else None,
        },
        receipts=generation.receipts,
    )


def _measured(experiment: SteeringExperiment, text: str) -> float | None:
    value = experiment.measure(text)
    if value is not None and not 0 <= float(value) <= 1:
        raise InputError(
            "a measure outside its range",
            given=f"{value} of {text[:60]!r}",
            allowed="a number from 0 to 1, True or False, or None where it cannot be told",
            do="scale what `measure` returns",
        )
    return None if value is None else float(value)
