"""What linear probes are fitted on: rows that need not fit into memory, several targets, several folds.

Numbers only: what rows, targets and folds mean is known to probes/linear/bank.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from introlab.errors import InputError

CHUNK = 8192
"""Rows in memory at a time."""


class ActivationRows(Protocol):
    """A matrix of which slices of rows can be had: a tensor, or one that lies on disk."""

    def __getitem__(self, index: slice, /) -> Tensor: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True)
class ProbeDataset:
    """Fold `f` of target `t` is fitted on the rows whose part is used by that fold.

    Labels are from 0 to 1; in between they are shares (soft labels). Rows are looked at in chunks, a few times each: no
    more than `CHUNK` of them are in memory, beside the second moments of the parts. Raises InputError for labels out of
    range, and where a fit has one class only.
    """

    rows: ActivationRows
    labels: Float[Tensor, "row target"]
    part: Int[Tensor, " row"]
    uses: Bool[Tensor, "fold part"]

    def __post_init__(self) -> None:
        if not len(self.rows) == len(self.labels) == len(self.part):
            raise InputError(
                "rows, labels and parts of different number",
                given=f"{len(self.rows)}, {len(self.labels)} and {len(self.part)}",
            )
        if not bool(((self.labels >= 0) & (self.labels <= 1)).all()):
            raise InputError("labels that are no shares", given="NaN, or a value outside of 0 to 1", allowed="0 to 1")
        uses = self.uses.double()
        count, positive = uses @ self.per_part(torch.ones_like(self.labels[:, :1])), uses @ self.per_part(self.labels)
        if bool(((positive <= 0) | (positive >= count)).any()):
            raise InputError(
                "a probe needs both classes",
                given=f"a fit with {int(positive.min())} to {int(positive.max())} positive of {int(count.min())}",
            )

    @classmethod
    def plain(cls, rows: ActivationRows, labels: Float[Tensor, "row target"]) -> "ProbeDataset":
        """Every target on all rows."""
        part = torch.zeros(len(rows), dtype=torch.long, device=labels.device)
        return cls(rows, labels, part, torch.ones(1, 1, dtype=torch.bool, device=labels.device))

    def chunks(self) -> Iterator[tuple[slice, Tensor]]:
        """Slices of rows, and their values in float32 on the labels' device."""
        for start in range(0, len(self.rows), CHUNK):
            here = slice(start, min(start + CHUNK, len(self.rows)))
            yield here, self.rows[here].to(self.labels.device, torch.float32)

    def per_part(self, values: Float[Tensor, "row n"]) -> Float[Tensor, "part n"]:
        """Sums over the rows of each part, in float64."""
        sums = values.new_zeros(self.uses.shape[1], values.shape[1], dtype=torch.float64)
        return sums.index_add_(0, self.part, values.double())

    @cached_property
    def centre(self) -> Float[Tensor, " d"]:
        """A point near the mean, taken from values before they are summed; any such point gives the same fits."""
        return self.rows[slice(0, min(CHUNK, len(self.rows)))].to(self.labels.device, torch.float32).mean(0)

    @cached_property
    def parts(self) -> "ClassMoments":
        """Of every part; one pass over the rows."""
        return self._moments(squares=True)

    @cached_property
    def folds(self) -> "ClassMoments":
        """Of the rows of every fold."""
        return self._of_folds(self.parts)

    @cached_property
    def first_moments(self) -> "ClassMoments":
        """Of the rows of every fold, without squares: all that means need, in a tenth of the time."""
        return self._of_folds(self._moments(squares=False))

    def _of_folds(self, parts: "ClassMoments") -> "ClassMoments":
        return ClassMoments(*(torch.tensordot(self.uses.double(), each, dims=1) for each in parts.every))

    def _moments(self, *, squares: bool) -> "ClassMoments":
        parts, targets, width = self.uses.shape[1], self.labels.shape[1], len(self.centre)
        sums = self.centre.new_zeros(parts, 1 + targets, width, dtype=torch.float64)
        square = self.centre.new_zeros(parts, *((width, width) if squares else (0, 0)), dtype=torch.float64)
        for here, values in self.chunks():
            counts = torch.bincount(self.part[here], minlength=parts).tolist()
            order = self.part[here].argsort() if parts > 1 else slice(None)
            values = values[order] - self.centre
            labels = torch.nn.functional.pad(self.labels[here][order].float(), (1, 0), value=1.0)
            for part, (some, marks) in enumerate(zip(values.split(counts), labels.split(counts), strict=True)):
                sums[part] += marks.T @ some
                if squares:
                    _add_squares(square[part], some)
        if not bool(torch.isfinite(sums).all()):
            raise InputError("values that are NaN or infinite", given=f"{len(self.rows)} rows")
        ones = torch.ones_like(self.labels[:, :1])
        return ClassMoments(
            self.per_part(ones)[:, 0],
            sums[:, 0],
            square.triu() + square.triu(1).mT,
            self.per_part(self.labels),
            sums[:, 1:],
        )

    def spread(self, coef: Float[Tensor, "fold fit d"]) -> Float[Tensor, "fold fit"]:
        """Variance along directions of each fold's rows, without their squares; one pass over the rows."""
        flat, parts = coef.flatten(0, 1).T.float(), self.uses.shape[1]
        sums = self.centre.new_zeros(2, parts, flat.shape[1], dtype=torch.float64)
        for here, values in self.chunks():
            along = ((values - self.centre) @ flat).double()
            sums[0].index_add_(0, self.part[here], along)
            sums[1].index_add_(0, self.part[here], along**2)
        first, second = (self.uses.double() @ sums).unflatten(-1, coef.shape[:2]).diagonal(dim1=1, dim2=2).mT
        count = self.first_moments.count[:, None]
        return second / count - (first / count) ** 2

    @cached_property
    def size(self) -> float:
        """Root mean square of the values about their mean: penalties are meant for values divided by it."""
        spread = self.parts.together.scatter[0].trace() / (len(self.rows) * len(self.centre))
        if float(spread) <= 0:
            raise InputError("values that do not vary", given=f"{len(self.rows)} rows")
        return float(spread.sqrt())


