"""Training a sparse autoencoder on a store of activations, with sae-lens' architectures and losses.

Beside sae-lens' own runner: equal weights for equal seeds, byte for byte; a training that was stopped goes on to the
same bytes; tokens are chosen by turn, role and phase, and items are held out whole.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from tqdm.auto import tqdm

from introlab.activations.store import Store
from introlab.errors import InputError, NotFinite, RunFolderError
from introlab.io.atomic import saving, write_whole
from introlab.io.digests import write_sums
from introlab.io.environment import versions
from introlab.network.sites import Site
from probes.sae.checkpoints import checkpoint, other_training, resumed
from probes.sae.formats import CHECKPOINT, RECORD
from probes.sae.model import LINEAGE, TEMPLATE
from probes.sae.token_dataset import TokenChoice, TokenRows


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How it is trained. Activations are scaled to a mean squared distance of 1 a coordinate from their mean, where it
    begins; the scale is folded into the weights afterwards."""

    architecture: str = "batchtopk"
    """Any of sae-lens' for training: topk, batchtopk, jumprelu, matryoshka_batchtopk, standard, gated."""
    latents: int = 1024
    active: float = 16
    """How many latents of a token may be active: exactly (topk), on average (batchtopk), as a target (jumprelu). Other
    architectures have a coefficient of their own, in `settings`."""
    tokens: int = 4_000_000
    """How many are shown, over all epochs."""
    batch_size: int = 1024
    learning_rate: float = 1e-3
    """Rises over the first 5 % and falls to 0 over the last 20 %."""
    dead_after: int = 200_000
    """Tokens without firing after which a latent counts as dead, and is helped by the loss."""
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of sae-lens' configuration of this architecture."""

    def __post_init__(self) -> None:
        whole = self.architecture != "topk" or self.active == int(self.active)
        if not 0 < self.active <= self.latents or not whole:
            raise InputError(
                "not a number of active latents",
                given=f"{self.active} of {self.latents}, {self.architecture}",
                allowed="more than 0, no more than there are; a whole number for topk",
            )

    @property
    def steps(self) -> int:
        return self.tokens // self.batch_size

    def own_settings(self) -> dict[str, Any]:
        """What `active` means to this architecture; for jumprelu the quadratic penalty of Gemma Scope 2."""
        if self.architecture == "jumprelu":
            sparsity = {"jumprelu_sparsity_loss_mode": "quadratic", "target_l0": self.active}
            sparsity |= {"l0_coefficient": 1.0, "l0_warm_up_steps": self.steps // 5, "pre_act_loss_coefficient": 3e-6}
        elif self.architecture == "topk":
            sparsity = {"k": int(self.active)}
        elif "topk" in self.architecture:
            sparsity = {"k": self.active}
        else:
            sparsity = {}
        return {**sparsity, **self.settings}


def train_sae(
    store: Store,
    site: Site,
    folder: Path,
    recipe: Recipe,
    choice: TokenChoice | None = None,
    *,
    device: str = "cpu",
    checkpoint_every: int = 500,
    quiet: bool = True,
) -> dict[str, Any]:
    """Train one into `folder`, which plain sae-lens opens (`SAE.load_from_disk`), and return the record that lies
    beside it. A training that was stopped goes on after its last checkpoint; one that is done is not done again.

    Raises InputError for a recipe that sae-lens refuses, for a store without such tokens, and for a folder that holds
    another training; NotFinite where the weights come to NaN.
    """
    choice = choice or TokenChoice()
    rows, kept = TokenRows.of(store, site, choice)
    said = _said(store, site, recipe, choice, rows, kept)
    identity = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    if (folder / RECORD).is_file():
        record = _read(folder / RECORD)
        if record["identity"] != identity:
            raise other_training(folder)
        (folder / CHECKPOINT).unlink(missing_ok=True)  # it may have been stopped right before that
        return record
    folder.mkdir(parents=True, exist_ok=True)
    mean, variance = rows.moments()
    scale = float((len(mean) / max(variance, 1e-12)) ** 0.5)
    trainer = _trainer(recipe, len(mean), device)
    trainer.sae.b_dec.data.copy_(mean * scale)
    path = folder / CHECKPOINT
    done = resumed(trainer, path, identity) if path.is_file() else 0
    progress = tqdm(total=recipe.steps, initial=done, desc="training an autoencoder", unit="step", disable=quiet)
    for step in _steps(trainer, rows, recipe, scale, done, progress):
        if step % checkpoint_every == 0 and step < recipe.steps:
            checkpoint(trainer, path, identity)
    progress.close()
    for parameter in trainer.sae.parameters():
        _finite(parameter.detach().sum())
    try:
        _write(trainer.sae, scale, folder, said)
    except (OSError, SafetensorError) as error:
        raise RunFolderError(
            "the training cannot be written", given=f"{path} ({error})", do="free disk space and go on: nothing is lost"
        ) from error
    _write_record(folder, {**said, "identity": identity, "versions": versions(), "steps": recipe.steps, "scale": scale})
    path.unlink(missing_ok=True)
    return _read(folder / RECORD)


def _write_record(folder: Path, record: dict[str, Any]) -> None:
    """The sums of the folder's files, then the record, which comes last: it says that the training is done."""
    text = json.dumps(record, indent=1) + "\n"
    write_sums(folder, apart_from=(CHECKPOINT, RECORD), coming={RECORD: text})
    write_whole(folder / RECORD, lambda at: at.write_text(text, encoding="utf-8"))


def _steps(trainer: Any, rows: TokenRows, recipe: Recipe, scale: float, done: int, progress: Any) -> Iterator[int]:
    """Take every step that is left; yields how many are done."""
    batches = rows.batches(size=recipe.batch_size, seed=recipe.seed, first=done)
    for step in range(done + 1, recipe.steps + 1):
        output = trainer.step(next(batches).mul_(scale))
        trainer.n_training_steps += 1
        progress.update()
        if step % 100 == 0:
            progress.set_postfix(loss=f"{_finite(output.loss.detach()):.4g}", refresh=False)
        yield step


def _finite(number: Tensor) -> float:
    if not bool(torch.isfinite(number)):
        raise NotFinite("the training of an autoencoder came to NaN or infinity", do="lower its learning rate")
    return float(number)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _said(
    store: Store, site: Site, recipe: Recipe, choice: TokenChoice, rows: TokenRows, kept: TokenRows
) -> dict[str, Any]:
    """Everything the weights depend on."""
    return {
        "site": str(site),
        "store": store.facts,
        "recipe": asdict(recipe),
        "choice": asdict(choice),
        "rows": {"trained on": len(rows), "items": rows.items, "which": rows.digest},
        "held out": {"rows": len(kept), "items": kept.items},
    }


def _trainer(recipe: Recipe, width: int, device: str) -> Any:
    from sae_lens.config import SAETrainerConfig
    from sae_lens.registry import get_sae_training_class
    from sae_lens.training.sae_trainer import SAETrainer

    if recipe.steps < 1:
        raise InputError("no step to train", given=f"{recipe.tokens} tokens in batches of {recipe.batch_size}")
    try:
        sae_class, config_class = get_sae_training_class(recipe.architecture)
        config = config_class(d_in=width, d_sae=recipe.latents, device=device, **recipe.own_settings())
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            sae = sae_class(config)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            "an autoencoder that sae-lens cannot make",
            given=f"{recipe.architecture}: {error}",
            allowed="topk, batchtopk, jumprelu, or another architecture of sae-lens with its settings",
        ) from error
    steps = recipe.steps
    schedule = SAETrainerConfig(
        total_training_samples=steps * recipe.batch_size,
        train_batch_size_samples=recipe.batch_size,
        lr=recipe.learning_rate,
        lr_end=recipe.learning_rate,
        lr_warm_up_steps=steps // 20,
        lr_decay_steps=steps // 5,
        dead_feature_window=max(1, recipe.dead_after // recipe.batch_size),
        device=device,
    )
    return SAETrainer(cfg=schedule, sae=sae, data_provider=iter(()))


def _write(sae: Any, scale: float, folder: Path, said: Mapping[str, Any]) -> None:
    """As an autoencoder for use: of unscaled activations, decoder rows of norm 1, with where it belongs."""
    sae.fold_activation_norm_scaling_factor(scale)
    sae.fold_W_dec_norm()
    sae.to("cpu")
    metadata = sae.cfg.metadata
    metadata.model_name = said["store"]["name"]
    metadata.hook_name = Site.parse(said["site"]).hook_name
    metadata.hook_head_index = Site.parse(said["site"]).head
    setattr(metadata, LINEAGE, said["store"]["model"])
    setattr(metadata, TEMPLATE, said["choice"]["template"])
    with saving(folder) as room:
        sae.save_inference_model(room)
