"""`direction * 0.3`: directions with strengths, as shares of the local residual norm, that texts are steered by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from introlab.errors import InputError

if TYPE_CHECKING:
    from introlab.activations.directions import Direction


@dataclass(frozen=True, eq=False)
class Steering:
    """A sum of directions, each added at its own site with a length that is a share of the residual norm there.

    Made by arithmetic: ``school * 0.3 - castle * 0.1``. A negative share steers the other way, 0 changes nothing.
    """

    terms: tuple[tuple[Direction, float], ...]
    """Directions with their shares of the local residual norm."""

    def __post_init__(self) -> None:
        wrong = [share for _, share in self.terms if not math.isfinite(share)]
        if wrong or not self.terms:
            raise InputError(
                "a strength that is not a finite number" if wrong else "steering by nothing",
                given=wrong or self.terms,
                allowed="finite shares of the local residual norm, such as 0.3",
                do="multiply a direction by a number",
            )

    def __add__(self, other: Steering) -> Steering:
        return Steering((*self.terms, *other.terms))

    def __sub__(self, other: Steering) -> Steering:
        return self + -other

    def __mul__(self, factor: float) -> Steering:
        return Steering(tuple((direction, share * factor) for direction, share in self.terms))

    __rmul__ = __mul__

    def __truediv__(self, factor: float) -> Steering:
        return self * (1 / factor)

    def __neg__(self) -> Steering:
        return self * -1.0

    def _repr_html_(self) -> str:
        from introlab.io.markup import card, grid

        rows = [(f"{share:g}", direction, direction.model) for direction, share in self.terms]
        return card("Steering", {}, below=grid(("share of the local norm", "direction", "model"), rows))

    def __str__(self) -> str:
        return " + ".join(f"{share:g} of the local norm along {direction}" for direction, share in self.terms)
