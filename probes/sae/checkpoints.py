"""An unfinished training on disk: weights, Adam's state and counters in one safetensors file.

sae-lens' own trainer state is a pickle, which the lab neither writes nor reads. Orders of rows follow from the seed
and the step, and schedules from the step, so nothing else is needed to go on to the same bytes.
"""

import warnings
from pathlib import Path
from typing import Any

from introlab.errors import InputError
from introlab.network.tensors import reading, save_sealed

_FIRED = "n_forward_passes_since_fired"


def checkpoint(trainer: Any, path: Path, identity: str) -> None:
    """Write the state of sae-lens' `trainer`; `identity` says of which training it is. Raises RunFolderError where the
    disk refuses; the checkpoint before it stays."""
    tensors = {f"sae.{name}": tensor for name, tensor in trainer.sae.state_dict().items()}
    for index, state in trainer.optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{name}": tensor for name, tensor in state.items()}
    tensors[_FIRED] = trainer.n_forward_passes_since_fired
    meta = {"identity": identity, "steps": str(trainer.n_training_steps)}
    save_sealed(tensors, path, meta)


def resumed(trainer: Any, path: Path, identity: str) -> int:
    """Put a fresh trainer where the checkpoint was; how many steps were done. Raises InputError for one of another
    training, and for any other file or one that was changed."""
    with reading(path, "a checkpoint of a training", made_by="introlab saes train") as (file, meta):
        if meta["identity"] != identity:
            raise other_training(path)
        steps, tensors = int(meta["steps"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        trainer.n_forward_passes_since_fired.copy_(tensors.pop(_FIRED))
        trainer.sae.load_state_dict(
            {name.removeprefix("sae."): each for name, each in tensors.items() if name.startswith("sae.")}
        )
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith("adam."):
            _, index, what = name.split(".")
            state.setdefault(int(index), {})[what] = tensor
    groups = trainer.optimizer.state_dict()["param_groups"]
    trainer.optimizer.load_state_dict({"state": state, "param_groups": groups})
    trainer.n_training_steps = steps
    trainer.n_training_samples = steps * trainer.cfg.train_batch_size_samples
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no step of the optimizer came before
        for _ in range(steps):
            trainer.lr_scheduler.step()
    for schedule in trainer.coefficient_schedulers.values():
        schedule.load_state_dict({"current_step": steps})
    return steps


def other_training(place: Path) -> InputError:
    return InputError(
        "the folder holds another training", given=place, do="choose another folder, or the same settings"
    )
