"""`introlab saes pages`: what the latents of an autoencoder stand for, as pages to look at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from experiments.cli.loading import LoadsModel
from experiments.cli.own_texts import in_tokens
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.io.terminal import say
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.tasks.materials import materials_for
from introlab.tasks.text_files import read_texts
from probes.sae.corpus import own_answers
from probes.sae.latent_dashboard import write_pages
from probes.sae.max_activating_examples import frequencies, latent_summaries
from probes.sae.model import Sae

QUESTIONS, EACH = 150, 3
"""What the model is asked if no texts are given, and how often."""


@dataclass(frozen=True, kw_only=True)
class Pages(LoadsModel):
    """A page for each latent: where it is active, on which tokens, and which words it promotes."""

    spec: Annotated[str, tyro.conf.Positional]
    """The autoencoder: organism:NAME, RELEASE:SAE_ID of sae-lens' registry, or a folder."""
    out: Path
    """A new folder; open index.html in it."""
    model: str = "organism:base"
    latents: tuple[int, ...] = ()
    """Default: `count` of those that are ever active, evenly over how often they are."""
    count: int = 32
    texts: Path | None = None
    """JSON lines as `introlab read` takes them. Default: what the model writes about its materials."""
    site: str | None = None
    """Where to read it; where its file says, if not given."""
    batch_size: int = 32

    def __call__(self) -> int:
        model = self.load()
        sae = Sae.load(self.spec, model=model, site=Site.parse(self.site) if self.site else None)
        if self.out.exists():
            raise InputError("there is something here already", given=self.out, do="choose another --out")
        texts = [line.text for line in in_tokens(model, read_texts(self.texts))] if self.texts else self._own(model)
        latents = self.latents or self._spread(model, sae, texts)
        found = latent_summaries(model, sae, texts, latents, batch_size=self.batch_size)
        about = f"{sae.latents} latents of {sae.name} at {sae.site} of {model.name}, read on {len(texts)} texts."
        say(write_pages(found, self.out, about=about))
        return 0

    def _own(self, model: Model) -> list[Text]:
        said = own_answers(model, materials_for(model), "extract", questions=QUESTIONS, each=EACH)
        return [one.text for one in said]

    def _spread(self, model: Model, sae: Sae, texts: list[Text]) -> tuple[int, ...]:
        often = frequencies(model, sae, texts, batch_size=self.batch_size)
        order = often.argsort(descending=True)[: int((often > 0).sum())]
        if not len(order):
            raise InputError("no latent is ever active on these texts", given=self.spec, do="give other --texts")
        at = torch.linspace(0, len(order) - 1, min(self.count, len(order))).round().long()
        return tuple(order[at].tolist())
