"""Is a direction that can be read also used? Add it, remove it, and do as much along random directions.

*Sufficiency* is what adding the direction does, *necessity* what removing it takes away; a direction can have one
without the other, so they are two numbers (arXiv 2310.06824 adds, 2406.11717 removes). Random directions get the same
dose at the same tokens: for a removal, what is removed is taken along the random direction instead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from introlab.activations.directions import Direction, random_control
from introlab.activations.extract import next_token_logprobs
from introlab.activations.forward import TOGETHER, Text
from introlab.errors import InputError
from introlab.interventions.interfaces import Intervention
from introlab.network.model import Model
from introlab.network.spans import Span
from steering.edits import Clamp, ClampElsewhere, steer_along


@dataclass(frozen=True)
class Arm:
    """What is done to every text; `draw` says which random direction it was done along, None the direction itself."""

    name: str
    interventions: tuple[Intervention, ...] = ()
    draw: int | None = None


def arms(
    direction: Direction,
    *,
    level: float,
    residual_norm: float,
    natural: float = 1.0,
    span: Span | None = None,
    draws: int = 20,
    random_directions: Sequence[Direction] | None = None,
    axis: Float[Tensor, " d_model"] | None = None,
) -> list[Arm]:
    """Nothing; the direction added (`natural` units) and removed (its projection set to `level`, raw units: that of
    texts without the state); both along `draws` random directions, or those given; with an `axis`, the direction's part
    along it and the rest of it, each added at the norm of the whole. By default wherever new text is predicted."""
    span = span or Span.generated()

    def add(along: Direction) -> tuple[Intervention, ...]:
        return (steer_along(along, natural=natural, residual_norm=residual_norm, span=span),)

    def remove(along: Direction | None) -> tuple[Intervention, ...]:
        edit = Clamp(direction, level) if along is None else ClampElsewhere(direction, level, along)
        return (Intervention(edit, direction.site, span),)

    strays = random_directions or [random_control(direction, draw) for draw in range(draws)]
    found = [Arm("baseline"), Arm("added", add(direction)), Arm("removed", remove(None))]
    found += [Arm("added", add(stray), draw) for draw, stray in enumerate(strays)]
    found += [Arm("removed", remove(stray), draw) for draw, stray in enumerate(strays)]
    if axis is not None:
        along, rest = split_along(direction, axis)
        found += [Arm("added, along", add(along)), Arm("added, rest", add(rest))]
    return found


def split_along(direction: Direction, axis: Float[Tensor, " d_model"]) -> tuple[Direction, Direction]:
    """The part of a direction along an axis (that of a word it might merely promote), and the rest; unit vectors of the
    same scale. Raises InputError where either is nothing."""
    unit = (axis / axis.norm()).to(direction.vector)
    along = (direction.vector @ unit) * unit
    parts = along, direction.vector - along
    if min(float(part.norm()) for part in parts) < 1e-4:
        raise InputError(
            "a direction that cannot be split along this axis",
            given=f"cosine {float(direction.vector @ unit):.4f}",
            allowed="an axis that is neither the direction nor at a right angle to it",
        )
    names = f"{direction.method}, along an axis", f"{direction.method}, without an axis"
    first, second = (
        replace(direction, vector=part / part.norm(), method=name) for part, name in zip(parts, names, strict=True)
    )
    return first, second


def next_token_probability(
    model: Model, texts: Sequence[Text], arms: Sequence[Arm], tokens: Sequence[int], *, batch_size: int = TOGETHER
) -> dict[tuple[str, int | None], list[float]]:
    """How likely one of these tokens comes next after each text, in every arm."""

    def edited() -> Iterator[Text]:
        for arm in arms:
            yield from (replace(text, interventions=(*text.interventions, *arm.interventions)) for text in texts)

    each = next_token_logprobs(model, list(edited()), batch_size=batch_size)[:, list(tokens)].exp().sum(-1)
    columns = rearrange(each, "(arm text) -> arm text", arm=len(arms)).tolist()
    return {(arm.name, arm.draw): values for arm, values in zip(arms, columns, strict=True)}


def level_of(direction: Direction, values: Float[Tensor, "text d_model"]) -> float:
    """Mean projection of these residuals, in raw units: where removing sets it."""
    return float((values.float() @ direction.vector).mean())
