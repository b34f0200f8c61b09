"""Findings laid out for a reader: arms down, measures across, so that a control stands beside what it controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from introlab.records.findings import Check, Coordinate, Findings, Row
from introlab.stats.interval import Estimate

MOST_COLUMNS = 8
NOTE = "Cells: estimate [95 % interval] n/clusters.   * primary outcome, declared before the run   ° control"


@dataclass(frozen=True)
class Table:
    """Cells as text; `roles` names the role of each row of the body."""

    head: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]
    roles: tuple[str, ...]


def laid_out(rows: Sequence[Row]) -> list[Table]:
    """Rows of one design (same coordinates) become one table: across where several measures fill several cells of
    it, else one under the other."""
    designs: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        designs.setdefault(tuple(row.where), []).append(row)
    tables = []
    for names, members in designs.items():
        measures = list(dict.fromkeys(row.measure for row in members))
        cells = {place(row.where) for row in members}
        wide = 1 < len(measures) <= MOST_COLUMNS and len(cells) > 1
        tables.append(_across(names, measures, members) if wide else _listed(members))
    return tables


def _across(names: Sequence[str], measures: Sequence[str], rows: Sequence[Row]) -> Table:
    found: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows:
        found.setdefault(tuple(_shown(row.where[name]) for name in names), {})[row.measure] = row
    body, roles = [], []
    for where, cells in found.items():
        role = _role([row.role for row in cells.values()])
        body.append(
            (*where[:-1], where[-1] + MARKS[role], *(cell(cells[m].estimate) if m in cells else "" for m in measures))
        )
        roles.append(role)
    return Table((*names, *measures), tuple(body), tuple(roles))


def _listed(rows: Sequence[Row]) -> Table:
    body = tuple((row.measure + MARKS[row.role], place(row.where), cell(row.estimate)) for row in rows)
    return Table(("measure", "where", "estimate"), body, tuple(row.role for row in rows))


MARKS = {"primary": " *", "secondary": "", "control": " °", "detail": ""}


def _role(roles: Sequence[str]) -> str:
    """A row is primary if any of its cells is, and a control if all of them are."""
    return "primary" if "primary" in roles else "control" if set(roles) == {"control"} else "secondary"


def place(where: Mapping[str, Coordinate]) -> str:
    """Where an estimate belongs, in words."""
    return ", ".join(
        _shown(value) if name in ("model", "arm") else f"{name} {_shown(value)}" for name, value in where.items()
    )


def _shown(value: Coordinate) -> str:
    if isinstance(value, str):
        return value.removeprefix("organism:")
    return "" if value is None else f"{value:g}"


def by_name(values: Mapping[str, Any]) -> str:
    """Outcomes or readings of a trial in a line."""
    return ", ".join(f"{name.replace('_', ' ')}: {word(value)}" for name, value in values.items())


def word(value: Any) -> str:
    """One outcome or reading; what could not be had is unknown, and of many values there are the first ones."""
    if isinstance(value, list) and len(value) > MOST_COLUMNS:
        return f"{', '.join(map(word, value[:MOST_COLUMNS]))}, ... ({len(value)} values)"
    return "unknown" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def number(value: float | None) -> str:
    """Three decimals, or a dash for what is missing."""
    return "–" if value is None else f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"


def interval(estimate: Estimate) -> str:
    return f"[{number(estimate.low)}, {number(estimate.high)}]" if estimate.known else "no interval"


def cell(estimate: Estimate) -> str:
    """One estimate in a table."""
    if estimate.value is None:
        return "–"
    return f"{number(estimate.value)} {interval(estimate)} {estimate.n}/{estimate.clusters}"


def text_table(findings: Findings) -> str:
    """For a terminal: tables of everything but details, then the checks."""
    parts = [as_text(table) for table in laid_out([row for row in findings.rows if row.role != "detail"])]
    words = {True: "holds", False: "FAILS", None: "cannot tell"}
    checks = [f"{words[check.passed]:12}{check.control.replace('_', ' ')}: {told(check)}" for check in findings.checks]
    return "\n\n".join([*parts, NOTE, "\n".join(checks)])


def told(check: Check) -> str:
    """What a control came to; where a difference was not found, which one would have been."""
    from introlab.stats.power import minimum_detectable  # scipy takes a second: only tables of findings need it

    seen = f"; {minimum_detectable(check.gap)}" if check.gap and not check.passed else ""
    return f"{check.detail}{seen}"


def as_text(table: Table) -> str:
    """For a terminal."""
    lines = [table.head, *table.body]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.head))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([rows[0], "  ".join("-" * width for width in widths), *rows[1:]])


def markdown(table: Table) -> str:
    """For a README."""
    lines = [f"| {' | '.join(line)} |" for line in (table.head, *table.body)]
    return "\n".join([lines[0], f"|{'---|' * len(table.head)}", *lines[1:]])
