"""Read, fit and steer on the user's own texts (`introlab.tasks.text_files`): safetensors and JSON lines out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.cli.loading import LoadsModel
from introlab.activations.directions import Direction, random_like
from introlab.activations.extract import Activations, read
from introlab.activations.forward import Text
from introlab.errors import InputError, RunFolderError
from introlab.generation.requests import Request
from introlab.generation.sampling import Sampling
from introlab.generation.scheduler import generate, without_failures
from introlab.io.terminal import say
from introlab.network.messages import Message
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.tasks.text_files import TextEntry, labelled, read_texts
from probes.linear.bank import Method
from probes.linear.evaluate import Beside, evaluate
from probes.linear.fit import fit_probe
from steering.edits import push_along
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


def _at_the_end(model: Model, lines: list[Line], site: Site, batch_size: int) -> Activations:
    """The residual at the last token of every text."""
    texts = [line.text for line in lines]
    return read(model, texts, [site], [[len(text.ids) - 1] for text in texts], batch_size=batch_size)[site, 0]


def _new(path: Path) -> Path:
    if path.exists():
        raise InputError("there is a file here already", given=path, do="choose another --out")
    if not path.absolute().parent.is_dir():
        raise RunFolderError("no such folder to write into", given=path.parent, do="make it, or choose another --out")
    try:  # before any work is done
        path.touch(exist_ok=False)
        path.unlink()
    except OSError as error:
        raise RunFolderError(
            "the file cannot be written", given=f"{path} ({error.strerror})", do="choose another --out"
        ) from error
    return path


def _tell(as_json: bool, **facts: Any) -> None:
    lines = (
        json.dumps(facts)
        if as_json
        else "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in facts.items())
    )
    say(lines)


@dataclass(frozen=True, kw_only=True)
class Read(LoadsModel):
    """Read activations of your own texts at the last token, into a safetensors file."""

    texts: Path
    """JSON lines: {"id": ..., "prompt": ...}, optionally "completion"; or a .csv of these columns."""
    out: Path
    site: str = "resid_post[3]"
    batch_size: int = 64
    json: bool = False

    def __call__(self) -> int:
        site, path, entries = Site.parse(self.site), _new(self.out), read_texts(self.texts)
        model = self.load()
        model.check_site(site)
        lines = in_tokens(model, entries)
        activations = _at_the_end(model, lines, site, self.batch_size)
        activations.save(path)
        _tell(
            self.json,
            activations=str(path),
            examples=len(lines),
            width=model.d_model,
            site=str(site),
            model=model.fingerprint,
        )
        return 0


@dataclass(frozen=True, kw_only=True)
class Fit(LoadsModel):
    """Fit a direction on your own labelled texts, and say how well it generalises beside a text-only baseline."""

    texts: Path
    """JSON lines with "label": true or false, and "group" for what must not be split between fitting and testing."""
    out: Path
    site: str = "resid_post[3]"
    method: Method = "difference_of_means"
    batch_size: int = 64
    json: bool = False

    def __call__(self) -> int:
        site, path, entries = Site.parse(self.site), _new(self.out), read_texts(self.texts)
        labels, groups = [labelled(entry) for entry in entries], [entry.group for entry in entries]
        if len(set(labels)) < 2:
            raise InputError(
                "labels of one class", given=f"{len(labels)} texts, all {labels[0]}", do="label both kinds"
            )
        model = self.load()
        model.check_site(site)
        lines = in_tokens(model, entries)
        activations = _at_the_end(model, lines, site, self.batch_size)
        beside = Beside(
            texts=[entry.words for entry in entries], numbers={"length": [len(line.text.ids) for line in lines]}
        )
        found = evaluate({(site, 0): activations}, labels, groups, method=self.method, beside=beside)
        direction = fit_probe(activations, labels, model=model, method=self.method).direction
        direction.save(path)
        _tell(
            self.json,
            direction=str(path),
            site=str(site),
            natural_scale=round(direction.scale, 4),
            examples=len(lines),
            held_out_auroc=_estimate(found.one("AUROC of the probe")),
            text_only_auroc=_estimate(found.one("AUROC of text only")),
            length_auroc=_estimate(found.one("AUROC of length")),
            shuffled_labels_auroc=_estimate(found.one("AUROC of shuffled labels")),
            answer=found.answer,
        )
        return 0


def _estimate(estimate: Any) -> str | dict[str, Any]:
    known = estimate.known
    return (
        f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
        if known
        else f"{estimate.value} (no interval: {estimate.method})"
    )


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
        fitted, path, span = Direction.load(self.direction), _new(self.out), Span.parse(self.span)
        entries, model = read_texts(self.texts), self.load()
        direction = fitted.carried_to(model) if self.transfer else fitted
        direction.check_model(model)
        lines = in_tokens(model, entries, room=self.max_new)
        norm = typical_norm(model, [line.text for line in lines], direction.site, batch_size=self.batch_size)
        requests = [
            self._request(line, condition, strength, each, span, norm)
            for line in lines
            for strength in (0.0, *self.strength)
            for condition, each in (("push", direction), ("random_direction", random_like(direction, self.seed)))
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
        _tell(self.json, texts=str(path), lines=len(requests), strengths=list(self.strength), site=str(direction.site))
        return 0

    def _request(
        self, line: Line, condition: str, strength: float, direction: Direction, span: Span, norm: float
    ) -> Request:
        return Request(
            line.text.ids,
            line.entry.id,
            interventions=(push_along(direction, natural=strength, residual_norm=norm, span=span),) if strength else (),
            max_new=self.max_new,
            sampling=Sampling(temperature=self.temperature),
            note={"id": line.entry.id, "condition": condition if strength else "baseline", "strength": strength},
        )