@dataclass(frozen=True)
class ClassMoments:
    """Sums over groups of rows, about the problem's centre, in float64."""

    count: Float[Tensor, " group"]
    total: Float[Tensor, "group d"]
    square: Float[Tensor, "group d d"]
    label: Float[Tensor, "group target"]
    cross: Float[Tensor, "group target d"]
    """Of label times value."""

    @property
    def every(self) -> tuple[Tensor, ...]:
        return self.count, self.total, self.square, self.label, self.cross

    @property
    def together(self) -> "ClassMoments":
        """Of all groups as one."""
        return ClassMoments(*(each.sum(0, keepdim=True) for each in self.every))

    @property
    def means(self) -> tuple[Float[Tensor, "group target d"], Float[Tensor, "group target d"]]:
        """Of the positive and of the negative rows."""
        positive = self.cross / self.label[..., None]
        negative = (self.total[:, None] - self.cross) / (self.count[:, None] - self.label)[..., None]
        return positive, negative

    @property
    def gaps(self) -> Float[Tensor, "group target d"]:
        """From the mean of the negative to that of the positive rows."""
        positive, negative = self.means
        return positive - negative

    @property
    def scatter(self) -> Float[Tensor, "group d d"]:
        """Squares about the group's own mean."""
        return self.square - torch.einsum("gi,gj->gij", self.total, self.total) / self.count[:, None, None]

    def spread(self, coef: Float[Tensor, "group fit d"]) -> Float[Tensor, "group fit"]:
        """Variance along directions of each group's rows."""
        return torch.einsum("gki,gij,gkj->gk", coef, self.scatter, coef) / self.count[:, None]

    def within(self, target: int) -> Float[Tensor, "group d d"]:
        """Covariance within the classes of a target, pooled (sums divided by the number of rows)."""
        gap, share = self.gaps[:, target], self.label[:, target] / self.count
        between = torch.einsum("g,gi,gj->gij", share * (1 - share), gap, gap)
        return self.scatter / self.count[:, None, None] - between


def _add_squares(square: Float[Tensor, "d d"], some: Float[Tensor, "row d"], *, block: int = 128) -> None:
    """Add the upper triangle of the rows' products (and some of the lower): the rest is its mirror image."""
    for start in range(0, some.shape[1], block):
        columns = slice(start, start + block)
        square[columns, start:] += some[:, columns].T @ some[:, start:]
