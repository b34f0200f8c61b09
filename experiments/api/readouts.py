"""What can be read per token, by the names a researcher gives: directions, probes, or any reading of the lab."""

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from introlab.activations.directions import Direction
from introlab.errors import InputError
from introlab.interventions.interfaces import Readout, check_reading
from introlab.network.model import Model
from introlab.network.sites import Site
from probes.linear.probe import Probe
from probes.online import Entropy, Norm, Projection, TokenProbability

Readable = Direction | Probe | Readout
Readouts = Mapping[str, Readable] | Readable
"""By name, or one alone."""


@dataclass(frozen=True)
class ProbeReading:
    """The probability that a probe gives, per token."""

    name: str
    probe: Probe

    @property
    def site(self) -> Site:
        return self.probe.direction.site

    def check_made_for(self, model: Model) -> None:
        """Raises ModelMismatch for another model than the probe's."""
        self.probe.direction.check_model(model)

    def __call__(self, values: Float[Tensor, "row d_model"]) -> Float[Tensor, " row"]:
        probe = self.probe
        log_odds = probe.gain * probe.direction.projection(values) + probe.offset
        return probe.calibration(log_odds)


def readouts_of(model: Model, readouts: Readouts | None) -> list[Readout]:
    """The readings, checked against the model. Raises InputError for what cannot be read, ModelMismatch for what was
    fitted on another model."""
    if readouts is None:
        return []
    named = readouts if isinstance(readouts, Mapping) else {_name(readouts): readouts}
    chosen = [_readout(name, one) for name, one in named.items()]
    for reading in chosen:
        check_reading(model, reading)
    return chosen


def _name(one: Readable) -> str:
    if isinstance(one, Direction):
        return "direction"
    if isinstance(one, Probe):
        return one.target or "probe"
    return str(getattr(one, "name", "reading"))


def _readout(name: str, one: Readable) -> Readout:
    if isinstance(one, Direction):
        return Projection(name, one)
    if isinstance(one, Probe):
        return ProbeReading(name, one)
    if callable(one) and getattr(one, "name", None) is not None and hasattr(one, "site"):
        if one.name != name:
            raise InputError(
                "a reading that has another name",
                given=f"{name!r} for the reading {one.name!r}",
                allowed="its own name",
                do=f"write readouts={{{one.name!r}: ...}}",
            )
        return one
    raise InputError(
        "not a reading",
        given=f"{name}: {type(one).__name__}",
        allowed=f"a Direction, a Probe, or one of probes.online ({', '.join(c.__name__ for c in _EXAMPLES)}, ...)",
        do='write readouts={"school": school}',
    )


_EXAMPLES = (Entropy, Norm, TokenProbability)
