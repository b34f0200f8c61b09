"""Read and steer on the user's own texts (`introlab.tasks.text_files`): safetensors and JSON lines out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.cli.loading import LoadsModel
from experiments.cli.output_files import new_file, tell_facts
from introlab.activations.directions import Direction, random_control
from introlab.activations.extract import Activations, read
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.generation.requests import Request
from introlab.generation.sampling import Sampling
from introlab.generation.scheduler import generate, without_failures
from introlab.network.messages import Message
from introlab.network.model import Model
from introlab.network.sites import STREAMS, Site
from introlab.network.spans import Span
from introlab.tasks.text_files import TextEntry, read_texts
from steering.edits import steer_along
from steering.strength import typical_norm


@dataclass(frozen=True)
class Line:
    """One of the user's texts, in tokens."""

    entry: TextEntry
    text: Text

    def turns(self, model: Model) -> dict[str, Span]:
        """Where each turn's words stand in it."""
        return model.chat.spans(_turns(self.entry), completion=self.entry.completion)


def in_tokens(model: Model, entries: Sequence[TextEntry], *, room: int = 0) -> list[Line]:
    """The texts as the model reads them. Raises InputError naming the file and line of one that does not fit, or whose
    turns its template refuses."""
    return [Line(entry, _tokens(model, entry, room)) for entry in entries]


def _tokens(model: Model, entry: TextEntry, room: int) -> Text:
    try:
        ids, begin = model.begun(_turns(entry), completion=entry.completion, room=room)
    except InputError as error:
        raise type(error)(f"{entry.where}: {error}") from error
    return Text(tuple(ids), begin, entry.id)


def _turns(entry: TextEntry) -> list[Message]:
    return [Message(**turn) for turn in entry.messages]  # pyright: ignore[reportArgumentType]


def named_sites(text: str) -> tuple[Site | str, ...]:
    """Of `--site`: places, and streams of which every block is meant ("all": those of resid_post). Raises InputError
    for anything else."""
    named = [each.strip() for each in text.split(",") if each.strip()]
    found: list[Site | str] = ["resid_post" if one == "all" else one for one in named]
    if not found:
        raise InputError("no site", given=repr(text), allowed="resid_post[3], several of these with commas, or all")
    return tuple(one if one in STREAMS else Site.parse(str(one)) for one in found)


def sites_of(model: Model, named: Sequence[Site | str]) -> list[Site]:
    """The places of this model that are meant, each once. Raises InputError for one that it does not have."""
    found = list[Site]()
    for one in named:
        found += [one] if isinstance(one, Site) else [Site(layer, one) for layer in range(model.n_layers)]  # pyright: ignore[reportArgumentType]
    for site in found:
        model.check_site(site)
    return list(dict.fromkeys(found))


def at_the_end(
    model: Model, lines: list[Line], sites: Sequence[Site], batch_size: int
) -> dict[tuple[Site, int], Activations]:
    """What every site holds at the last token of every text, all of them from one pass."""
    texts = [line.text for line in lines]
    return read(model, texts, sites, [[len(text.ids) - 1] for text in texts], batch_size=batch_size)


@dataclass(frozen=True, kw_only=True)
class Read(LoadsModel):
    """Read activations of your own texts at the last token, into a safetensors file."""

    texts: Path
    """JSON lines: {"id": ..., "prompt": ...}, optionally "completion"; a .csv of these columns; or a .txt of one text a
    line."""
    out: Path
    """With several sites, the file of each has its site in its name."""
    site: str = "resid_post[3]"
    """A place, several with commas, a stream (every block of it), or all (resid_post of every block): one pass."""
    batch_size: int = 64
    json: bool = False

    def __call__(self) -> int:
        named, first, entries = named_sites(self.site), new_file(self.out), read_texts(self.texts)
        model = self.load()
        sites = sites_of(model, named)
        several = len(sites) > 1
        paths = {site: new_file(_beside(first, site)) if several else first for site in sites}
        lines = in_tokens(model, entries)
        found = at_the_end(model, lines, sites, self.batch_size)
        for site, path in paths.items():
            found[site, 0].save(path)
        tell_facts(
            self.json,
            activations=[str(path) for path in paths.values()] if several else str(first),
            examples=len(lines),
            width=model.d_model,
            site=", ".join(map(str, sites)),
            model=model.fingerprint,
        )
        return 0


def _beside(path: Path, site: Site) -> Path:
    """a.safetensors -> a-resid_post-3.safetensors"""
    place = f"{site.layer}" if site.head is None else f"{site.layer}.{site.head}"
    return path.with_name(f"{path.stem}-{site.stream}-{place}{path.suffix}")


@dataclass(frozen=True, kw_only=True)
class Steer(LoadsModel):
    """Write continuations of your own texts with and without a push, beside a random direction of equal norm."""

    texts: Path
    direction: Path
    """A file that `introlab fit` wrote."""
    out: Path
    """JSON lines: id, condition, strength, text, receipts."""
    strength: tuple[float, ...] = (1.0, 2.0)
    """In natural units of the direction."""
    span: str = "generated"
    max_new: int = 48
    temperature: float = 1.0
    seed: int = 0
    transfer: bool = False
    """Allow a direction fitted on another model of the same family; recorded in every line."""
    batch_size: int = 64
    json: bool = False

    def __call__(self) -> int:
        fitted, path, span = Direction.load(self.direction), new_file(self.out), Span.parse(self.span)
        entries, model = read_texts(self.texts), self.load()
        direction = fitted.transfer_to(model) if self.transfer else fitted
        direction.check_model(model)
        lines = in_tokens(model, entries, room=self.max_new)
        norm = typical_norm(model, [line.text for line in lines], direction.site, batch_size=self.batch_size)
        requests = [
            self._request(line, condition, strength, each, span, norm)
            for line in lines
            for strength in (0.0, *self.strength)
            for condition, each in (("push", direction), ("random_direction", random_control(direction, self.seed)))
            if strength or condition == "push"
        ]
        with path.open("w", encoding="utf-8") as file:
            written = generate(model, requests, seed=self.seed, batch_size=self.batch_size)
            for request, generation in without_failures(written):
                record = {
                    **request.note,
                    "fitted_on": fitted.model,
                    "model": model.fingerprint,
                    "text": model.text(generation.tokens),
                    "receipts": [vars(receipt) for receipt in generation.receipts],
                }
                file.write(json.dumps(record) + "\n")
        tell_facts(
            self.json, texts=str(path), lines=len(requests), strengths=list(self.strength), site=str(direction.site)
        )
        return 0

    def _request(
        self, line: Line, condition: str, strength: float, direction: Direction, span: Span, norm: float
    ) -> Request:
        return Request(
            line.text.ids,
            line.entry.id,
            interventions=(steer_along(direction, natural=strength, residual_norm=norm, span=span),)
            if strength
            else (),
            max_new=self.max_new,
            sampling=Sampling(temperature=self.temperature),
            note={"id": line.entry.id, "condition": condition if strength else "baseline", "strength": strength},
        )
