"""Sparse autoencoders that know their site and their model: loaded through sae-lens, or trained by the lab.

sae-lens is imported when the first one is loaded: it takes four seconds.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.activations import Activations
from introlab.errors import InputError, ModelMismatch
from introlab.models import Model
from introlab.sites import Site

LINEAGE = "introlab_model"
"""In an autoencoder's metadata: fingerprint of the model it was trained on."""


@dataclass(frozen=True, eq=False)
class Sae:
    """A sparse autoencoder, where it belongs, and of which model; `sae` is sae-lens's own."""

    sae: Any
    site: Site
    name: str
    model: str | None = None
    """Fingerprint of the model it was trained on, where that is known."""

    @property
    def width(self) -> int:
        return int(self.sae.cfg.d_in)

    @property
    def latents(self) -> int:
        return int(self.sae.cfg.d_sae)

    @classmethod
    def load(cls, spec: str, *, model: Model, site: Site | None = None) -> Self:
        """From a local folder that sae-lens wrote, or ``RELEASE:SAE_ID`` of its registry. The site is what the file
        says, unless it is given.

        Raises InputError for what cannot be loaded, for an unknown site and for another width than the model's there;
        ModelMismatch where it was trained on another model or at another site than asked for.
        """
        sae = _loaded(spec, str(model.device))
        stated = vars(sae.cfg.metadata)
        at = _site_of(stated.get("hook_name"))
        if site is not None and at is not None and at != site:
            raise ModelMismatch(
                "an autoencoder of another site", given=f"trained at {at}", allowed=str(site), do=f"read at {at}"
            )
        if (at := site or at) is None:
            raise InputError(
                "an autoencoder that does not say where it belongs",
                given=f"{spec}: hook {stated.get('hook_name')}",
                do="say so with site=Site(layer)",
            )
        found = cls(sae, at, spec, stated.get(LINEAGE))
        found.check_model(model)
        return found

    def check_model(self, model: Model) -> None:
        """Raises ModelMismatch where it was trained on another model, InputError where its width does not fit."""
        model.check_site(self.site)
        if self.model not in (None, model.fingerprint):
            raise ModelMismatch("an autoencoder of another model", given=self.model, allowed=model.fingerprint)
        if self.width != model.width(self.site):
            raise InputError(
                "an autoencoder of another width",
                given=f"{self.width} wide, trained on {vars(self.sae.cfg.metadata).get('model_name', 'another model')}",
                allowed=f"{model.width(self.site)}, as {self.site} of {model.name}",
            )

    def save(self, folder: Path) -> None:
        """As sae-lens does: weights in safetensors, and cfg.json; any sae-lens loads it."""
        metadata = self.sae.cfg.metadata
        metadata.hook_name = self.site.hook_name
        setattr(metadata, LINEAGE, self.model)
        self.sae.save_model(folder)

    def __call__(self, activations: Activations) -> Float[Tensor, "example latent"]:
        """Latents of each example. Raises ModelMismatch for activations of another site or model."""
        wrong_model = self.model is not None and activations.model != self.model
        if activations.site != self.site or wrong_model:
            raise ModelMismatch(
                "activations of another place than the autoencoder's",
                given=f"{activations.site} of {activations.model}",
                allowed=f"{self.site} of {self.model or 'its model'}",
            )
        with torch.no_grad():
            return torch.cat(
                [self.sae.encode(part.to(self.sae.device)).cpu() for part in activations.values.split(4096)]
            )


def _loaded(spec: str, device: str) -> Any:
    from sae_lens import SAE

    folder = Path(spec).expanduser()
    try:
        if folder.is_dir():
            return SAE.load_from_disk(folder, device=device).eval().requires_grad_(False)
        release, _, name = spec.partition(":")
        return SAE.from_pretrained(release, name, device=device).eval().requires_grad_(False)
    except Exception as error:
        raise InputError(
            "the autoencoder could not be loaded",
            given=f"{spec} ({type(error).__name__}: {str(error).splitlines()[0][:200]})",
            allowed="a folder with cfg.json and sae_weights.safetensors, or RELEASE:SAE_ID that sae-lens knows",
            do="python -c 'from sae_lens.loading.pretrained_saes_directory import *' lists releases",
        ) from error


def _site_of(hook: str | None) -> Site | None:
    """The site a TransformerLens name means; None for one that is no site of ours."""
    match = re.fullmatch(r"blocks\.(\d+)\.(?:attn\.)?hook_(\w+)", hook or "")
    try:
        return Site(int(match[1]), match[2]) if match else None  # type: ignore[arg-type]
    except InputError:
        return None
