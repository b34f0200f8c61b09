"""What a model says that it, or another, would answer: the values of a property, weighed by next-token probability."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.self_prediction.labels import MASS_NEEDED
from experiments.self_prediction.prompts import PredictionPrompts, wordings
from experiments.self_prediction.properties import REGISTRY
from introlab.activations.extract import next_token_logprobs
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.interventions.interfaces import Intervention
from introlab.network.answer_tokens import answer_tokens
from introlab.network.messages import system, user
from introlab.tasks.materials import Question


@dataclass(frozen=True)
class Prediction:
    """What is predicted of a property: a value where one is in kind, and the probability of each."""

    mass: float
    """On all values that can be predicted."""
    shares: Mapping[str, float]
    """Of each value, within that mass."""

    @property
    def value(self) -> str | None:
        """The likeliest; None where the reply is not in kind."""
        return max(self.shares, key=lambda one: self.shares[one]) if self.mass >= MASS_NEEDED and self.shares else None


@dataclass(frozen=True)
class Candidates:
    """The values a property can be predicted to have, by task; those that are one token in the model that is asked."""

    of_task: Mapping[str, Mapping[str, tuple[str, ...]]]

    def forms(self, bench: RunContext, task: str, prompted: str) -> dict[str, tuple[int, ...]]:
        """Values and the tokens they are written as; a token that two values share belongs to neither."""
        values = REGISTRY[prompted].values or self.of_task.get(task, {}).get(prompted, ())
        found = {value: set(answer_tokens(bench.model, value)) for value in values}
        twice = {one for value in found for one in found[value] if sum(one in each for each in found.values()) > 1}
        return {value: tuple(sorted(tokens - twice)) for value, tokens in found.items() if tokens - twice}


Ask = tuple[Question, str, str]
"""A question, its task, and the property asked for."""


def predictions(
    bench: RunContext,
    asks: Sequence[Ask],
    candidates: Candidates,
    *,
    of_other: bool = False,
    told: str | None = None,
    pushes: Sequence[tuple[Intervention, ...]] | None = None,
) -> list[Prediction]:
    """One for each ask, averaged over wordings. `told` is a system turn; `pushes[i]` act, of ask `i`, on the positions
    that predict the model's own words. No prediction (mass 0) where none of the values is a single token."""
    prompts = PredictionPrompts.of(bench.materials)
    table, reply = (
        (prompts.hypothetical_other, prompts.reply_other) if of_other else (prompts.hypothetical, prompts.reply)
    )
    texts: list[Text] = []
    places: list[int] = []
    for index, (question, _, prompted) in enumerate(asks):
        for template in wordings(table, prompted):
            before = [system(told)] if told else []
            messages = [*before, user(template.replace("{question}", question.text))]
            ids, start = bench.model.begun(messages, prefill=reply.get(prompted, ""), room=1)
            push = pushes[index] if pushes else ()
            texts.append(Text(tuple(ids), start, f"{question.id} {prompted} {len(texts)}", push))
            places.append(index)
    if not texts:
        return [Prediction(0.0, {})] * len(asks)
    found: list[list[Prediction]] = [[] for _ in asks]
    forms: dict[tuple[str, str], dict[str, tuple[int, ...]]] = {}
    for start in range(0, len(texts), _HELD):
        log_p = next_token_logprobs(bench.model, texts[start : start + _HELD], batch_size=bench.batch_size)
        for index, row in zip(places[start : start + _HELD], np.exp(log_p.double().numpy()), strict=True):
            task, prompted = asks[index][1:]
            if (task, prompted) not in forms:
                forms[task, prompted] = candidates.forms(bench, task, prompted)
            found[index].append(weighed(row, forms[task, prompted]))
    return [_averaged(each) for each in found]


_HELD = 256
"""Texts whose next-token probabilities are held at once."""


def weighed(probabilities: np.ndarray, forms: Mapping[str, Sequence[int]]) -> Prediction:
    """The probability of each value, summed over the tokens that write it, and of all together."""
    raw = {value: float(probabilities[list(tokens)].sum()) for value, tokens in forms.items()}
    mass = sum(raw.values())
    return Prediction(min(1.0, mass), {value: one / mass for value, one in raw.items()} if mass > 0 else {})


def _averaged(several: Sequence[Prediction]) -> Prediction:
    """Over wordings, each with its mass as weight, to six digits: what batches change lies below."""
    mass = sum(one.mass for one in several)
    if mass <= 0:
        return Prediction(0.0, {})
    values = {value for one in several for value in one.shares}
    shares = {
        value: round(sum(one.mass * one.shares.get(value, 0.0) for one in several) / mass, 6)
        for value in sorted(values)
    }
    return Prediction(round(mass / len(several), 6), shares)
