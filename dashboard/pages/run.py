"""One run: what it asked and found, its figures and numbers, its trials; and how far it is while it goes on."""

from collections.abc import Mapping
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update

from dashboard import components as parts
from dashboard.components import Part
from dashboard.run_cache import RunCache
from dashboard.trial_list import browser, connect_browser, examples
from introlab.errors import InputError
from introlab.records.catalog import UNREADABLE, CatalogEntry
from introlab.records.findings import Findings
from introlab.records.run import Run
from introlab.reporting.html import FACTS, command

PATH, TITLE = "/run", ""
EVERY = 1500
"""Milliseconds between looks at a run that goes on."""
ENDED = ("complete", "broken")
"""States of which nothing more is expected."""
LAST = 4
"""Trials shown of it."""


def layout(shelf: RunCache, query: dict[str, str]) -> Part:
    entry = shelf.catalogue.entry(query.get("name", ""))
    return [
        html.P([dcc.Link("Runs", href="/"), " / ", entry.name], className="where"),
        dcc.Store(id="run-name", data=entry.name),
        html.Div(_body(shelf, entry), id="run"),
        dcc.Interval(id="run-again", interval=EVERY, disabled=entry.state in ENDED),
    ]


def connect(app: Dash, shelf: RunCache) -> None:
    connect_browser(app, shelf)

    @app.callback(
        Output("progress", "children"),
        Output("run", "children"),
        Output("run-again", "disabled"),
        Input("run-again", "n_intervals"),
        State("run-name", "data"),
        prevent_initial_call=True,
    )
    def look(_: int, name: str) -> tuple[Part, Part, bool]:
        try:
            entry = shelf.catalogue.entry(name)
        except InputError as error:  # removed meanwhile
            return no_update, parts.refusal(str(error)), True
        if entry.state in ENDED:
            return no_update, _body(shelf, entry), True
        return _progress(shelf, entry), no_update, False


def _body(shelf: RunCache, entry: CatalogEntry) -> Part:
    if entry.state == "broken":
        return parts.refusal(f"{entry.name}: {entry.problem}")
    question = html.P(str(entry.manifest.get("question", "")), className="question")
    problem = parts.note(entry.problem) if entry.problem else None
    done = entry.state == "complete"
    title = html.H1([entry.experiment.replace("_", " ").capitalize(), " ", parts.state(entry) if done else None])
    middle = html.Div(_finished(entry)) if done else html.Section(_progress(shelf, entry), id="progress")
    trials = html.Section([html.H2("Trials"), browser(shelf, entry)])
    return [title, question, problem, middle, trials, _repeat(entry.manifest)]


def _finished(entry: CatalogEntry) -> list[Part]:
    figures = html.Section([html.H2("Figures"), *_figures(entry)])
    try:
        findings = Run(entry.folder).findings
    except UNREADABLE:  # the entry says it
        return [figures]
    return [_answer(findings), figures, _numbers(entry, findings)]


def _answer(findings: Findings) -> Part:
    return html.Section(
        [
            html.P(findings.answer, className="answer"),
            parts.verdicts(findings.verdicts),
            html.H3("Does the result survive its controls?"),
            parts.checks(findings.checks),
        ]
    )


def _numbers(entry: CatalogEntry, findings: Findings) -> Part:
    rest = [row for row in findings.rows if row.role == "detail"]
    primary = html.Strong(str(entry.manifest.get("primary", "")))
    return html.Section(
        [
            html.H2("The numbers"),
            html.P(["Primary outcome, declared before the run: ", primary]),
            parts.tables([row for row in findings.rows if row.role != "detail"]),
            html.Details([html.Summary("Further estimates"), parts.tables(rest)]) if rest else None,
        ]
    )


def _figures(entry: CatalogEntry) -> list[Part]:
    try:
        return [parts.figure(name, drawn) for name, drawn in Run(entry.folder).figures.items()]
    except UNREADABLE as error:
        return [parts.note(f"the figures cannot be read: {error}")]


def _repeat(manifest: Mapping[str, Any]) -> Part:
    facts = {name: manifest[name] for name in FACTS if name in manifest}
    body = [html.P(html.Code(command(manifest))), parts.facts(facts)]
    return html.Section([html.H2("How to repeat this"), *body])


def _progress(shelf: RunCache, entry: CatalogEntry) -> Part:
    """Counted from where it was counted last."""
    texts = shelf.catalogue.count_lines(entry.folder / "texts.jsonl")
    stated = entry.manifest.get("expected")
    expected = stated.get("texts") if isinstance(stated, dict) else None  # runs of an older lab do not say
    going = "It is being written now." if entry.state == "running" else "It was interrupted; the same command goes on."
    bar = html.Progress(value=str(min(texts, expected)), max=str(expected)) if expected else None
    written = f"{texts:,} texts written" + (f" of about {expected:,}" if expected else "")
    return [
        html.P([parts.state(entry), f" {going}"]),
        html.P([html.Strong(f"{entry.trials or 0:,} trials"), f", {written}, {parts.size(entry.bytes)} "]),
        bar,
        html.H3("Last trials"),
        examples(shelf, entry, LAST),
    ]
