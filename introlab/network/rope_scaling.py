"""Rotary frequencies that depend on how long a text is, and how a text gets those that belong to it alone.

`longrope` (Phi-3) has two sets, for texts up to its first length and beyond; transformers chooses by the longest text
of the pass. Keys of one set mean nothing to queries of the other, so a text has one set from its first token to its
last. `dynamic` scaling begins beyond the context, which no text of the lab passes.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from introlab.errors import ContextOverflow


@dataclass(frozen=True)
class Frequencies:
    """What of a network's rotary frequencies depends on the length of a text."""

    switch: int | None = None
    """The longest text, in tokens, that is read with the first of two sets; None where there is one set."""
    limit: int | None = None
    """Positions from here on would change those of others."""

    @classmethod
    def of(cls, network: Any, context: int) -> Self:
        rotary = _rotary(network)
        switch = min((_first_length(each) for each in rotary if "longrope" in _kinds(each)), default=None)
        dynamic = any("dynamic" in _kinds(each) for each in rotary)
        return cls(switch, switch or (context if dynamic else None))


def check_crossing(name: str, switch: int | None, length: int, room: int) -> None:
    """Raises ContextOverflow for a text that would begin with one set of frequencies and end with another."""
    if switch is not None and length <= switch < length + room:
        raise ContextOverflow(
            f"the text would outgrow the rotary frequencies that {name} read its beginning with",
            given=f"{length} tokens and {room} to come",
            allowed=f"{switch} tokens in all, or a prompt that is longer already",
            do="shorten the prompt, or ask for fewer new tokens",
        )


def frequencies_of(model: Any, positions: Tensor) -> tuple[Tensor, AbstractContextManager[None]]:
    """The positions of a pass, and a context in which it has the frequencies of `model` (a `Model`), whatever stands
    beside its texts."""
    if model.reads_as_long:
        return positions, _as_long(model.path.network, model.context)
    limit = model.frequencies.limit  # positions of padding must not decide for others
    return positions if limit is None else positions.clamp_max(limit - 1), nullcontext()


@contextmanager
def _as_long(network: Any, length: int) -> Generator[None]:
    """Within it frequencies are those of texts of this many tokens, whatever positions a pass holds: one more position
    is asked for, and its answer dropped."""

    def longer(_: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        positions: Tensor = kwargs["position_ids"] if "position_ids" in kwargs else args[1]
        last = torch.full_like(positions[:, :1], length - 1)
        positions = torch.cat([positions, last], dim=1)
        if "position_ids" in kwargs:
            return args, {**kwargs, "position_ids": positions}
        return (args[0], positions, *args[2:]), kwargs

    def shorter(_module: nn.Module, _args: Any, output: Any) -> Any:
        return tuple(each[:, :-1] for each in output)

    handles: list[Any] = []
    try:
        for module in _rotary(network):
            handles.append(module.register_forward_pre_hook(longer, with_kwargs=True))
            handles.append(module.register_forward_hook(shorter))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _rotary(network: Any) -> list[nn.Module]:
    return [module for module in network.modules() if hasattr(module, "rope_type")]


def _kinds(module: Any) -> set[str]:
    kinds = module.rope_type
    return set(kinds.values()) if isinstance(kinds, dict) else {kinds}


def _first_length(module: Any) -> int:
    parameters = module.config.rope_parameters
    every = [each for each in parameters.values() if isinstance(each, dict)] or [parameters]
    return min(int(each["original_max_position_embeddings"]) for each in every if each.get("rope_type") == "longrope")
