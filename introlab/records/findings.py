"""What an analysis found: rows of estimates, checks of the controls, and sentences written from both."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from introlab.stats.interval import Estimate, missing

Role = Literal["primary", "secondary", "control", "detail"]
Coordinate = str | float | None
Answer = Literal["yes", "no", "cannot tell"]


@dataclass(frozen=True)
class Row:
    """One estimate and where it belongs: `measure` says what was estimated, `where` for which cell of the design."""

    measure: str
    where: Mapping[str, Coordinate]
    estimate: Estimate
    role: Role = "secondary"


@dataclass(frozen=True)
class Check:
    """One control, and whether the result survives it. `passed` is None where it could not be told."""

    control: str
    passed: bool | None
    detail: str
    gap: Estimate | None = None
    """The difference that had to be above 0, where it was one."""

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """Of a file, which may be older than `gap`."""
        gap = raw.get("gap")
        return cls(raw["control"], raw["passed"], raw["detail"], Estimate(**gap) if gap else None)


@dataclass(frozen=True)
class Ground:
    """One of the plain questions a verdict rests on, and its answer."""

    question: str
    answer: Answer
    number: str
    """What the answer was read from, in words."""


@dataclass(frozen=True)
class Findings:
    """Everything a report needs; no model and no trial is needed any more."""

    rows: tuple[Row, ...]
    checks: tuple[Check, ...]
    answer: str
    """The answer to the experiment's question in one or two sentences, written from the estimates."""
    verdicts: dict[str, str] = field(default_factory=dict)
    """A word per model where the experiment sorts models."""
    grounds: dict[str, tuple[Ground, ...]] = field(default_factory=dict)
    """What each verdict rests on."""
    remarks: tuple[str, ...] = ()
    """Sentences on what else was found, too long for an answer."""

    def select(self, measure: str, **where: Coordinate) -> Iterator[Row]:
        """Rows of a measure whose coordinates include these."""
        for row in self.rows:
            if row.measure == measure and all(row.where.get(name) == value for name, value in where.items()):
                yield row

    def one(self, measure: str, **where: Coordinate) -> Estimate:
        """The only estimate there. Raises LookupError where there are none or several."""
        found = list(self.select(measure, **where))
        if len(found) != 1:
            raise LookupError(f"{len(found)} estimates of {measure} at {where}")
        return found[0].estimate

    def estimate(self, measure: str, **where: Coordinate) -> Estimate:
        """The first estimate there; one without a value where there is none."""
        return next((row.estimate for row in self.select(measure, **where)), missing("not measured"))

    @property
    def primary(self) -> tuple[Row, ...]:
        """The one outcome the experiment declared before it was run, once per model."""
        return tuple(row for row in self.rows if row.role == "primary")

    def check(self, control: str) -> Check:
        """The check of a control. Raises LookupError where there is none."""
        for check in self.checks:
            if check.control == control:
                return check
        raise LookupError(f"no check of {control}")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def _repr_html_(self) -> str:
        from introlab.io.markup import card, grid

        told = {True: "holds", False: "FAILS", None: "cannot tell"}
        failures_first = sorted(self.checks, key=lambda check: (check.passed is True, check.passed is None))
        rows = [
            (row.measure, ", ".join(f"{name} {value}" for name, value in row.where.items()), row.estimate)
            for row in self.rows
            if row.role != "detail"
        ]
        controls = grid(
            ("control", "", "detail"),
            [(each.control.replace("_", " "), told[each.passed], each.detail) for each in failures_first],
        )
        below = controls + grid(("measure", "where", "estimate"), rows)
        return card("Findings", {"answer": self.answer, **self.verdicts}, below=below)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        rows = tuple(Row(row["measure"], row["where"], Estimate(**row["estimate"]), row["role"]) for row in raw["rows"])
        checks = tuple(Check.from_json(check) for check in raw["checks"])
        grounds = {model: tuple(Ground(**each) for each in some) for model, some in raw.get("grounds", {}).items()}
        return cls(rows, checks, raw["answer"], raw["verdicts"], grounds, tuple(raw.get("remarks", ())))
