"""Texts for a report: of every condition the highest and the lowest by what the experiment ranks them by, and a random
pick; tokens in the colours of a reading, underlined where an edit acted, with their receipts.

What a report takes is bounded, whatever a run holds: at most MOST_CELLS conditions with EXAMPLES texts each, of a text
MOST_TOKENS tokens and MOST_CHARACTERS characters, under at most MOST_READINGS readings: below 20 MB of HTML even where
every character has to be escaped (below one for the shipped organisms).
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from introlab.records.receipt import Receipt, places
from introlab.records.trial import Trial
from introlab.reporting.detokenize import per_token
from introlab.reporting.tables import by_name, word
from introlab.reporting.token_heatmap import UNDECODED, UNDERLINED, Coloured, Ends, Token, coloured, ends, scale

EXAMPLES = 3
"""Of a model, condition and strength."""
MOST_CELLS, MOST_READINGS, MOST_TOKENS, MOST_CHARACTERS, MOST_RECEIPTS = 40, 3, 200, 1500, 4
MOST_STRENGTHS = 6
"""Of a condition that are told apart."""
MOST_SHOWN = 8
"""Readings of a trial that are told beside it."""
MOST_OF_A_LINE = 400
"""Characters of what is told beside a text."""
_UNITS = {"raw": "raw", "natural": "natural units", "share": "of the residual norm"}
"""Of an edit's strength, as its receipt calls them."""
Cell = tuple[str, str, float]


@dataclass(frozen=True)
class Transcript:
    """A trial and why it is shown."""

    trial: Trial
    why: str


def examples_html(trials: Sequence[Trial], rank_texts_by: str | None, colours: Sequence[str]) -> str:
    """A part of a report. `rank_texts_by` names a reading or outcome, `colours` readings with one value per token."""
    tests = [trial for trial in trials if trial.split == "test" and trial.text]
    strengths: dict[tuple[str, str], set[float]] = {}
    for trial in tests:
        strengths.setdefault((trial.model, trial.condition), set()).add(trial.strength)
    cells: dict[Cell, list[Trial]] = {}
    for trial in tests:
        # Where every direction has a strength of its own, strengths are no conditions.
        own = len(strengths[trial.model, trial.condition]) > MOST_STRENGTHS
        cells.setdefault((trial.model, trial.condition, 0.0 if own else trial.strength), []).append(trial)
    if not cells:
        return "<p>none</p>"
    every = sorted(cells)
    step = max(1.0, len(every) / MOST_CELLS)
    shown = [every[int(index * step)] for index in range(min(len(every), MOST_CELLS))]
    examples = [one for cell in shown for one in chosen(cells[cell], rank_texts_by)]
    scales = {name: found for name in colours if (found := ends([one.trial for one in examples], name))}
    parts = [_scale(name, scales[name]) for name in scales] + [_example(one, scales) for one in examples]
    left = f"<p class='where'>{len(shown)} of {len(every)} conditions are shown.</p>" if len(shown) < len(every) else ""
    order = f"highest and lowest by {_words(rank_texts_by)}, then " if rank_texts_by else ""
    return f"<p class='where'>Of each condition: {order}a random pick.</p>{left}{''.join(parts)}"


def chosen(trials: Sequence[Trial], rank_texts_by: str | None) -> list[Transcript]:
    """EXAMPLES of a condition, or all there are: the highest and the lowest where they differ, the rest at random. The
    same for the same trials in any order."""
    known = sorted(trials, key=lambda trial: trial.id)
    ranks = {trial.id: rank for trial in known if (rank := _rank(trial, rank_texts_by)) is not None}
    ranked = sorted((trial for trial in known if trial.id in ranks), key=lambda trial: ranks[trial.id])
    found: list[Transcript] = []
    if ranked and ranks[ranked[0].id] < ranks[ranked[-1].id]:
        for which, trial in (("highest", ranked[-1]), ("lowest", ranked[0])):
            found.append(Transcript(trial, f"{which} {_words(rank_texts_by)}, {word(ranks[trial.id])}"))
    taken = {one.trial.id for one in found}
    rest = [trial for trial in known if trial.id not in taken]
    picked = random.Random(0).sample(rest, min(EXAMPLES - len(found), len(rest)))
    return [*found, *(Transcript(trial, "at random") for trial in picked)]


def _rank(trial: Trial, name: str | None) -> float | None:
    value = trial.readings.get(name, trial.outcomes.get(name)) if name else None
    return value if isinstance(value, bool | int | float) else None


def _words(name: str | None) -> str:
    return (name or "").removesuffix("_per_token").replace("_", " ")


