"""Runs side by side: the same measure at the same place, how much later runs differ from the first, and whether that
is more than chance. Needs no model.

Estimates are taken as those of separate samples: their difference has the square-and-add interval. Trials that two
runs both asked are compared in pairs. Primary outcomes are corrected for their own number of tests, all
other rows of a table for theirs (Holm).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scipy import stats

from introlab.errors import InputError
from introlab.records.catalog import UNREADABLE
from introlab.records.findings import Coordinate, Findings, Role, Row
from introlab.records.run import Run
from introlab.records.trial import Trial
from introlab.reporting.tables import MARKS, Table, cell, interval, number, place
from introlab.stats.estimates import LEVEL, difference, mean, paired_difference, proportion
from introlab.stats.interval import Estimate
from introlab.stats.multiple_testing import holm

EXPLAINED = (
    "The same measure at the same place in every run. The runs are taken as separate samples: the interval of a "
    "difference is made from the two intervals (square-and-add), and is cautious where the runs asked the same items. "
    "p is two-sided and corrected (Holm) for the number of tests: of the primary outcomes, or of all other rows."
)
PAIRED = (
    "Raw outcomes and readings of test trials that both runs asked, none left out, as differences within pairs with "
    "the cluster-robust interval. Where the runs differ in fewer than 10 clusters of a cell, its interval is that of "
    "separate samples."
)
ENOUGH = 10
"""Clusters in which the two runs differ; below, an interval from their spread covers too little."""
SHARED_AT_MOST = 0.1
"""Of the items of the smaller test: where two runs share more, one does not replicate the other."""
_ORDER: tuple[Role, ...] = ("primary", "secondary", "control", "detail")
Key = tuple[object, ...]


@dataclass(frozen=True)
class Difference:
    """A later run minus the first one. `p` is two-sided, `adjusted` Holm's in its family; None without an interval."""

    estimate: Estimate
    p: float | None
    adjusted: float | None = None


