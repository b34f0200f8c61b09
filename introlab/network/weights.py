"""Weights from disk: safetensors only, complete, of the right shapes, and those that a card holds the digest of."""

import logging
import re
import warnings
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch

from introlab.errors import InputError
from introlab.io.digests import SUMS, altered, check_sums, file_digest
from introlab.network.quiet_loading import without_progress_bars
from introlab.network.specs import CARD, card_of

NOT_LOADED = ("verification.json", "checkpoint.safetensors")
_TOLD = 5
"""Names of tensors in a message."""
_MASKS = re.compile(r"(rotary_emb\.inv_freq|masked_bias|attn\.bias|attention\.bias|position_ids)$")
"""What older checkpoints hold although it is computed."""


def pretrained(source: str, *, allow_missing: Sequence[str] = (), **settings: Any) -> Any:
    """The network in a folder or on the hub, as Hugging Face reads it, with every tensor from its files.

    `allow_missing` names tensors (with * and ?) that may be missing or left over: the missing ones are drawn anew, the
    same each time, and a warning names them. Raises InputError for any other tensor that is missing, has another shape,
    or belongs to a part of the network that its config.json does not have.
    """
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(0)
        with _unreported(), without_progress_bars():
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                source, output_loading_info=True, use_safetensors=True, **settings
            )
    network, info = loaded
    left_over = _meant(info["unexpected_keys"], [name for name, _ in network.named_parameters()])
    wrong = {f"{key[0]} {tuple(key[1])} instead of {tuple(key[2])}" for key in info["mismatched_keys"]}
    if wrong:
        raise _incomplete(source, "has tensors of other shapes than its config.json says", wrong)
    check_complete(source, info["missing_keys"], left_over, allow_missing)
    return network


@contextmanager
def _unreported() -> Generator[None]:
    """Without transformers' own report of what is missing: names from a file would reach the terminal as they are, and
    an error says the same."""
    logger = logging.getLogger("transformers")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def check_complete(source: str, missing: Iterable[str], left_over: Iterable[str], allow_missing: Sequence[str]) -> None:
    """Raises InputError for a tensor that is missing or left over and not allowed to be; warns of those that are."""
    told: list[str] = []
    for names, what in (
        (set(missing), "lacks tensors"),
        (set(left_over), "has tensors its config.json has no place for"),
    ):
        allowed = {name for name in names if any(fnmatchcase(name, each) for each in allow_missing)}
        if names - allowed:
            raise _incomplete(source, what, names - allowed)
        told += [f"{what}: {', '.join(sorted(allowed))}"] if allowed else []
    if told:
        warnings.warn(f"{source} {'; '.join(told)}. What is missing was drawn at random, with seed 0", stacklevel=4)


def _meant(unexpected: Collection[str], known: Sequence[str]) -> list[str]:
    """Those in a part that the network has: a block more, a bias. Other parts (vision towers) are of other uses."""
    parts = {tuple(name.split(".")[:2]) for name in known}
    return [name for name in unexpected if tuple(name.split(".")[:2]) in parts and not _MASKS.search(name)]


def _incomplete(source: str, what: str, names: Collection[str]) -> InputError:
    shown = sorted(names)[:_TOLD]
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return InputError(
        f"the model {what}",
        given=f"{source}: {', '.join(shown)}{more}",
        allowed="every tensor of the network, in the shape that config.json says",
        do="copy the model's files again, or name what may be missing with --allow-missing",
    )


def check_card(folder: Path, *, shipped: bool = False) -> None:
    """Where the folder has an organism's card: its weights are those that the card holds the digest of, and every file
    beside them is as it was listed. Raises InputError where one is not, and where a shipped organism has no list."""
    if not (folder / CARD).is_file():
        return
    stated = card_of(folder).get("weights")
    for path in folder.glob("*model.safetensors"):
        if file_digest(path) != stated:
            raise altered(path, f"the card says {stated}")
    listed = check_sums(folder, apart_from=NOT_LOADED)
    if shipped and not listed:
        raise InputError("a shipped organism without its list of digests", given=folder / SUMS, do="install it again")


def check_parent(folder: Path, parent: Path) -> None:
    """The parent's weights are those that the adapter's card was made for, where it has a card."""
    if not (folder / CARD).is_file():
        return
    stated = card_of(folder).get("parent_weights")
    for path in parent.glob("*model.safetensors"):
        if file_digest(path) != stated:
            raise altered(path, f"the card of {folder.name} says {stated}")
