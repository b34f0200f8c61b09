"""A direction is a unit vector that knows its scale, its site, its model and the examples it was fitted on."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.activations.extract import Activations
from introlab.activations.steering_terms import Steering
from introlab.errors import InputError, ModelMismatch, NotFinite, SplitOverlap
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.network.tensors import ids_of, reading, save_sealed


@dataclass(frozen=True)
class Direction:
    """Points from the negative towards the positive class; `vector * scale` is one natural unit of it."""

    vector: Float[Tensor, " d_model"]
    """Norm 1, float32, CPU."""
    scale: float
    """Norm of the difference of class means, or of the direction a random one stands in for."""
    site: Site
    model: str
    """Fingerprint of the model it was fitted on."""
    family: str | None
    method: str
    examples: tuple[str, ...]
    """Ids of what it was fitted on; testing on any of them is an error."""

    def __post_init__(self) -> None:
        if self.vector.ndim != 1 or not self.vector.is_floating_point():
            raise InputError(
                "a direction is one vector of floating-point numbers",
                given=f"shape {tuple(self.vector.shape)}, {self.vector.dtype}",
                allowed="[d_model]",
            )
        if not bool(torch.isfinite(self.vector).all()):
            raise NotFinite("a direction with NaN or infinity", given=self.method)
        if not math.isfinite(self.scale) or self.scale <= 0:
            raise InputError("a direction whose scale is no length", given=self.scale, allowed="finite and above 0")
        if abs(float(self.vector.norm()) - 1) > 1e-4:
            raise InputError(
                "a direction has norm 1", given=f"norm {float(self.vector.norm()):.4f}", do="keep its length in `scale`"
            )

    def check_model(self, model: Model) -> None:
        """Raises ModelMismatch unless fitted on this model."""
        model.check_site(self.site)
        if self.model != model.fingerprint:
            raise ModelMismatch(
                "the direction was fitted on another model",
                given=f"fitted on {self.model} (family {self.family})",
                allowed=f"{model.fingerprint}, {model.name} (family {model.family})",
                do="fit it on this model, or within one family ask for a transfer (`transfer_to`, --transfer)",
            )
        width = model.width(self.site)
        if len(self.vector) != width:
            raise ModelMismatch("the direction has another width", given=len(self.vector), allowed=width)

    def transfer_to(self, model: Model) -> Self:
        """The same direction for another model of its family. Raises ModelMismatch where they have none in common."""
        related = self.family is not None and self.family == model.family
        carried = replace(self, model=model.fingerprint) if related else self
        carried.check_model(model)
        return carried

    def at_site(self, site: Site) -> Self:
        """The same direction at a site it was not fitted at."""
        return replace(self, site=site, method=f"{self.method}, fitted at {self.site}")

    def check_held_out(self, examples: Sequence[str]) -> None:
        """Raises SplitOverlap if it was fitted on any of these examples."""
        check_disjoint(self.examples, examples)

    def read(self, activations: Activations) -> Float[Tensor, " example"]:
        """Projections. Raises ModelMismatch for activations of another model or site."""
        if (activations.model, activations.site) != (self.model, self.site):
            raise ModelMismatch(
                "activations of another model or site than the probe's",
                given=f"{activations.site} of {activations.model}",
                allowed=f"{self.site} of {self.model}",
            )
        return self.projection(activations.values)

    def projection(self, values: Float[Tensor, "*n d_model"]) -> Float[Tensor, "*n"]:
        return values.float() @ self.vector.to(values.device)

    def __mul__(self, share: float) -> Steering:
        """Steering along it: ``direction * 0.3`` adds 0.3 of the local residual norm wherever it is applied."""
        return Steering(((self, share),))

    __rmul__ = __mul__

    def __neg__(self) -> Self:
        return replace(self, vector=-self.vector, method=f"minus {self.method}")

    def __add__(self, other: "Direction") -> Self:
        """The sum of the two differences of means. Raises ModelMismatch for directions of other models or sites."""
        if (other.model, other.site) != (self.model, self.site):
            raise ModelMismatch(
                "directions of different models or sites cannot be added",
                given=f"{self.site} of {self.model}, {other.site} of {other.model}",
                allowed="directions of one model and site",
                do="steer along both: one * 0.3 + other * 0.3",
            )
        total = self.vector.double() * self.scale + other.vector.double() * other.scale
        scale = float(total.norm())
        if scale <= 1e-6 * max(self.scale, other.scale):
            raise InputError("directions that cancel each other", given=f"{self.method}, {other.method}")
        return replace(
            self,
            vector=(total / scale).float(),
            scale=scale,
            method=f"{self.method} plus {other.method}",
            examples=tuple(dict.fromkeys((*self.examples, *other.examples))),
        )

    def __sub__(self, other: "Direction") -> Self:
        return self + -other

    def __str__(self) -> str:
        return f"{self.method} at {self.site}"

    def _repr_html_(self) -> str:
        from introlab.io.markup import card

        facts: dict[str, object] = {
            "method": self.method,
            "site": self.site,
            "natural unit": f"{self.scale:.4g} (difference of the class means)",
            "fitted on": f"{len(self.examples)} texts, model {self.model} (family {self.family})",
        }
        return card("Direction", facts)

    @property
    def metadata(self) -> dict[str, str]:
        """All but the vector."""
        return {
            "scale": repr(self.scale),
            "site": str(self.site),
            "model": self.model,
            "family": self.family or "",
            "method": self.method,
            "examples": json.dumps(self.examples),
        }

    def save(self, path: Path) -> None:
        """One safetensors file, metadata and a digest inside. Raises RunFolderError where it cannot be written."""
        save_sealed({"vector": self.vector}, path, self.metadata)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read back what `save` wrote. Raises InputError for any other file, and one that was changed."""
        with reading(path, "a direction file", made_by="introlab fit") as (file, meta):
            return cls.parse(file.get_tensor("vector"), meta)

    @classmethod
    def parse(cls, vector: Tensor, meta: Mapping[str, str]) -> Self:
        """From what a file holds. Raises KeyError or ValueError where something is missing or no number."""
        return cls(
            vector=vector,
            scale=float(meta["scale"]),
            site=Site.parse(meta["site"]),
            model=meta["model"],
            family=meta["family"] or None,
            method=meta["method"],
            examples=ids_of(meta["examples"]),
        )


