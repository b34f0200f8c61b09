"""Columns of trials as a statistic needs them: of one length, none missing, inside their range.

Missing is said in one way everywhere: None and NaN (infinite values too, where numbers are averaged) raise InputError,
whether they stand for an outcome, a label, an answer, an arm, a level or a cluster. Callers leave such trials out and
count them.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from introlab.errors import InputError

Column = Sequence[Any] | np.ndarray
"""One value per trial."""
Range = tuple[float, float]
UNIT: Range = (0.0, 1.0)
_LEAVE_OUT = "leave these trials out, and report how many they were"


def measured(values: Column, *, within: Range | None = None) -> np.ndarray:
    """Values as floats. Raises InputError where one is missing (None, NaN), infinite, no number, or outside the
    range."""
    array = _numbers(values)
    lost = int((~np.isfinite(array)).sum())
    if lost:
        raise InputError(
            "missing outcomes are never averaged",
            given=f"{lost} of {array.size} values are None, NaN or infinite",
            do=_LEAVE_OUT,
        )
    if within is not None and array.size and not within[0] <= array.min() <= array.max() <= within[1]:
        raise InputError("values out of range", given=f"{array.min():g} to {array.max():g}", allowed=within)
    return array


def ranked(scores: Column) -> np.ndarray:
    """Scores of which only the order counts: as `measured`, but infinite ones are allowed."""
    return measured(np.nan_to_num(_numbers(scores), nan=np.nan))


def flags(values: Column, what: str) -> np.ndarray:
    """Yes or no as booleans. Raises InputError for missing values and for what is neither 0 nor 1."""
    array = measured(values)
    if not np.isin(array, UNIT).all():
        raise InputError(f"{what} that are neither yes nor no", given=array[~np.isin(array, UNIT)][:3].tolist())
    return array > 0


def answers(values: Iterable[Hashable], what: str) -> list[Hashable]:
    """Labels or answers of any kind. Raises InputError for missing ones: None and NaN are no answer."""
    kept = list(values)
    lost = sum(map(_lost, kept))
    if lost:
        raise InputError(f"missing {what} are never counted", given=f"{lost} of {len(kept)}", do=_LEAVE_OUT)
    return kept


def names(clusters: Column, n: int) -> np.ndarray:
    """The cluster of each of `n` trials. Raises InputError for missing clusters, and for another number of them."""
    if not hasattr(clusters, "__len__"):
        raise InputError("no clusters", given=clusters, do="name the cluster of each trial")
    if len(clusters) != n:
        raise InputError(
            "trials without a cluster", given=f"{n} trials, {len(clusters)} clusters", do="name one cluster per trial"
        )
    array = np.asarray(clusters)
    simple = array.ndim == 1 and array.dtype.kind in "iubU"
    if not (simple and isinstance(clusters, np.ndarray | range)) and any(map(_lost, clusters)):
        raise InputError("trials whose cluster is missing", given=sum(map(_lost, clusters)), do=_LEAVE_OUT)
    if simple or (array.dtype.kind == "f" and array.ndim == 1):
        return array
    known: dict[Any, int] = {}
    return np.array([known.setdefault(_hashable(each), len(known)) for each in clusters], dtype=int)


def same_length(**columns: Any) -> int:
    """How many trials there are. Raises InputError for columns of different lengths, or of none (a single number)."""
    if not all(hasattr(each, "__len__") for each in columns.values()):
        raise InputError("no column of trials", given={name: type(each).__name__ for name, each in columns.items()})
    lengths = {name: len(each) for name, each in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError("columns of different lengths", given=lengths, do="give one value per trial in each")
    return next(iter(lengths.values()))


def _numbers(values: Column) -> np.ndarray:
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError("values that are no numbers", given=error) from error
    if array.ndim == 0:
        raise InputError("no column of values", given=values, do="give one value per trial")
    return array


def _lost(value: Any) -> bool:
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def _hashable(value: Any) -> Hashable:
    return tuple(value) if isinstance(value, list | np.ndarray) else value
