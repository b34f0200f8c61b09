"""A probe: a direction, and how the projection on it becomes the probability of a state. It is never changed."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from jaxtyping import Bool, Float
from torch import Tensor

from introlab.activations.directions import Direction, check_disjoint
from introlab.activations.extract import Activations
from introlab.errors import InputError
from introlab.network.tensors import reading, save_sealed
from probes.linear.calibration import UNCALIBRATED, Calibration, Method, fit_calibration


@dataclass(frozen=True)
class Probe:
    """Log-odds of a state are ``gain * projection + offset``; its calibration makes them a probability."""

    direction: Direction
    gain: float
    offset: float
    target: str = ""
    """What a high value says."""
    threshold: float = 0.5
    """The state is held to be there from this probability on."""
    calibration: Calibration = UNCALIBRATED

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.gain, self.offset))) or not 0 <= self.threshold <= 1:
            raise InputError(
                "a probe whose numbers are none",
                given=f"gain {self.gain}, offset {self.offset}, threshold {self.threshold}",
                allowed="a finite gain and offset, a threshold from 0 to 1",
            )

    def log_odds(self, activations: Activations) -> Float[Tensor, " example"]:
        """Before calibration. Raises ModelMismatch for another model or site."""
        return self.gain * self.direction.read(activations) + self.offset

    def __call__(self, activations: Activations) -> Float[Tensor, " example"]:
        """Probabilities. Raises ModelMismatch for another model or site."""
        return self.calibration(self.log_odds(activations))

    def says(self, activations: Activations) -> Bool[Tensor, " example"]:
        """Whether the probability reaches the threshold. Raises ModelMismatch for another model or site."""
        return self(activations) >= self.threshold

    def check_held_out(self, examples: Sequence[str]) -> None:
        """Raises SplitOverlap if it was fitted or calibrated on any of these examples."""
        self.direction.check_held_out(examples)
        check_disjoint(self.calibration.examples, examples)

    def calibrated(self, activations: Activations, labels: Sequence[bool], *, method: Method) -> Self:
        """With a calibration fitted on these examples. Raises SplitOverlap where the probe has seen one of them."""
        self.direction.check_held_out(activations.examples)
        fitted = fit_calibration(self.log_odds(activations), labels, activations.examples, method=method)
        return replace(self, calibration=fitted)

    def _repr_html_(self) -> str:
        from introlab.io.markup import card

        facts: dict[str, object] = {
            "says": self.target or "the positive class",
            "direction": self.direction,
            "fitted on": f"{len(self.direction.examples)} texts, model {self.direction.model}",
            "threshold": f"{self.threshold:g}",
            "calibration": self.calibration.method,
        }
        return card("Probe", facts)

    def save(self, path: Path) -> None:
        """One safetensors file, metadata and a digest inside. Raises RunFolderError where it cannot be written."""
        own = {"target": self.target, "gain": self.gain, "offset": self.offset, "threshold": self.threshold}
        meta = {"probe": json.dumps(own), "calibration": json.dumps(asdict(self.calibration))}
        save_sealed({"vector": self.direction.vector}, path, {**self.direction.metadata, **meta})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read back what `save` wrote. Raises InputError for any other file, and one that was changed."""
        with reading(path, "a file of a probe", made_by="Probe.save") as (file, meta):
            direction = Direction.parse(file.get_tensor("vector"), meta)
            own, kept = json.loads(meta["probe"]), json.loads(meta["calibration"])
            kept["knots"] = tuple((float(at), float(height)) for at, height in kept["knots"])
            kept["examples"] = tuple(kept["examples"])
            return cls(direction, calibration=Calibration(**kept), **own)
