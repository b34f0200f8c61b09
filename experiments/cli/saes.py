"""`introlab saes train`, `introlab saes show SPEC`."""

import json
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Annotated, Any

import tyro

from experiments.cli.loading import LoadsModel
from experiments.cli.own_texts import in_tokens
from experiments.cli.sae_pages import Pages
from introlab.activations.collect import Reading, Sample, collect
from introlab.errors import InputError
from introlab.io.terminal import say
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.records.findings import Findings
from introlab.reporting.tables import text_table
from introlab.tasks.materials import materials_for
from introlab.tasks.text_files import read_texts
from probes.sae.corpus import own_answers
from probes.sae.fidelity import AFTER_THE_FIRST, fidelity
from probes.sae.model import Sae
from probes.sae.token_dataset import Phase, Role, TokenChoice
from probes.sae.training import Recipe, train_sae


@dataclass(frozen=True, kw_only=True)
class TrainSae(LoadsModel):
    """Read texts, or the model's own answers to its materials, and train an autoencoder on them. Stopped and called
    again, it goes on where it was."""

    out: Path
    """The autoencoder, as sae-lens writes it, with a record; the activations lie beside it in OUT-activations."""
    model: str = "organism:base"
    site: str = "resid_post[3]"
    texts: Path | None = None
    """JSON lines {"id", "prompt" or "messages", "completion"}, optionally "group" for what must not be split. Default:
    the model's own answers to the `extract` split of its materials, plain and asked to check, and about topics."""
    questions: int = 400
    each: int = 8
    """How often each of them is answered."""
    architecture: str = "batchtopk"
    """topk, batchtopk, jumprelu."""
    latents: int = 1024
    active: float = 16
    """Of the latents, at a token: exactly (topk), on average (batchtopk), as a target (jumprelu)."""
    tokens: int = 2_000_000
    """Shown over all epochs."""
    batch_size: int = 1024
    learning_rate: float = 1e-3
    phases: tuple[Phase, ...] = ("prompt", "generated")
    roles: tuple[Role, ...] = ("system", "user", "assistant")
    template: bool = False
    """Take tokens of the chat template, too."""
    held_out: float = 0.1
    """Share of the items that is never trained on."""
    seed: int = 0
    quiet: bool = False
    json: bool = False

    def __call__(self) -> int:
        site, model = Site.parse(self.site), self.load()
        model.check_site(site)
        recipe = Recipe(
            architecture=self.architecture,
            latents=self.latents,
            active=self.active,
            tokens=self.tokens,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
        )
        choice = TokenChoice(phases=self.phases, roles=self.roles, template=self.template, held_out=self.held_out)
        samples = self._samples(model)
        store = collect(
            model,
            samples,
            [Reading(site, Span.all(), "tokens")],
            self.out.with_name(f"{self.out.name}-activations"),
            quiet=self.quiet,
        )
        record = train_sae(store, site, self.out, recipe, choice, device=str(model.device), quiet=self.quiet)
        facts = {"autoencoder": str(self.out), "texts": len(samples), **record["rows"], "held out": record["held out"]}
        say(json.dumps(facts) if self.json else "\n".join(f"{name}: {value}" for name, value in facts.items()))
        return 0

    def _samples(self, model: Model) -> list[Sample]:
        if self.texts is None:
            materials = materials_for(model)
            return own_answers(model, materials, "extract", questions=self.questions, each=self.each, seed=self.seed)
        return [
            Sample(line.text, turns=line.turns(model), item=line.entry.group)
            for line in in_tokens(model, read_texts(self.texts))
        ]


@dataclass(frozen=True, kw_only=True)
class Show(LoadsModel):
    """What an autoencoder is worth on the model's own answers to the `test` split of its materials, at all tokens but
    the first, or at the words alone if it knows no others."""

    spec: Annotated[str, tyro.conf.Positional]
    """organism:NAME, RELEASE:SAE_ID, or a folder."""
    model: str = "organism:base"
    site: str | None = None
    """Where to read it; where its file says, if not given."""
    questions: int = 60
    each: int = 4
    json: bool = False

    def __call__(self) -> int:
        model = self.load()
        sae = Sae.load(self.spec, model=model, site=Site.parse(self.site) if self.site else None)
        said = own_answers(model, materials_for(model), "test", questions=self.questions, each=self.each, seed=1)
        where = AFTER_THE_FIRST if sae.knows_template else [reduce(add, one.turns.values()) for one in said]
        rows = fidelity(sae, model, [one.text for one in said], clusters=[one.item for one in said], span=where)
        facts: dict[str, Any] = {
            "autoencoder": self.spec,
            "architecture": sae.sae.cfg.architecture(),
            "site": str(sae.site),
            "width": sae.width,
            "latents": sae.latents,
        }
        if self.json:
            say(json.dumps({**facts, "rows": [asdict(row) for row in rows]}))
        else:
            say("\n".join(f"{name}: {value}" for name, value in facts.items()))
            say(text_table(Findings(rows, (), "")))
        return 0


def saes(arguments: list[str]) -> int:
    """Train sparse autoencoders, see what one is worth and what its latents stand for."""
    commands = {"train": TrainSae, "show": Show, "pages": Pages}
    if not arguments or arguments[0] not in commands:
        raise InputError(
            "which?",
            given=" ".join(arguments[:1]) or None,
            allowed=", ".join(commands),
            do="introlab saes COMMAND --help",
        )
    return tyro.cli(commands[arguments[0]], args=arguments[1:], prog=f"introlab saes {arguments[0]}")()