@dataclass(frozen=True)
class Compared:
    """One measure at one place: the estimate of every run, and the difference of each later one from the first."""

    measure: str
    where: Mapping[str, Coordinate]
    role: Role
    estimates: tuple[Estimate, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """Runs are called by letters; the first is what the others are held against."""

    names: dict[str, str]
    """Letter to run."""
    facts: Table
    """In which entries of their manifests they differ."""
    estimates: tuple[Compared, ...]
    """Of all findings but details, where every run has the same measure at the same place."""
    alone: int
    """Estimates that not every run has."""
    paired: dict[str, tuple[Compared, ...]]
    """Letter of a later run to the outcomes and readings of trials that it and the first both asked."""
    shared: dict[str, str]
    """Letter of a later run to how many trials that is, in words."""
    items: dict[str, str]
    """Letter of a later run to how many items its test shares with the first's, and so whether it replicates it."""

    @property
    def left_out(self) -> str:
        return f"{self.alone} estimates are not in every run." if self.alone else ""

    def table(self) -> Table:
        """Of the estimates."""
        return _table(list(self.names), self.estimates)

    def paired_table(self, letter: str) -> Table:
        """Of the trials a later run shares with the first."""
        return _table([next(iter(self.names)), letter], self.paired[letter])


def compare(runs: Mapping[str, Run]) -> Comparison:
    """Runs by name, two or more, the first of which is what the others are held against. Raises InputError for fewer,
    for more than there are letters, and for a run that is not analysed yet."""
    if not 2 <= len(runs) <= 26:
        raise InputError("runs to compare", given=len(runs), allowed="2 to 26 different ones")
    for name, run in runs.items():
        if not (run.folder / "findings.json").exists():
            raise InputError("a run without findings", given=name, do="let it finish, or introlab report writes them")
    letters = [chr(ord("A") + index) for index in range(len(runs))]
    first, *later = runs.values()
    try:
        rows, alone = compare_findings([run.findings for run in runs.values()])
        known = list(first.trials())
        pairs, items = {}, {}
        for letter, run in zip(letters[1:], later, strict=True):
            others = list(run.trials())
            pairs[letter], items[letter] = compare_trials(known, others), shared_items(known, others)
    except UNREADABLE as error:
        raise InputError("a run that cannot be read", given=error, do="introlab runs says which") from error
    return Comparison(
        dict(zip(letters, runs, strict=True)),
        _facts(letters, [run.manifest for run in runs.values()]),
        rows,
        alone,
        {letter: found for letter, (found, _) in pairs.items()},
        {letter: words for letter, (_, words) in pairs.items()},
        items,
    )


def compare_findings(findings: Sequence[Findings]) -> tuple[tuple[Compared, ...], int]:
    """Rows that all have, and how many are not in all. Where each has one model only, it need not be the same one."""
    rows = [[row for row in each.rows if row.role != "detail"] for each in findings]
    models = [{row.where["model"] for row in each if "model" in row.where} for each in rows]
    crossing = any(one != models[0] for one in models) and all(len(one) == 1 for one in models)
    by_key = [_by_key(each, crossing) for each in rows]
    keys = [key for key in by_key[0] if all(key in each for each in by_key)]
    keys.sort(key=lambda key: _ORDER.index(by_key[0][key].role))
    compared = [_compared([each[key] for each in by_key], crossing) for key in keys]
    return _adjusted(compared), len(set().union(*by_key)) - len(keys)


def _by_key(rows: Sequence[Row], crossing: bool) -> dict[Key, Row]:
    return {(row.measure, *sorted(_where(row, crossing).items())): row for row in rows}


def _where(row: Row, crossing: bool) -> dict[str, Coordinate]:
    return {name: value for name, value in row.where.items() if not (crossing and name == "model")}


def _compared(rows: Sequence[Row], crossing: bool) -> Compared:
    estimates = tuple(row.estimate for row in rows)
    differences = tuple(_tested(difference(other, estimates[0])) for other in estimates[1:])
    return Compared(rows[0].measure, _where(rows[0], crossing), rows[0].role, estimates, differences)


def _tested(estimate: Estimate) -> Difference:
    return Difference(estimate, p_value(estimate))


def p_value(estimate: Estimate) -> float | None:
    """Two-sided, of no difference, from an interval: below 0.05 where it leaves 0 out. The side towards 0 is taken as a
    quantile of t with clusters - 1 degrees of freedom (Altman & Bland, BMJ 343, 2011, with t for z). None where there
    is no interval or it has no width."""
    if not estimate.known or estimate.clusters < 2:
        return None
    assert estimate.value is not None and estimate.low is not None and estimate.high is not None
    side = estimate.value - estimate.low if estimate.value > 0 else estimate.high - estimate.value
    if side <= 0:
        return None
    degrees = estimate.clusters - 1
    quantile = stats.t.ppf((1 + LEVEL) / 2, degrees) * abs(estimate.value) / side
    return float(2 * stats.t.sf(quantile, degrees))


def _adjusted(compared: Sequence[Compared]) -> tuple[Compared, ...]:
    """With Holm's correction over each family: the primary outcomes, declared before the runs, are one, and all other
    rows together another. A primary outcome is not paid for by how much else a report shows."""
    adjusted = {
        primary: iter(holm([each.p for row in compared for each in row.differences if of(row) and each.p is not None]))
        for primary, of in ((True, _is_primary), (False, lambda row: not _is_primary(row)))
    }
    return tuple(
        replace(
            row,
            differences=tuple(
                each if each.p is None else replace(each, adjusted=next(adjusted[_is_primary(row)]))
                for each in row.differences
            ),
        )
        for row in compared
    )


def _is_primary(row: Compared) -> bool:
    return row.role == "primary"


def compare_trials(first: Iterable[Trial], other: Iterable[Trial]) -> tuple[tuple[Compared, ...], str]:
    """Outcomes and single readings of test trials of one identity in both, as paired differences per cell; and in words
    how many trials these are. Where each run has one model only, it need not be the same one."""
    ones, others = ([trial for trial in each if trial.split == "test"] for each in (first, other))
    models = [{trial.model for trial in each} for each in (ones, others)]
    crossing = models[0] != models[1] and all(len(one) == 1 for one in models)
    known = {_identity(trial, crossing): trial for trial in ones}
    pairs = [(known[key], trial) for trial in others if (key := _identity(trial, crossing)) in known]
    reworded = sum(one.prompt != trial.prompt for one, trial in pairs)
    words = f"{len(pairs)} of {len(ones)} and {len(others)} test trials were asked in both"
    if reworded:
        words += f", {reworded} of them in other words"
    cells: dict[Key, list[tuple[str, float, float]]] = defaultdict(list)
    kinds: dict[Key, bool] = {}
    for one, trial in pairs:
        for name, before, after in _numbers(one, trial):
            key = (name, "" if crossing else one.model, one.condition, one.strength)
            cells[key].append((one.cluster, float(before), float(after)))
            kinds[key] = kinds.get(key, True) and isinstance(before, bool) and isinstance(after, bool)
    compared = [_paired(key, cells[key], kinds[key]) for key in sorted(cells, key=str)]
    return _adjusted(compared), words


def shared_items(first: Iterable[Trial], other: Iterable[Trial]) -> str:
    """How many items two tests share, and what follows: a run of the same items is no replication, however its seed
    differs. In words; empty where they are not of one experiment, or one of them has no test."""
    ones, others = (
        {(trial.experiment, trial.item) for trial in each if trial.split == "test"} for each in (first, other)
    )
    if not ones or not others or {name for name, _ in ones} != {name for name, _ in others}:
        return ""
    both, fewer = len(ones & others), min(len(ones), len(others))
    counted = f"{both} of {len(ones)} and {len(others)} test items are in both"
    if both > SHARED_AT_MOST * fewer:
        return f"{counted}: not a replication, since agreement may come from the items"
    return f"{counted}: a replication on other items"


def _identity(trial: Trial, crossing: bool) -> Key:
    model = "" if crossing else trial.model
    return (
        trial.experiment,
        model,
        trial.item,
        trial.condition,
        trial.strength,
        trial.draw,
        trial.replicate,
    )


def _numbers(one: Trial, other: Trial) -> Iterable[tuple[str, bool | float, bool | float]]:
    """What both know, as name and two values."""
    before, after = {**one.readings, **one.outcomes}, {**other.readings, **other.outcomes}
    for name in before.keys() & after.keys():
        if isinstance(before[name], bool | int | float) and isinstance(after[name], bool | int | float):
            yield name, before[name], after[name]


def _paired(key: Key, values: Sequence[tuple[str, float, float]], are_rates: bool) -> Compared:
    name, model, condition, strength = key
    clusters = [cluster for cluster, _, _ in values]
    before, after = [one for _, one, _ in values], [other for _, _, other in values]
    first, other = (
        proportion([value > 0 for value in each], clusters) if are_rates else mean(each, clusters)
        for each in (before, after)
    )
    moved = len({cluster for cluster, one, two in values if one != two})
    paired = paired_difference(list(zip(after, before, strict=True)), clusters)
    chosen = paired if moved >= ENOUGH else difference(other, first)
    where: dict[str, Any] = {"model": model} if model else {}
    where |= {"arm": condition, "strength": strength}
    return Compared(str(name), where, "secondary", (first, other), (_tested(chosen),))


def _facts(letters: Sequence[str], manifests: Sequence[Mapping[str, Any]]) -> Table:
    """Manifest entries in which the runs differ, tables entry by entry; of models only those that all runs have."""
    everywhere = set.intersection(*(set(manifest["models"]) for manifest in manifests))
    shared = [
        {**each, "models": {name: facts for name, facts in each["models"].items() if name in everywhere}}
        for each in manifests
    ]
    flat = [_flat(manifest) for manifest in shared]
    names = list(dict.fromkeys(name for each in flat for name in each if name != "passed"))
    differing = [name for name in names if any(each.get(name) != flat[0].get(name) for each in flat)]
    body = tuple((name, *(str(each.get(name, "–")) for each in flat)) for name in differing)
    return Table(("in the manifest", *letters), body, ("fact",) * len(body))


def _flat(manifest: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in manifest.items():
        found |= _flat(value, f"{before}{name}: ") if isinstance(value, dict) and value else {before + name: value}
    return found


def _table(letters: Sequence[str], rows: Sequence[Compared]) -> Table:
    first, *later = letters
    across = [title for letter in later for title in (f"{letter} − {first}", "p, Holm")]
    body = tuple(
        (
            row.measure + MARKS[row.role],
            place(row.where),
            *map(cell, row.estimates),
            *(text for each in row.differences for text in _difference_cells(each)),
        )
        for row in rows
    )
    return Table(("measure", "where", *letters, *across), body, tuple(row.role for row in rows))


def _difference_cells(one: Difference) -> tuple[str, str]:
    if one.estimate.value is None:
        return "–", "–"
    p = one.adjusted
    words = "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
    how = " (paired)" if one.estimate.kind == "paired difference" else ""
    return f"{number(one.estimate.value)} {interval(one.estimate)}{how}", words
