"""How strong is a push? Always in three units: raw, natural (the direction's own scale), share of the local norm."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from introlab.activations.directions import Direction
from introlab.activations.extract import read
from introlab.activations.forward import TOGETHER, Text
from introlab.errors import InputError
from introlab.network.model import Model
from introlab.network.sites import Site


@dataclass(frozen=True)
class Dose:
    """The same strength in three units. Comparisons across layers or models use the last two."""

    raw: float
    """Length of the added vector; negative pushes the other way."""
    natural: float
    """In multiples of the direction's natural scale."""
    share: float
    """As a share of the typical residual norm at the site."""

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.raw, self.natural, self.share))):
            raise InputError(
                "a strength that is not a finite number",
                given=f"raw {self.raw}, natural {self.natural}, share {self.share}",
                allowed="finite numbers",
            )

    @classmethod
    def of(cls, direction: Direction, *, natural: float, residual_norm: float) -> "Dose":
        if not residual_norm > 0:
            raise InputError("a residual without a norm", given=residual_norm, allowed="a norm above 0")
        raw = natural * direction.scale
        return cls(raw, natural, raw / residual_norm)

    def record(self) -> dict[str, float]:
        return {"raw": round(self.raw, 6), "natural": round(self.natural, 6), "share": round(self.share, 6)}


def typical_norm(model: Model, texts: Sequence[Text], site: Site, *, batch_size: int = TOGETHER) -> float:
    """Median residual norm at the end of these texts. The first token is never read: BOS is an attention sink."""
    values = read(model, texts, [site], [[len(text.ids) - 1] for text in texts], batch_size=batch_size)[site, 0].values
    return float(values.norm(dim=-1).median())