def _scale(name: str, between: Ends) -> str:
    """One for all texts, so that they can be compared."""
    marks = " ".join(
        f"<span class='mark' style='background:{colour}'>{escape(value)}</span>" for value, colour in scale(between)
    )
    return f"<p class='where'>{escape(_words(name))}: {marks}</p>"


def _example(example: Transcript, scales: Mapping[str, Ends]) -> str:
    trial = example.trial
    strength = f", strength {trial.strength:g}" if trial.strength else ""
    title = f"{trial.model}, {trial.condition}{strength}, {trial.item}: {example.why}"
    read = {name: value for name, value in trial.readings.items() if value is None or isinstance(value, int | float)}
    some = dict(list(read.items())[:MOST_SHOWN])
    more = f" and {len(read) - len(some)} more" * (len(read) > len(some))
    told = [by_name(trial.outcomes), f"read: {by_name(some)}{more}" if some else ""]
    return "".join(
        (
            f"<div class='example'><p class='where'><strong>{escape(_cut(title, MOST_OF_A_LINE))}</strong></p>",
            f"<p class='prompt'>{escape(_cut(trial.prompt))}</p>{_text(trial, scales)}",
            *(
                f"<p class='receipt'>{escape(_cut(line, MOST_OF_A_LINE))}</p>"
                for line in map(receipt_line, trial.receipts[:MOST_RECEIPTS])
            ),
            *(f"<p class='where'>{escape(_cut(line, MOST_OF_A_LINE))}</p>" for line in told if line),
            "</div>",
        )
    )


def _cut(text: str, most: int = MOST_CHARACTERS) -> str:
    return text if len(text) <= most else f"{text[:most]} …"


def receipt_line(receipt: Receipt) -> str:
    """What an edit did: which, where, by how much in each unit that it states, and what it came to."""
    edit = receipt.edit.get("edit", "edit")
    planned = ", ".join(f"{word(receipt.edit[name])} {unit}" for name, unit in _UNITS.items() if name in receipt.edit)
    where = places((*receipt.prefill, *receipt.decoded))
    return (
        f"receipt: {edit} at {receipt.site}" + (f", {planned}" if planned else "") + f"; positions {where} "
        f"({receipt.status}), changed by {receipt.share:.2f} of the norm there"
    )


def _text(trial: Trial, scales: Mapping[str, Ends]) -> str:
    """As it is, where there is nothing to show in it; else once under each reading, of which one is seen."""
    own = per_token(trial.readings, len(trial.tokens))
    readings = [name for name in scales if name in own][:MOST_READINGS]
    views = [
        (name, shown)
        for name in readings or [None]
        if (shown := coloured(trial, name, scales.get(name or ""))) is not None
    ]
    if not views or not (readings or views[0][1].touched):
        return f"<p class='text'>{escape(_cut(trial.text))}</p>"
    undecoded = "" if views[0][1].decoded else f"<p class='text'>{escape(_cut(trial.text))}</p><p class='where'>"
    head = f"{undecoded}{UNDECODED}</p>" if undecoded else ""
    foot = f"<p class='where'>{UNDERLINED}</p>" if views[0][1].touched else ""
    return head + _switched(trial.id, [(_words(name), _tokens(shown)) for name, shown in views]) + foot


def _switched(id: str, views: Sequence[tuple[str, str]]) -> str:
    """Several views of one text, of which radio buttons and CSS show one: no script."""
    if len(views) == 1:
        title, body = views[0]
        return (f"<p class='where'>coloured by {escape(title)}</p>" if title else "") + body
    buttons = "".join(
        f"<input type='radio' name='{id}' id='{id}-{index}'{' checked' * (not index)}>"
        f"<label for='{id}-{index}'>{escape(title)}</label>"
        for index, (title, _) in enumerate(views)
    )
    return f"<div class='views'><span>coloured by</span>{buttons}{''.join(body for _, body in views)}</div>"


def _tokens(shown: Coloured) -> str:
    kept = list(_within(shown.tokens))
    more = f"<span class='cut'> … {len(shown.tokens) - len(kept)} more</span>" if len(kept) < len(shown.tokens) else ""
    return f"<p class='text tokens'>{''.join(map(_token, kept))}{more}</p>"


def _within(tokens: Sequence[Token]) -> Iterator[Token]:
    characters = 0
    for token in tokens[:MOST_TOKENS]:
        characters += len(token.text)
        if characters > MOST_CHARACTERS:
            return
        yield token


def _token(token: Token) -> str:
    marks = " class='touched'" * token.touched + f" style='background:{token.colour}'" * bool(token.colour)
    return f"<span title='{escape(token.told)}'{marks}>{escape(token.text)}</span>"
