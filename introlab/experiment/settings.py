"""How to run an experiment, without a say in what comes out."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from introlab.generation.workers import Writer


@dataclass(frozen=True)
class Settings:
    """How to run, without a say in what comes out."""

    batch_size: int = 64
    shuffle: int | None = None
    deterministic: bool = False
    dtype: str = "float32"
    device: str | None = None
    raw: bool = False
    """Without the chat template: the bare words."""
    materials: Path | None = None
    trust_remote_code: bool = False
    quiet: bool = False
    workers: int = 1
    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    """Of a Ray cluster."""
    day: str = field(default_factory=lambda: date.today().isoformat())
    """What chat templates that write a date take it for; a run that goes on keeps the one it was begun with."""
    anyway: bool = False
    """Run even what a check of the model says cannot be decided."""
    budget: str | None = None
    """Of time: 90s, 10m, 2h, unlimited. Decides sizes before a run begins, which then are the run's. None: by the
    model's size (`introlab.experiment.preflight`)."""
    small: bool = False
    """Whether a large model's own budget is the small one."""
    keep: frozenset[str] = frozenset()
    """Settings of the experiment that no budget cuts."""
    allow_missing: tuple[str, ...] = ()
    """Tensors that a model's files may lack (`introlab.network.model.load`)."""

    def loading(self, spec: str) -> dict[str, Any]:
        """Arguments of `introlab.network.model.load`."""
        return {
            "spec": spec,
            "device": self.device,
            "dtype": self.dtype,
            "trust_remote_code": self.trust_remote_code,
            "deterministic": self.deterministic,
            "today": date.fromisoformat(self.day),
            "allow_missing": self.allow_missing,
            "chat": "raw" if self.raw else "template",
        }

    def writers(self, spec: str) -> "AbstractContextManager[Writer | None]":
        """Who writes the texts of a model; None is this process itself."""
        if self.engine == "ray":
            from introlab.generation.ray_pool import ray_workers

            return ray_workers(self.workers, self.loading(spec), self.address)
        if self.workers == 1:
            return nullcontext()
        from introlab.generation.process_pool import local_workers

        return local_workers(self.workers, self.loading(spec))
