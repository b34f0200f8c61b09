"""What adding or removing a direction does, beyond random directions, from outcomes alone. Needs no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from introlab.errors import InputError
from introlab.stats.crossed import crossed_mean
from introlab.stats.estimates import mean
from introlab.stats.interval import Estimate

ALONE = {"sufficiency": ("added", 1), "necessity": ("removed", -1)}
"""By effect: the arm, and the sign of its change."""


PARTS = {"sufficiency of the part along the axis": "added, along", "sufficiency of the rest": "added, rest"}


Outcomes = Mapping[tuple[str, int | None], Sequence[float]]
"""By arm and draw: an outcome of each text, all in the same order."""


@dataclass(frozen=True)
class Effect:
    """What an edit does, what as large ones do in random directions, and the difference: over new texts and, as the
    directions are a sample too, over new random directions. Without an interval where there is one direction only."""

    kind: str
    """`sufficiency` (of the direction or of a part of it) or `necessity`."""

    change: Estimate
    random: tuple[float, ...]
    """Mean change of each draw."""
    beyond: Estimate

    @property
    def rank(self) -> int:
        """How many random directions do at least as much."""
        return sum(one >= (self.change.value or 0.0) for one in self.random)


def effects(outcomes: Outcomes, clusters: Sequence[str]) -> dict[str, Effect]:
    """Sufficiency (added minus baseline) and necessity (baseline minus removed), and, where there was an axis, the
    sufficiency of both parts. Raises InputError without a baseline or random directions."""
    if ("baseline", None) not in outcomes or not any(draw is not None for _, draw in outcomes):
        raise InputError(
            "effects without anything to compare them with",
            given=sorted({name for name, _ in outcomes}),
            do="give the outcomes of all of `arms`, with one or more random draws",
        )
    wanted = {**ALONE, **{name: (arm, 1) for name, arm in PARTS.items()}}
    return {
        name: _effect(outcomes, arm, sign, clusters) for name, (arm, sign) in wanted.items() if (arm, None) in outcomes
    }


def _effect(outcomes: Outcomes, arm: str, sign: int, clusters: Sequence[str]) -> Effect:
    baseline = np.asarray(outcomes["baseline", None], dtype=float)
    change = sign * (np.asarray(outcomes[arm, None], dtype=float) - baseline)
    control = arm.split(",")[0]
    draws = [draw for name, draw in outcomes if name == control and draw is not None]
    stray = np.stack([sign * (np.asarray(outcomes[control, draw], dtype=float) - baseline) for draw in draws])
    gaps = change[None, :] - stray
    texts = [cluster for _ in draws for cluster in clusters]
    beyond = crossed_mean(gaps.ravel().tolist(), [texts, [draw for draw in draws for _ in clusters]])
    return Effect(
        "necessity" if sign < 0 else "sufficiency",
        mean(change.tolist(), clusters),
        tuple(stray.mean(1).tolist()),
        beyond,
    )
