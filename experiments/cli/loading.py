"""How a command loads its model: the same flags in every command that loads one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from introlab.network.model import Model


@dataclass(frozen=True, kw_only=True)
class LoadsModel:
    """Base of the commands that work on one model."""

    model: str = "organism:reflective"
    """organism:NAME, smollm2 (or another of `introlab models`), a .gguf file, a local folder, or a hub id."""
    device: str | None = None
    """cpu, cuda, cuda:1, mps; by default a GPU where there is one."""
    dtype: str = "float32"
    """float32, float64, bfloat16 or float16."""
    raw: bool = False
    """Give the model the bare words, without its chat template: it continues them. For base models."""
    allow_missing: tuple[str, ...] = ()
    """Tensors, by name (with * and ?), that the model's files may lack; they are drawn at random."""
    trust_remote_code: bool = False
    """Let a hub model run its own code. Off unless you say so."""

    def load(self) -> Model:
        """The model, loaded as the flags say."""
        from introlab.network.model import load

        return load(
            self.model,
            device=self.device,
            dtype=self.dtype,
            allow_missing=self.allow_missing,
            trust_remote_code=self.trust_remote_code,
            chat="raw" if self.raw else "template",
        )
