"""How answers are changed while the model runs: a system turn, the vector of what that turn does inside, and random
vectors of equal norm."""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.self_prediction.behaviour import Behaviour, behaviours, prompt_of
from experiments.self_prediction.experiment import SelfPrediction
from experiments.self_prediction.prompts import PredictionPrompts
from experiments.shared.choices import block
from introlab.activations.directions import Direction, difference_of_means, random_control
from introlab.activations.extract import read
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.interventions.interfaces import Intervention
from introlab.network.sites import Site
from introlab.tasks.materials import Question
from steering.edits import steer_along
from steering.strength import typical_norm

ENOUGH = 0.25
"""Share of answers to be changed by the push."""
READABLE = 0.7
"""Share of replies that must still hold an answer."""


@dataclass(frozen=True)
class Pushes:
    """The direction, what is typical there, and the strength that was chosen, in natural units."""

    direction: Direction
    residual_norm: float
    natural: float

    def along(self, draw: int | None = None) -> Intervention:
        """Along the direction, or along a random one of equal norm."""
        direction = self.direction if draw is None else random_control(self.direction, draw)
        return steer_along(direction, natural=self.natural, residual_norm=self.residual_norm)


def fit_pushes(
    experiment: SelfPrediction,
    bench: RunContext,
    fitted: Sequence[Question],
    tuned: Sequence[list[Behaviour]],
    asked: Sequence[str],
) -> Pushes:
    """The direction from plain prompts to prompts with the system turn (difference of means where new text begins), at
    the least of the strengths that changes enough answers and leaves enough of them readable; where none does both, the
    strongest that is readable, and else the weakest."""
    site, told = Site(block(bench, None, depth=experiment.depth)), PredictionPrompts.of(bench.materials).change
    sides = []
    for mark, turn in (("told", told), ("plain", None)):
        prompts = [prompt_of(bench, one, experiment.room, turn) for one in fitted]
        texts = [Text(ids, len(ids), f"{one.id} {mark}") for ids, one in zip(prompts, fitted, strict=True)]
        ends = [[len(text.ids) - 1] for text in texts]
        sides.append((texts, read(bench.model, texts, [site], ends, batch_size=bench.batch_size)[site, 0]))
    direction = difference_of_means(sides[0][1], sides[1][1], model=bench.model)
    norm = typical_norm(bench.model, sides[1][0], site, batch_size=bench.batch_size)
    best: Pushes | None = None
    for share in sorted(experiment.shares):
        # To four digits: trials are known by their strength, and batches show in the sixth.
        tried = Pushes(direction, norm, float(f"{share * norm / direction.scale:.4g}"))
        changed, readable = _effect(experiment, bench, tuned, asked, tried)
        if readable >= READABLE or best is None:
            best = tried
        if changed >= ENOUGH and readable >= READABLE:
            break
    if best is None:
        raise ValueError("no strengths to try")
    return best


def _effect(
    experiment: SelfPrediction, bench: RunContext, tuned: Sequence[list[Behaviour]], asked: Sequence[str], push: Pushes
) -> tuple[float, float]:
    """Of the answers that were read without it: the share that it changes, and the share that still can be read."""
    plain = [one[0] for one in tuned if one[0].answer is not None]
    if not plain:
        return 0.0, 0.0
    pushes = [(push.along(),)] * len(plain)
    questions = [one.question for one in plain]
    pushed = behaviours(bench, questions, asked, experiment.room, stage=f"strength {push.natural:g}", pushes=pushes)
    answers = [(one.answer, other[0].answer) for one, other in zip(plain, pushed, strict=True)]
    readable = [(one, other) for one, other in answers if other is not None]
    return sum(one != other for one, other in readable) / len(answers), len(readable) / len(answers)
