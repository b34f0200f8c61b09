"""A text token by token for a page: each in the colour of a reading, marked where it was read under an edit."""

from collections.abc import Sequence
from dataclasses import dataclass

from introlab.records.trial import Trial
from introlab.reporting.detokenize import per_token, pieces, prompt_length, touched
from introlab.reporting.figures import PALETTE, faded
from introlab.reporting.tables import word

DARKEST = 0.75
"""Opacity of the strongest colour: text stays legible on it."""
UNDECODED = "The tokenizer that wrote this text is not on this machine; its tokens, by their numbers:"
UNDERLINED = "underlined: read under an edit"


@dataclass(frozen=True)
class Token:
    """One token as a page shows it. Nothing in it is escaped."""

    text: str
    told: str
    """What is said of it when it is pointed at."""
    colour: str
    """CSS; empty for none."""
    touched: bool


@dataclass(frozen=True)
class Coloured:
    """A text as tokens."""

    tokens: tuple[Token, ...]
    decoded: bool
    """Whether tokens are what they wrote, and not their numbers."""

    @property
    def touched(self) -> bool:
        return any(token.touched for token in self.tokens)


Ends = tuple[float, float]
"""The lowest and the highest value of a reading: of one text, or of several that are to be compared."""


def ends(trials: Sequence[Trial], reading: str | None) -> Ends | None:
    """Over all tokens of some texts; None where there is no value."""
    found = [per_token(trial.readings, len(trial.tokens)).get(reading or "", ()) for trial in trials]
    known = [value for values in found for value in values if value is not None]
    return (min(known), max(known)) if known else None


def coloured(trial: Trial, reading: str | None, between: Ends | None) -> Coloured | None:
    """The tokens of a trial's text by a reading that has a value for each, from one end to the other; None where they
    would tell no more than the text does."""
    count = len(trial.tokens)
    written = pieces(trial.model, trial.tokens, trial.text)
    values = per_token(trial.readings, count).get(reading or "")
    edited = touched(trial.receipts, count) or (False,) * count
    if written is None and values is None and not any(edited):
        return None
    shown = written or tuple(f"{token} " for token in trial.tokens)
    known = values or (None,) * count
    start = prompt_length(trial.receipts)
    tokens = tuple(
        Token(text, _told(index, start, value, reading), colour_of(value, between), edited[index])
        for index, (text, value) in enumerate(zip(shown, known, strict=True))
    )
    return Coloured(tokens, written is not None)


def _told(index: int, start: int | None, value: float | None, reading: str | None) -> str:
    place = f"new token {index}" + (f", position {start + index}" if start is not None else "")
    return f"{place}: {reading} {word(value)}" if reading else place


def colour_of(value: float | None, between: Ends | None) -> str:
    """Blue from the lowest value to the highest; of values on both sides of 0, blue above it and red below."""
    if value is None or between is None:
        return ""
    low, high = between
    if low < 0 < high:
        return faded(PALETTE[0 if value > 0 else 1], round(DARKEST * abs(value) / max(-low, high), 3))
    return faded(PALETTE[0], round(DARKEST * ((value - low) / (high - low) if high > low else 1.0), 3))


def scale(between: Ends | None) -> tuple[tuple[str, str], ...]:
    """Both ends, and 0 where it lies between them, in words and with their colours."""
    if between is None:
        return ()
    marks = (between[0], 0.0, between[1]) if between[0] < 0 < between[1] else between
    return tuple((word(value), colour_of(value, between)) for value in marks)
