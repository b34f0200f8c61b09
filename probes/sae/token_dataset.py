"""The tokens an autoencoder is trained on: which rows of a store are taken, which items are held out, in what order."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from introlab.activations.store import Store
from introlab.errors import InputError
from introlab.network.sites import Site

Phase = Literal["prompt", "generated"]
Role = Literal["system", "user", "assistant"]
CHUNK = 64
"""Neighbours on disk that are drawn together; their companions in a batch come from anywhere in their block."""
BLOCK_BYTES = 128 * 2**20
"""Values that are in memory, and shuffled, at a time."""


@dataclass(frozen=True, kw_only=True)
class TokenChoice:
    """Which tokens are taken, and which items are never trained on."""

    phases: tuple[Phase, ...] = ("prompt", "generated")
    """As the store says: the position that predicts the first new token is generated."""
    roles: tuple[Role, ...] = ("system", "user", "assistant")
    """Whose turns; what is prefilled is the assistant's."""
    template: bool = False
    """Whether tokens outside every turn are taken too: headers and marks of the chat template, and whole texts whose
    turns are not known."""
    without: tuple[int, ...] = ()
    """Tokens that are never taken, such as the one that begins a text and is like no other."""
    held_out: float = 0.1
    """Share of the items that is kept from training."""

    def __post_init__(self) -> None:
        if not 0 <= self.held_out < 1 or not self.phases or not (self.roles or self.template):
            raise InputError(
                "a choice of tokens that leaves none", given=self, do="name a phase, a role, and hold out less than all"
            )

    def takes(self, index: Any) -> np.ndarray:
        """Which lines of a store's index are taken, held out or not: every position once, however often it was read."""
        role = index["turn"].str.split(" ").str[0].replace("prefill", "assistant")
        inside = role.isin(self.roles) | ((role == "") if self.template else False)
        taken = inside & index["phase"].isin(self.phases) & ~index["token"].isin(self.without)
        taken &= index["pooling"] == "tokens"
        once = ~index[taken].duplicated(["key", "site", "position"])
        taken[taken] = once
        return taken.to_numpy()

    def holds_out(self, item: str) -> bool:
        """Whether an item is kept from training: decided by its name, and so the same in every store."""
        draw = int.from_bytes(hashlib.blake2b(item.encode(), digest_size=8, person=b"sae item").digest(), "big")
        return draw / 2**64 < self.held_out


@dataclass(frozen=True)
class TokenRows:
    """Rows of a store at one site, read from disk when they are needed."""

    store: Store
    lines: Any
    """Of the store's index (pandas)."""

    @classmethod
    def of(cls, store: Store, site: Site, choice: TokenChoice) -> tuple[Self, Self]:
        """Those to train on and those of held-out items. Raises InputError where there are none to train on."""
        index: Any = store.index()
        chosen = index[(index["site"] == str(site)).to_numpy() & choice.takes(index)]
        if chosen.empty:
            raise InputError(
                "no tokens to train on",
                given=f"{choice} at {site}",
                allowed=f"sites {', '.join(sorted(index['site'].unique()))}, read with pooling tokens",
                do="say where the turns stand when collecting, or take the template's tokens too",
            )
        if (chosen.groupby("sample")["item"].nunique() > 1).any():
            raise InputError("a text that belongs to two items", given=store.folder, do="read into a new folder")
        items = {item: choice.holds_out(item) for item in chosen["item"].unique()}
        kept = chosen["item"].map(items).to_numpy(dtype=bool)
        columns = ["shard", "row", "site", "sample", "item", "token"]
        if kept.all():
            raise InputError("every item is held out", given=f"{len(items)} items", do="hold out less, or read more")
        lines = chosen[columns]
        return cls(store, lines[~kept].reset_index(drop=True)), cls(store, lines[kept].reset_index(drop=True))

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def items(self) -> int:
        return int(self.lines["item"].nunique())

    @property
    def digest(self) -> str:
        """Of which rows they are."""
        hashed: Any = pd.util.hash_pandas_object(self.lines, index=False)  # type: ignore[attr-defined]
        return hashlib.sha256(hashed.to_numpy().tobytes()).hexdigest()[:16]

    def values(self, which: np.ndarray) -> Tensor:
        """[row, width] in float32, in the order asked for; read from disk in the order in which they lie there."""
        order = np.argsort(which, kind="stable")
        found = self.store.activations(self.lines.iloc[which[order]]).values
        return found[torch.from_numpy(np.argsort(order, kind="stable"))]

    def moments(self) -> tuple[Tensor, float]:
        """Mean [width] and mean squared distance from it, of all rows, in float64; in one pass."""
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for which in np.array_split(np.arange(len(self)), -(-len(self) // 65_536)):
            values = self.values(which).double()
            count, total, squares = count + len(values), total + values.sum(0), squares + values.square().sum()
        mean = total / count
        return mean, float(squares / count - mean.square().sum())

    def batches(self, *, size: int, seed: int, first: int = 0) -> Iterator[Tensor]:
        """Batches [size, width] without end, from number `first` on: every row once an epoch, each epoch in an order
        of its own that depends on the seed alone, so that what is begun later goes on as if it had not stopped. Rows
        that fill no batch wait for the next epoch. Raises InputError where there are fewer rows than a batch."""
        per_epoch = len(self) // size
        if per_epoch == 0:
            raise InputError("fewer tokens than a batch", given=f"{len(self)} tokens, batches of {size}")
        epoch, skipped = divmod(first, per_epoch)
        width = self.values(np.arange(1)).shape[1]
        block = max(1, BLOCK_BYTES // (4 * width * size)) * size
        while True:
            order = _order(len(self), block, seed, epoch)[: per_epoch * size]
            for start in range(skipped * size // block * block, len(order), block):
                values = self.values(order[start : start + block])
                begun = max(0, skipped * size - start)
                yield from values[begun:].split(size)
            epoch, skipped = epoch + 1, 0


def _order(count: int, block: int, seed: int, epoch: int) -> np.ndarray:
    """All rows: chunks in random order, then rows within each block."""
    draw = np.random.default_rng([seed, epoch])
    chunks = draw.permutation(-(-count // CHUNK)).astype(np.int64)
    order = (chunks[:, None] * CHUNK + np.arange(CHUNK)).flatten()
    order = order[order < count]
    for start in range(0, count, block):
        draw.shuffle(order[start : start + block])
    return order
