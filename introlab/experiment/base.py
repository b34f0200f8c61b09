"""An experiment is one question, one frozen class, one file."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from introlab.errors import InputError
from introlab.experiment.budget import Cut
from introlab.records.findings import Findings
from introlab.records.model_check import CheckPart, Feasibility, ModelCheck
from introlab.records.size import Size
from introlab.records.trial import Trial
from introlab.tasks.materials import Materials

if TYPE_CHECKING:  # plotly takes a second to import and only `draw` needs it; a bench loads torch
    from plotly.graph_objects import Figure

    from introlab.experiment.context import RunContext


@dataclass(frozen=True, kw_only=True)
class Experiment(ABC):
    """A question asked of a model. Subclasses are frozen dataclasses: fields are parameters, methods are stages.

    The first line of a subclass's docstring is its question. It is found by being in a module of `experiments`;
    nothing else needs an edit. tests/test_experiment_contract.py says what every one of them must do.
    """

    primary: ClassVar[str]
    """The measure declared before any data: what the answer rests on."""
    null: ClassVar[float]
    """Its value where there is no effect; an interval wholly above it is a finding."""
    controls: ClassVar[tuple[str, ...]]
    """Names of the controls; `analyze` returns a check for each, `simulate` can plant the fault each one catches."""
    debug: ClassVar[Mapping[str, Any]]
    """Field values of the debug size, which runs in seconds."""
    models: ClassVar[tuple[str, ...]]
    """Specs of the organisms it is first shown on."""
    rank_texts_by: ClassVar[str | None] = None
    """The reading or outcome by which a report picks the highest and the lowest text of a condition."""
    per_token: ClassVar[tuple[str, ...]] = ()
    """Readings with one value for each token, by which a report colours texts."""

    check_parts: ClassVar[tuple[CheckPart, ...]] = ()
    """What of the check of a model must be known before the first trial."""

    readable: ClassVar[Mapping[str, str]] = {}
    """What has to be read of a reply, in words, and the outcome or reading that is None where it could not be (`not
    NAME`: that must be False). The first says whether a reply could be read at all."""

    cuts: ClassVar[tuple[Cut, ...]] = ()
    """What may be made smaller so that a run keeps to a budget of time, in this order; all else stays as asked."""

    former_names: ClassVar[tuple[str, ...]] = ()
    """What it was called before: still understood on the command line and in run folders."""

    @classmethod
    def name(cls) -> str:
        """What it is called on the command line and in run folders: its package's name, or its module's where it is
        a single file."""
        parts = cls.__module__.split(".")
        return parts[-2] if parts[-1] == "experiment" and len(parts) > 1 else parts[-1]

    @classmethod
    def trial_name(cls) -> str:
        """What its trials carry. Ids of trials are hashed from it, so it outlives a change of name."""
        return cls.former_names[0] if cls.former_names else cls.name()

    @classmethod
    def question(cls) -> str:
        return (cls.__doc__ or "").strip().splitlines()[0]

    @classmethod
    def debug_size(cls) -> Self:
        return cls(**cls.debug)

    def parameters(self) -> dict[str, Any]:
        """Every field, as JSON."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def passed_parameters(self) -> tuple[str, ...]:
        """Fields whose value is not the default."""
        default = type(self)()
        return tuple(each.name for each in fields(self) if getattr(self, each.name) != getattr(default, each.name))

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """The experiment a manifest describes. Raises InputError for unknown parameters."""
        known = {each.name for each in fields(cls)}
        if set(parameters) - known:
            raise InputError(
                "unknown parameters", given=sorted(set(parameters) - known), allowed=", ".join(sorted(known))
            )
        lists = {name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()}
        return replace(cls(), **lists)

    def feasibility(self, check: ModelCheck, materials: Materials) -> Feasibility:
        """Whether a model that was checked can be asked this, at this size; needs no model. `check` has the parts of
        `check_parts`."""
        return Feasibility(self.name(), "can be asked", "nothing of the model has to be known first")

    def require_decidable(self, bench: "RunContext") -> None:
        """Ask the model for `check_parts`. Raises InputError where they say that it cannot be decided."""
        if self.check_parts:
            raise NotImplementedError(f"{self.name()} names parts of the check and does not ask for them")

    def size(self, bench: "RunContext") -> Size:
        """How much will be written and read, without doing any of it: `size` of the package's `procedure`."""
        return self._procedure().size(self, bench)

    def trials(self, bench: "RunContext") -> Iterator[Trial]:
        """Every trial of one model, as it is done: `trials` of the package's `procedure`. The only stage that needs a
        model, so that is loaded no earlier than here."""
        yield from self._procedure().trials(self, bench)

    @classmethod
    def _procedure(cls) -> Any:
        return importlib.import_module(f"{cls.__module__.rpartition('.')[0]}.procedure")

    @abstractmethod
    def analyze(self, trials: Sequence[Trial]) -> Findings:
        """Estimates, checks of the controls and the answer, from trials alone."""

    @abstractmethod
    def draw(self, findings: Findings) -> dict[str, "Figure"]:
        """Figures by name, from findings alone."""

    @abstractmethod
    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """Made-up trials of a known truth: `effect` 0 is the null, 1 a plain effect; `fault` plants, on top of a
        plain effect, what the control of that name must catch."""
