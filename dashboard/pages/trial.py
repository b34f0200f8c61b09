"""One trial: what was read and written, token by token in the colours of a reading, and where each edit landed."""

from collections.abc import Sequence
from typing import Any

from dash import Dash, Input, Output, State, dcc, html

from dashboard import parts
from dashboard.parts import Part
from dashboard.shelf import Shelf
from introlab.figures import PALETTE, faded
from introlab.pieces import per_token, pieces, prompt_length, touched
from introlab.receipts import Receipt
from introlab.tables import word
from introlab.trials import Trial

PATH, TITLE = "/trial", ""
DARKEST = 0.75
"""Opacity of the strongest colour: text stays legible on it."""


def layout(shelf: Shelf, query: dict[str, str]) -> Part:
    run, id = query.get("run", ""), query.get("id", "")
    trial = shelf.trials(run).trial(id)
    readings = list(per_token(trial.readings, len(trial.tokens)))
    single = {
        name: word(value)
        for name, value in trial.readings.items()
        if name not in per_token({name: value}, len(trial.tokens))
    }
    way = [dcc.Link("Runs", href="/"), " / ", dcc.Link(run, href=parts.address("/run", name=run)), f" / trial {id}"]
    choose = (
        parts.chooser("colour-by", "coloured by", readings, readings[0] if readings else None) if readings else None
    )
    return [
        html.P(way, className="where"),
        html.H1(f"{trial.condition}, strength {trial.strength:g}"),
        html.P(_identity(trial), className="where"),
        html.Section(
            [
                html.H3("Read"),
                html.P(trial.prompt, className="prompt"),
                html.H3("Written"),
                choose,
                dcc.Store(id="trial-at", data={"run": run, "id": id}),
                html.Div(_coloured(trial, readings[0] if readings else None), id="tokens"),
            ]
        ),
        html.Div(
            [
                html.Section([html.H3("Receipts"), _receipts(trial.receipts)]),
                html.Section(
                    [
                        html.H3("What came out"),
                        parts.facts({name: word(value) for name, value in trial.outcomes.items()}),
                        html.H3("What was read inside"),
                        parts.facts(single) if single else html.P("nothing else"),
                    ]
                ),
            ],
            className="columns",
        ),
    ]


def connect(app: Dash, shelf: Shelf) -> None:
    @app.callback(
        Output("tokens", "children"), Input("colour-by", "value"), State("trial-at", "data"), prevent_initial_call=True
    )
    def colour(reading: str | None, at: dict[str, str]) -> Part:
        return _coloured(shelf.trials(at["run"]).trial(at["id"]), reading)


def _identity(trial: Trial) -> str:
    told = [trial.model, trial.split, f"item {trial.item}", f"cluster {trial.cluster}"]
    told += [f"draw {trial.draw}"] if trial.draw is not None else []
    return ", ".join([*told, f"replicate {trial.replicate}"])


def _coloured(trial: Trial, reading: str | None) -> Part:
    """Each token with its value; what was read under an edit is underlined."""
    written = pieces(trial.model, trial.tokens, trial.text)
    values = per_token(trial.readings, len(trial.tokens)).get(reading or "")
    edited = touched(trial.receipts, len(trial.tokens))
    if written is None and values is None and not (edited and any(edited)):
        return html.P(trial.text, className="text")
    shown = written or tuple(f"{token} " for token in trial.tokens)
    colours = _colours(values) if values is not None else [""] * len(shown)
    tokens = [
        html.Span(
            text,
            title=_told(index, trial, None if values is None else values[index], reading),
            className="token touched" if edited and edited[index] else "token",
            style={"backgroundColor": colours[index]} if colours[index] else {},
        )
        for index, text in enumerate(shown)
    ]
    head = [] if written else [html.P(trial.text, className="text"), html.P(_UNDECODED, className="where")]
    foot = [html.P("underlined: read under an edit", className="where")] if edited and any(edited) else []
    return [*head, html.P(tokens, className="text tokens"), *_legend(values), *foot]


_UNDECODED = "The tokenizer that wrote this text is not on this machine; its tokens, by their numbers:"


def _told(index: int, trial: Trial, value: float | None, reading: str | None) -> str:
    start = prompt_length(trial.receipts)
    place = f"new token {index}" + (f", position {start + index}" if start is not None else "")
    return f"{place}: {reading} {word(value)}" if reading else place


def _colours(values: Sequence[float | None]) -> list[str]:
    """Blue from the lowest value to the highest; of values on both sides of 0, blue above it and red below."""
    known = [value for value in values if value is not None]
    if not known:
        return [""] * len(values)
    low, high = min(known), max(known)
    if low < 0 < high:
        most = max(-low, high)
        return [
            "" if v is None else faded(PALETTE[0 if v > 0 else 1], round(DARKEST * abs(v) / most, 3)) for v in values
        ]
    width = high - low
    return [
        "" if v is None else faded(PALETTE[0], round(DARKEST * ((v - low) / width if width else 1.0), 3))
        for v in values
    ]


def _legend(values: Sequence[float | None] | None) -> list[Part]:
    known = sorted({value for value in values or () if value is not None})
    if not known:
        return []
    ends = [known[0], 0.0, known[-1]] if known[0] < 0 < known[-1] else [known[0], known[-1]]
    marks = [
        html.Span(word(end), className="token", style={"backgroundColor": colour})
        for end, colour in zip(ends, _colours(ends), strict=True)
    ]
    return [html.P([each for mark in marks for each in (mark, " ")], className="legend")]


def _receipts(receipts: Sequence[Receipt]) -> Part:
    if not receipts:
        return html.P("No edit was made.")
    return html.Div([parts.facts(_facts(receipt)) for receipt in receipts])


def _facts(receipt: Receipt) -> dict[str, Any]:
    told = vars(receipt)
    places = {"positions of the prompt": receipt.prefill, "positions of new tokens": receipt.decoded}
    rest = {name: word(value) for name, value in told.items() if name not in ("prefill", "decoded", "edit")}
    ranges = {
        name: ", ".join(f"{a}–{b - 1}" if b - a > 1 else str(a) for a, b in each) or "none"
        for name, each in places.items()
    }
    edit = {f"edit: {name}": word(value) for name, value in receipt.edit.items()}
    return {"site": rest.pop("site"), "span": rest.pop("span"), **edit, **ranges, **rest}
