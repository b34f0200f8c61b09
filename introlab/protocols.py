"""What writing and reading must look like for the engine to use them: steering/ implements Edit, probes/ Readout."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from jaxtyping import Float
from torch import Tensor

from introlab.sites import Site, Span


class Edit(Protocol):
    """A pure map of the values at a site. Never changes its input in place."""

    @classmethod
    def stacked(cls, edits: Sequence[Self], like: Tensor) -> Callable[[Tensor], Tensor]:
        """One map for many rows: takes `values[row, position, d_model]` and edits row `i` by `edits[i]`.
        Parameters are moved to the device and dtype of `like`."""
        ...

    @property
    def inert(self) -> bool:
        """Whether it changes nothing by design (strength 0): the only edit that may leave no trace."""
        ...

    def record(self) -> dict[str, Any]:
        """What a reader of the trial needs to know of it, as JSON: kind, direction, strength in its three units."""
        ...


@dataclass(frozen=True)
class Intervention:
    """An edit, where in the network and where in the text."""

    edit: Edit
    site: Site
    span: Span


class Readout(Protocol):
    """A causal reading, taken once per new token at the position that predicts it."""

    @property
    def name(self) -> str: ...

    @property
    def site(self) -> Site | None:
        """Where it reads; None reads next-token log-probabilities."""
        ...

    def __call__(self, values: Float[Tensor, "row width"]) -> Float[Tensor, " row"]: ...
