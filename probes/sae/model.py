"""Sparse autoencoders that know their site and their model: loaded through sae-lens, or trained by the lab.

sae-lens is imported when the first one is loaded: it takes four seconds.
"""

import copyreg
import warnings
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.activations.directions import Direction
from introlab.activations.extract import Activations
from introlab.errors import InputError, ModelMismatch
from introlab.network.model import Model
from introlab.network.sites import Site
from probes.sae.formats import opened

LINEAGE = "introlab_model"
"""In an autoencoder's metadata: fingerprint of the model it was trained on."""
TEMPLATE = "introlab_template"
"""Whether it was trained on tokens of the chat template, too."""
_UNKNOWN_SCALE = ("expected_average_only_in", "covariance_whitening")
"""Normalisations by numbers of the training data, which are folded into the weights or lost."""
_BY_POSITION = ("layer_norm", "constant_norm_rescale")
_TOGETHER = 4096


@dataclass(frozen=True, eq=False)
class Sae:
    """A sparse autoencoder, and where it is read; `sae` is sae-lens's own, in evaluation mode."""

    sae: Any
    site: Site
    name: str
    model: str
    """Fingerprint of the model it is read in, which may be another than it was trained on."""

    @property
    def width(self) -> int:
        return int(self.sae.cfg.d_in)

    @property
    def latents(self) -> int:
        return int(self.sae.cfg.d_sae)

    @property
    def knows_template(self) -> bool:
        """Whether it was trained on tokens of the chat template; those of others are held to be."""
        return self.sae.cfg.metadata[TEMPLATE] is not False

    @classmethod
    def load(cls, spec: str, *, model: Model, site: Site | None = None) -> Self:
        """The autoencoder a spec names, to be read in `model`: ``organism:NAME`` (shipped; ``organism:NAME/WHICH``
        where there are several), ``RELEASE:SAE_ID`` of sae-lens' registry, or a local folder, sae-lens' own or foreign.
        It belongs where its file says, unless `site` is given.

        Warns, naming both, where it was trained on another model or at another site of the same width, and where it
        expects activations to be scaled by a number that is lost. Raises InputError for what cannot be loaded, for an
        unknown site and for another width than the model's there; ModelMismatch for an organism's in a foreign model.
        """
        sae = opened(spec, str(model.device))
        if hasattr(sae.cfg, "d_out"):
            raise InputError("a transcoder, which writes another place than it reads", given=spec)
        # Heads lie side by side in the lab's activations, as they do in the autoencoder.
        sae.turn_off_forward_pass_hook_z_reshaping()
        copyreg.pickle(type(sae), _sent)
        stated = sae.cfg.metadata
        trained = _site_of(stated)
        if (at := site or trained) is None:
            raise InputError(
                "an autoencoder of a place that is no site of the lab",
                given=f"{spec}: hook {stated.hook_name}",
                do="say where to read it with site=Site(layer)",
            )
        model.check_site(at)
        origin = f"{_named(stated)} at {trained or stated.hook_name or 'no known site'}"
        if int(sae.cfg.d_in) != model.width(at):
            raise InputError(
                "an autoencoder of another width",
                given=f"{spec} is {sae.cfg.d_in} wide, trained on {origin}",
                allowed=f"{model.width(at)}, as {at} of {model.name}",
            )
        if _of_an_organism(stated) and not _same_model(stated, model) and model.family is None:
            raise ModelMismatch(
                "an organism's autoencoder in a model that is none of its family",
                given=f"{spec}, trained on {origin}",
                allowed=f"organisms, not {model.name}",
                do="choose an autoencoder that was trained on this model, or train one (introlab saes train)",
            )
        if not _same_model(stated, model) or at != trained:
            _warn(f"{spec} was trained on {origin}; it is read in {model.name} ({model.fingerprint}) at {at}")
        if sae.cfg.normalize_activations in _UNKNOWN_SCALE:
            _warn(
                f"{spec} was trained on activations scaled by {sae.cfg.normalize_activations}, and the scale is not in "
                "its file: it is read without"
            )
        return cls(sae, at, spec, model.fingerprint)

    def check(self, activations: Activations) -> None:
        """Raises ModelMismatch for activations of another site or model than it is read at."""
        if (activations.site, activations.model) != (self.site, self.model):
            raise ModelMismatch(
                "activations of another place than the autoencoder's",
                given=f"{activations.site} of {activations.model}",
                allowed=f"{self.site} of {self.model}",
                do="load it for this model and site, if that is meant",
            )

    def __call__(self, activations: Activations) -> Float[Tensor, "example latent"]:
        """Latents of each example. Raises ModelMismatch as `check` does."""
        self.check(activations)
        with torch.no_grad():
            parts = activations.values.split(_TOGETHER)
            return torch.cat([self.sae.encode(part.to(self.sae.device)).cpu() for part in parts])

    def written_by(self, latent: int, model: Model) -> Direction:
        """What the decoder writes for a latent; its natural unit is one of the latent's. Raises InputError for one
        there is not, and for an autoencoder that scales every position by itself, whose latents have no one length."""
        if not 0 <= latent < self.latents or self.sae.cfg.normalize_activations in _BY_POSITION:
            raise InputError("a latent without a direction", given=f"{latent} of {self.name}")
        one_hot = torch.zeros(2, self.latents, device=self.sae.device)
        one_hot[0, latent] = 1.0
        with torch.no_grad():
            with_it, without = self.sae.decode(one_hot).float().cpu()
        vector = with_it - without
        norm = float(vector.norm())
        return Direction(
            vector / norm, norm, self.site, model.fingerprint, model.family, f"{self.name}, latent {latent}", ()
        )

    def reconstructed(self, values: Float[Tensor, "*n d"]) -> tuple[Float[Tensor, "*n d"], Float[Tensor, "*n latent"]]:
        """What it makes of these values, of any precision, and the latents it makes it of, in float32."""
        with torch.no_grad():
            latents = self.sae.encode(values.float())
            return self.sae.decode(latents), latents


def _sent(sae: Any) -> tuple[Any, ...]:
    """How one is sent to a worker: sae-lens' own objects hold functions without a name, which cannot be."""
    return _received, (type(sae), sae.cfg, dict(sae.state_dict()))


def _received(kind: type, config: Any, weights: dict[str, Tensor]) -> Any:
    made = kind(config)
    made.load_state_dict(weights)
    made.turn_off_forward_pass_hook_z_reshaping()
    return made.eval().requires_grad_(False)


def _site_of(stated: Any) -> Site | None:
    name, head = stated.hook_name or "", stated.hook_head_index
    site = Site.of_hook(name)
    return Site(site.layer, "z", int(head)) if site is not None and site.stream == "z" and head is not None else site


def _named(stated: Any) -> str:
    lineage = f" ({stated[LINEAGE]})" if stated[LINEAGE] else ""
    return f"{stated.model_name or 'a model it does not name'}{lineage}"


def _of_an_organism(stated: Any) -> bool:
    """Whether the lab trained it on one of the models it ships, wherever the file lies now."""
    return stated[LINEAGE] is not None and str(stated.model_name or "").startswith("organism:")


def _same_model(stated: Any, model: Model) -> bool:
    """By fingerprint where there is one, else by name, which is all that others write down."""
    if stated[LINEAGE] is not None:
        return stated[LINEAGE] == model.fingerprint
    return str(stated.model_name or "").lower().split("/")[-1] == model.name.lower().split("/")[-1]


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)