def check_disjoint(seen: Sequence[str], examples: Sequence[str]) -> None:
    """Raises SplitOverlap where something would be tested on an example it has seen."""
    shared = sorted(set(seen) & set(examples))
    if shared:
        raise SplitOverlap(
            "what was fitted would be tested on what it was fitted on",
            given=f"{len(shared)} shared examples, such as {shared[0]}",
            do="test on another split",
        )


def difference_of_means(positive: Activations, negative: Activations, *, model: Model) -> Direction:
    """Mean of the positive minus mean of the negative examples; its norm is the natural scale.

    The default estimator: PCA of paired differences finds another axis when one side is constant.
    Raises ModelMismatch for mixed sites or models.
    """
    both = Activations.concatenated([positive, negative])
    both.check_model(model)
    if not len(positive.values) or not len(negative.values):
        raise InputError(
            "a difference of means needs examples of both classes",
            given=f"{len(positive.values)} positive, {len(negative.values)} negative",
        )
    # Sums in float64: the direction then does not depend on the order or batching of the examples.
    difference = positive.values.double().mean(0) - negative.values.double().mean(0)
    scale = float(difference.norm())
    if scale == 0:
        raise InputError("the class means are equal", given=f"{positive.site}, {len(both.examples)} examples")
    return Direction(
        vector=(difference / scale).float(),
        scale=scale,
        site=both.site,
        model=both.model,
        family=model.family,
        method="difference of means",
        examples=both.examples,
    )


def random_control(direction: Direction, seed: int) -> Direction:
    """A random direction that inherits everything but the vector: the control of equal norm."""
    generator = torch.Generator().manual_seed(seed)
    vector = torch.randn(len(direction.vector), generator=generator, dtype=torch.float64)
    return replace(direction, vector=(vector / vector.norm()).float(), method=f"random (seed {seed})")
