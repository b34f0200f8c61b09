"""Many comparisons at once: p-values adjusted by Holm (no false claim) or Benjamini and Hochberg (few of them)."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from introlab.errors import InputError
from introlab.stats.checked_columns import measured


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted so that one false claim or more has the stated chance, whatever the dependence; in the given order.
    Raises InputError for what is not a probability."""
    checked = _probabilities(p_values)
    order = np.argsort(checked)
    adjusted, running = [0.0] * len(checked), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(checked) - rank) * checked[index]))
        adjusted[index] = running
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted so that the stated share of claims is false on average, for tests that are independent or positively
    dependent; in the given order. Raises InputError for what is not a probability."""
    checked = _probabilities(p_values)
    return [float(p) for p in stats.false_discovery_control(checked)] if checked else []


def _probabilities(p_values: Sequence[float]) -> list[float]:
    array = measured(p_values)
    if ((array < 0) | (array > 1)).any():
        raise InputError("not p-values", given=p_values, allowed="0 to 1")
    return array.tolist()
