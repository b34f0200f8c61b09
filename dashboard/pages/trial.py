"""One trial: what was read and written, token by token in the colours of a reading, and where each edit landed."""

from collections.abc import Sequence
from typing import Any

from dash import Dash, Input, Output, State, dcc, html

from dashboard import components as parts
from dashboard.components import Part
from dashboard.run_cache import RunCache
from introlab.records.receipt import Receipt, places
from introlab.records.trial import Trial
from introlab.reporting.detokenize import per_token
from introlab.reporting.tables import word
from introlab.reporting.token_heatmap import UNDECODED, UNDERLINED, coloured, ends, scale

PATH, TITLE = "/trial", ""
MOST_TOKENS, MOST_READINGS = 4_000, 500
"""That are shown one by one, and offered to be coloured by: a page must open whatever a trial holds."""


def layout(shelf: RunCache, query: dict[str, str]) -> Part:
    run, id = query.get("run", ""), query.get("id", "")
    trial = shelf.trials(run).trial(id)
    readings = list(per_token(trial.readings, len(trial.tokens)))[:MOST_READINGS]
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
                html.P(parts.cut(trial.prompt), className="prompt"),
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


def connect(app: Dash, shelf: RunCache) -> None:
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
    if len(trial.tokens) > MOST_TOKENS:
        told = f"{len(trial.tokens):,} tokens: too many to be shown one by one"
        return [html.P(parts.cut(trial.text), className="text"), html.P(told, className="where")]
    between = ends([trial], reading)
    shown = coloured(trial, reading, between)
    if shown is None:
        return html.P(parts.cut(trial.text), className="text")
    tokens = [
        html.Span(
            token.text,
            title=token.told,
            className="token touched" if token.touched else "token",
            style={"backgroundColor": token.colour} if token.colour else {},
        )
        for token in shown.tokens
    ]
    head = (
        [] if shown.decoded else [html.P(parts.cut(trial.text), className="text"), html.P(UNDECODED, className="where")]
    )
    foot = [html.P(UNDERLINED, className="where")] if shown.touched else []
    return [*head, html.P(tokens, className="text tokens"), *_legend(scale(between)), *foot]


def _legend(values: Sequence[tuple[str, str]]) -> list[Part]:
    marks = [html.Span(value, className="token", style={"backgroundColor": colour}) for value, colour in values]
    return [html.P([each for mark in marks for each in (mark, " ")], className="legend")] if marks else []


def _receipts(receipts: Sequence[Receipt]) -> Part:
    if not receipts:
        return html.P("No edit was made.")
    return html.Div([parts.facts(_facts(receipt)) for receipt in receipts])


def _facts(receipt: Receipt) -> dict[str, Any]:
    told = vars(receipt)
    where = {"positions of the prompt": receipt.prefill, "positions of new tokens": receipt.decoded}
    rest = {name: word(value) for name, value in told.items() if name not in ("prefill", "decoded", "edit")}
    ranges = {name: places(each) for name, each in where.items()}
    edit = {f"edit: {name}": word(value) for name, value in receipt.edit.items()}
    return {"site": rest.pop("site"), "span": rest.pop("span"), **edit, **ranges, **rest}
