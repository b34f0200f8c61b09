"""A training run that was stopped goes on where it was: weights and optimizer state, in one safetensors file."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from introlab.network.tensors import reading, save_sealed


def save_checkpoint(
    path: Path, model: nn.Module, optimizers: Sequence[Optimizer], *, steps_done: int, course: str
) -> None:
    """Replace the checkpoint in one move. `course` names the lessons, so that no other run takes it up.
    Raises RunFolderError where the disk refuses; the checkpoint before it stays."""
    tensors = {f"weight/{name}": value.detach() for name, value in _learnt(model)}
    for index, optimizer in enumerate(optimizers):
        for number, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"state/{index}/{number}/{key}"] = torch.as_tensor(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    apart = {name: value.clone() for name, value in tensors.items()}
    save_sealed(apart, path, {"steps_done": str(steps_done), "course": course})


def load_checkpoint(path: Path, model: nn.Module, optimizers: Sequence[Optimizer], *, course: str) -> int:
    """Take up a checkpoint; returns the number of steps done, 0 where there is none of this course. Raises InputError
    for one that was changed since it was written."""
    if not path.exists():
        return 0
    with reading(path, "a checkpoint of a training", made_by="introlab organisms train") as (file, meta):
        if meta["course"] != course:
            return 0
        tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    with torch.no_grad():
        for name, value in _learnt(model):
            value.copy_(tensors[f"weight/{name}"])
    for index, optimizer in enumerate(optimizers):
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(f"state/{index}/"):
                _, _, number, key = name.split("/")
                states.setdefault(int(number), {})[key] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
    return int(meta["steps_done"])


def _learnt(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, value) for name, value in model.named_parameters() if value.requires_grad]
