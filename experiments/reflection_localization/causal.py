"""Whether the direction at the chosen place is used: added, removed, and as much along random directions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.shared.lookahead import residuals_ahead
from experiments.shared.reflection_cases import ReflectionCase, goes_on, reconsider_tokens
from introlab.activations.directions import Direction, difference_of_means
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from probes.linear.bank import Place
from steering.causal_effects import Arm, arms, level_of, next_token_probability
from steering.edits import steer_along
from steering.strength import typical_norm

STRENGTH = 1.0
"""In natural units: the difference between reconsidering and letting stand."""


@dataclass(frozen=True)
class Cause:
    """Reconsidering minus letting stand, at one place, and how to add and remove it."""

    bench: RunContext
    direction: Direction
    level: float
    """Mean projection of texts that let their answer stand."""
    residual_norm: float

    def push(self, draw: int | None) -> Intervention:
        """Along the direction, or along a random one of equal norm, wherever new text is predicted."""
        along = self.direction if draw is None else self.bench.random_direction(self.direction, draw)
        return steer_along(along, natural=STRENGTH, residual_norm=self.residual_norm)

    def readings(self, cases: Sequence[ReflectionCase], *, draws: int) -> Iterator[dict[str, object]]:
        """For each text, P(reconsider) at its decision in every arm, `arm random` over the draws, and `asked` in words
        to check. Raises SplitOverlap for a text it was fitted on."""
        self.direction.check_held_out([case.item for case in cases])
        model, wording = self.bench.model, self.bench.materials.wording
        tokens = reconsider_tokens(model, wording)
        each = arms(
            self.direction,
            level=self.level,
            residual_norm=self.residual_norm,
            natural=STRENGTH,
            random_directions=[self.bench.random_direction(self.direction, draw) for draw in range(draws)],
            axis=model.word_axis(tokens),
        )
        found = next_token_probability(
            model, [_undecided(case) for case in cases], each, tokens, batch_size=self.bench.batch_size
        )
        asked = self._asked(cases, tokens)
        for index in range(len(cases)):
            single = {name: values[index] for (name, draw), values in found.items() if draw is None}
            strays = {
                f"{name} random": [found[name, draw][index] for draw in range(draws)] for name in ("added", "removed")
            }
            yield {**single, **strays, "asked": asked[index]}

    def _asked(self, cases: Sequence[ReflectionCase], tokens: Sequence[int]) -> list[float]:
        texts: list[Text] = []
        for case in cases:
            question = f"{case.question.text} {self.bench.materials.wording.request_check}"
            prompt = self.bench.model.ids([user(question)], room=1)
            texts.append(Text.written(prompt, _undecided(case).ids[len(case.request.prompt) :], case.item))
        plain = next_token_probability(self.bench.model, texts, [Arm("asked")], tokens)
        return plain["asked", None]


def fit_cause(bench: RunContext, train: Sequence[ReflectionCase], place: Place) -> Cause:
    """The difference of means at this place, from the texts the probes were fitted on."""
    (site, lead), goes = place, goes_on(train)
    here = residuals_ahead(bench, bench.model, train, (lead,))[site, 0]
    stands = here.where([not each for each in goes])
    direction = difference_of_means(here.where(goes), stands, model=bench.model)
    texts = [case.text() for case in train]
    norm = typical_norm(bench.model, texts, site, batch_size=bench.batch_size)
    return Cause(bench, direction, level_of(direction, stands.values), norm)


def _undecided(case: ReflectionCase) -> Text:
    """Up to the decision, which comes next."""
    return Text(case.text().ids[: case.decision], len(case.request.prompt), case.item)
