"""`lab.read` and `lab.show_tokens`: a text token by token, in numbers and in colours."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, Unpack, overload

from markupsafe import Markup
from tqdm.auto import tqdm

from experiments.api.completion import Completion
from experiments.api.generating import token_texts
from experiments.api.readouts import Readouts, readouts_of
from experiments.api.texts import AnyText, as_list, is_one, readable
from introlab.activations.extract import iter_activations
from introlab.activations.forward import TOGETHER, Text
from introlab.errors import InputError
from introlab.interventions.interfaces import Readout
from introlab.network.messages import Message
from introlab.network.model import Model
from introlab.reporting.tables import word
from introlab.reporting.token_heatmap import Ends, colour_of, scale


@dataclass(frozen=True)
class TokenReadings:
    """A text that was read: its tokens and, by name, one value for each of them."""

    tokens: tuple[int, ...] = field(repr=False)
    pieces: tuple[str, ...] = field(repr=False)
    """What each token writes."""
    readings: dict[str, tuple[float, ...]]
    """Taken at the token's own position. (While a text is written, readings are taken at the position before, which
    predicts the token.)"""
    prompt_length: int = field(repr=False)
    """How many tokens stand before an answer; all of them where there is none."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def _repr_html_(self) -> str:
        return show_tokens(self).html


class ReadOptions(TypedDict, total=False):
    """Keywords of `read`, for its overloads."""

    batch_size: int
    progress: bool


@overload
def read(
    model: Model,
    texts: str | Completion | list[Message] | tuple[str, str],
    readouts: Readouts,
    **options: Unpack[ReadOptions],
) -> TokenReadings: ...
@overload
def read(
    model: Model,
    texts: list[str] | list[Completion] | list[tuple[str, str]] | list[list[Message]] | list[AnyText],
    readouts: Readouts,
    **options: Unpack[ReadOptions],
) -> list[TokenReadings]: ...
def read(
    model: Model,
    texts: AnyText | Sequence[AnyText],
    readouts: Readouts,
    *,
    batch_size: int = TOGETHER,
    progress: bool = False,
) -> TokenReadings | list[TokenReadings]:
    """Directions and probes at every token of each text, in the order given; one text gives one, a list gives a list.

    Texts as for `contrast`; `readouts` are a direction or a probe, or several by name. A direction is read in its
    natural units, a probe as a probability. Raises InputError and ModelMismatch before anything is read.
    """
    chosen = readouts_of(model, readouts)
    for reading in chosen:
        if reading.site is None:
            raise InputError(
                "a reading of probabilities, where activations are read",
                given=reading.name,
                allowed="directions, probes and other readings of a place in the network",
                do="read it while a text is written: lab.generate(..., readouts=...)",
            )
    given = [readable(model, text).text for text in as_list(texts, "texts")]
    values: list[dict[str, tuple[float, ...]]] = [{} for _ in given]
    for reading in tqdm(chosen, desc="reading", unit="reading", disable=not progress):
        _fill(model, given, reading, values, batch_size)
    found = [
        TokenReadings(text.ids, token_texts(model, text.ids), readings, text.prompt_len)
        for text, readings in zip(given, values, strict=True)
    ]
    return found[0] if is_one(texts) else found


def _fill(
    model: Model, texts: Sequence[Text], reading: Readout, values: list[dict[str, tuple[float, ...]]], batch_size: int
) -> None:
    assert reading.site is not None
    for batch in iter_activations(model, texts, reading.site, batch_size=batch_size):
        for index, residual in batch:
            values[index][reading.name] = tuple(reading(residual).tolist())


@dataclass(frozen=True)
class TokenHeatmap:
    """A text in the colours of a reading, for a notebook or a file; nothing in it asks the network for anything."""

    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: Path | str) -> Path:
        """A page of its own. Raises InputError where a file is there already."""
        place = Path(path)
        if place.exists():
            raise InputError("a file is there already", given=place, do="choose another name, or remove it")
        place.write_text(f"<!doctype html><meta charset='utf-8'>{self.html}", encoding="utf-8")
        return place


def show_tokens(
    text: TokenReadings | Completion | Sequence[TokenReadings | Completion], reading: str | None = None
) -> TokenHeatmap:
    """A heat map of one reading over the tokens of a text; of several texts, on one scale.

    Point at a token for its value. The first one a model reads has no colour; those read under an edit are underlined.
    `reading` may be left out where there is only one. Raises InputError for a reading that a text does not have, and
    for one without a single number for each token.
    """
    texts = [text] if isinstance(text, TokenReadings | Completion) else list(text)
    name = reading or _only(texts)
    columns = [_column(each, name) for each in texts]
    known = [value for column in columns for value in column if value is not None]
    ends = (min(known), max(known)) if known else None
    bodies = Markup("").join(
        Markup('<p style="white-space:pre-wrap;line-height:1.9">{}</p>').format(_tokens(each, column, name, ends))
        for each, column in zip(texts, columns, strict=True)
    )
    marks = Markup(" ").join(
        Markup('<span style="background:{};padding:.1em .4em">{}</span>').format(colour, mark)
        for mark, colour in scale(ends)
    )
    head = Markup("<p><strong>{}</strong> {}</p>").format(name, marks)
    return TokenHeatmap(
        str(Markup('<div style="font-family:system-ui,sans-serif;max-width:60em">{}{}</div>').format(head, bodies))
    )


def _only(texts: Sequence[TokenReadings | Completion]) -> str:
    names = list(dict.fromkeys(name for each in texts for name in each.readings))
    if len(names) != 1:
        raise InputError(
            "which reading?",
            given=f"{len(texts)} texts",
            allowed=", ".join(names) or "texts that were written or read with readouts",
            do="name it: show_tokens(answer, NAME)" if names else "give `readouts` to lab.generate or lab.read",
        )
    return names[0]


def _column(text: TokenReadings | Completion, name: str) -> list[float | None]:
    """A value for each token; None for the first that a model reads, an attention sink whose norm would be the scale
    of all others."""
    if name not in text.readings:
        raise InputError(
            "a reading that the text does not have",
            given=name,
            allowed=", ".join(text.readings) or "none: it was written without readouts",
            do="give it to lab.generate or lab.read as one of the `readouts`",
        )
    values = text.readings[name]
    if not all(isinstance(value, int | float) for value in values):
        raise InputError(
            "a reading that is not one number for each token",
            given=name,
            allowed="directions, probes, entropy",
            do="read the directions one by one",
        )
    column: list[float | None] = [float(value) for value in values]
    return [None, *column[1:]] if isinstance(text, TokenReadings) and len(column) > 1 else column


def _tokens(text: TokenReadings | Completion, column: Sequence[float | None], name: str, ends: Ends | None) -> Markup:
    steered = _steered(text)
    return Markup("").join(
        Markup('<span title="{}" style="background:{}{}">{}</span>').format(
            f"token {index}: {name} {word(value)}{', read under an edit' if index in steered else ''}",
            colour_of(value, ends),
            ";text-decoration:underline" if index in steered else "",
            piece,
        )
        for index, (piece, value) in enumerate(zip(text.pieces, column, strict=True))
    )


def _steered(text: TokenReadings | Completion) -> frozenset[int]:
    """Which of the tokens were read under an edit, by the receipts of a text that was written."""
    if isinstance(text, TokenReadings):
        return frozenset()
    first = len(text.prompt_ids)
    return frozenset(
        position - first
        for receipt in text.receipts
        for start, stop in receipt.decoded
        for position in range(start, stop)
    )
