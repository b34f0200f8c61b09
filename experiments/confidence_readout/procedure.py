"""What is done with the model: how much is written, and every trial."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.confidence_readout.experiment import ConfidenceReadout
from experiments.shared.elicitation import embeddings, said
from introlab.activations.extract import Activations, read
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.experiment.context import Bench
from introlab.generation.requests import Generation, Request
from introlab.generation.sampling import GREEDY
from introlab.network.messages import user
from introlab.network.sites import Site
from introlab.records.size import Size
from introlab.records.trial import Trial
from introlab.tasks.materials import SPLITS, Question, Split
from probes.linear.baselines import numbers_only, text_only
from probes.linear.fit import fit_best, fit_probe, shuffled_scores
from probes.text.confidence import find_answer

ANSWER_ROOM = 12


@dataclass(frozen=True)
class _Case:
    """A question, answered: where the answer stands, whether it is right, what was read beside it."""

    question: Question
    prompt: tuple[int, ...]
    generation: Generation
    at: int | None
    right: bool | None
    readings: dict[str, float | None]

    @property
    def position(self) -> int:
        """Absolute position that predicts the answer (or the first new token, where there is no answer)."""
        return len(self.prompt) - 1 + (self.at or 0)

    def text(self) -> Text:
        return Text.written(self.prompt, self.generation.tokens, self.question.id)


def size(experiment: ConfidenceReadout, bench: Bench) -> Size:
    texts = sum(len(_questions(experiment, bench, split)) for split in SPLITS)
    return Size(texts, texts * ANSWER_ROOM)


def trials(experiment: ConfidenceReadout, bench: Bench) -> Iterator[Trial]:
    cases: dict[Split, list[_Case]] = {}
    for split in ("extract", "calibrate"):
        cases[split] = _answered(experiment, bench, split)
        yield from (_trial(experiment, bench, case, split) for case in cases[split])
    readers = _readers(experiment, bench, cases["extract"], cases["calibrate"])
    cases["test"] = _answered(experiment, bench, "test")
    for case, extra in zip(cases["test"], readers(cases["test"]), strict=True):
        yield _trial(experiment, bench, case, "test", extra)


def _questions(experiment: ConfidenceReadout, bench: Bench, split: Split) -> list[Question]:
    return bench.materials.evenly(
        split, {"extract": experiment.fit, "calibrate": experiment.tune, "test": experiment.test}[split]
    )


def _answered(experiment: ConfidenceReadout, bench: Bench, split: Split) -> list[_Case]:
    model, wording = bench.model, bench.materials.wording
    requests = [
        Request(
            tuple(model.ids([user(one.text)], room=ANSWER_ROOM)),
            one.id,
            max_new=ANSWER_ROOM,
            sampling=GREEDY,
            note=one,
        )
        for one in _questions(experiment, bench, split)
    ]
    found = []
    for request, generation in bench.generate(requests, stage=f"answers, {split} questions"):
        answer = find_answer(model, generation.tokens, wording)
        found.append((request, generation, answer))
    found.sort(key=lambda each: each[0].item)  # the order of work must not matter further on
    stated = said(bench, [(request.note, model.text(generation.tokens)) for request, generation, _ in found])
    return [
        _Case(
            question=request.note,
            prompt=request.prompt,
            generation=generation,
            at=answer.token if answer else None,
            right=answer.answer == request.note.answer.lower() if answer else None,
            readings={
                "token_confidence": float(np.exp(generation.logprobs[answer.token])) if answer else None,
                **words,
            },
        )
        for (request, generation, answer), words in zip(found, stated, strict=True)
    ]


def _readers(experiment: ConfidenceReadout, bench: Bench, extract: Sequence[_Case], calibrate: Sequence[_Case]):
    """Fit the probe and all its baselines; returns what reads them off other cases."""
    extract = [case for case in extract if case.right is not None]
    calibrate = [case for case in calibrate if case.right is not None]
    right = [bool(case.right) for case in extract]
    if len(set(right)) < 2 or not calibrate:
        raise InputError(
            f"{bench.model.name} never answers, or is always right or always wrong: a probe needs both classes",
            given=f"{len(right)} of {experiment.fit} questions answered, {sum(right)} right",
            do="use questions it can sometimes answer, in a wording it follows: see docs/materials.md",
        )
    groups = [case.question.group for case in extract]
    sites = [Site(layer) for layer in range(bench.model.n_layers)]
    train, tune = _activations(experiment, bench, extract, sites), _activations(experiment, bench, calibrate, sites)
    tuned = [bool(case.right) for case in calibrate]
    probe = fit_best([train[site] for site in sites], right, [tune[site] for site in sites], tuned, model=bench.model)
    site = probe.direction.site
    embedding = fit_probe(embeddings(bench, [case.text() for case in extract]), right, model=bench.model)

    def readings(cases: Sequence[_Case]) -> list[dict[str, object]]:
        probe.direction.check_unseen([case.question.id for case in cases])
        here = _activations(experiment, bench, cases, [site])
        columns = {
            "probed_confidence": probe(here[site]).tolist(),
            "embedding": embedding(embeddings(bench, [case.text() for case in cases])).tolist(),
            "text_only": text_only([c.question.text for c in extract], right, [c.question.text for c in cases]),
            "length": numbers_only([len(c.prompt) for c in extract], right, [len(c.prompt) for c in cases]),
            "position": numbers_only([c.position for c in extract], right, [c.position for c in cases]),
            "shuffled_labels": shuffled_scores(
                train[site], right, groups, here[site], model=bench.model, count=experiment.shuffles
            ),
            "probe_layer": [site.layer] * len(cases),
        }
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    return readings


def _activations(
    experiment: ConfidenceReadout, bench: Bench, cases: Sequence[_Case], sites: Sequence[Site]
) -> dict[Site, Activations]:
    read_off = read(
        bench.model,
        [case.text() for case in cases],
        sites,
        [[case.position] for case in cases],
        batch_size=bench.batch_size,
    )
    return {site: values for (site, _), values in read_off.items()}


def _trial(
    experiment: ConfidenceReadout, bench: Bench, case: _Case, split: Split, extra: dict[str, object] | None = None
) -> Trial:
    return Trial(
        experiment=experiment.trial_name(),
        model=bench.model.name,
        item=case.question.id,
        cluster=case.question.group,
        split=split,
        condition="baseline",
        prompt=bench.model.text(case.prompt),
        text=bench.model.text(case.generation.tokens),
        tokens=case.generation.tokens,
        readings={**case.readings, **(extra or {}), **case.generation.per_token()},
        outcomes={"right": case.right, "kind": case.question.kind, "level": case.question.level},
    )
