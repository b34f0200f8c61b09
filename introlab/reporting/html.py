"""One self-contained HTML file per result: question, answer, controls, figures, numbers, texts, how to repeat.

Nothing in it asks the network for anything; all text a model wrote is escaped.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from introlab.records.experiment_card import ExperimentCard
from introlab.records.findings import Check, Findings, Ground, Row
from introlab.records.trial import Trial
from introlab.reporting.exchanges import exchanges_html, shares_html
from introlab.reporting.tables import NOTE, Table, cell, laid_out, number, place, told
from introlab.reporting.time_budget import budget_told
from introlab.reporting.transcripts import examples_html
from introlab.stats.power import visible

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MARKS = {True: ("pass", "holds"), False: ("fail", "fails"), None: ("open", "cannot tell")}
"""Class and word of a check."""
SEEN = (
    "How far from no effect the truth had to be to be found four times in five, from the width of the interval, which "
    "holds the number of trials and how alike those of a cluster are: an approximation. Of a control that is a "
    "difference and was not passed, the same is said beside it."
)
FACTS = ("parameters", "models", "versions", "code", "python", "started")
"""Entries of a manifest that a repetition is held to."""
_DATA = Path(__file__).parents[1] / "data"


@dataclass(frozen=True)
class Chapter:
    """One experiment's part of a report."""

    experiment: ExperimentCard
    manifest: Mapping[str, Any]
    findings: Findings
    figures: "Mapping[str, Figure]"
    trials: Sequence[Trial]


def render(chapters: Sequence[Chapter]) -> str:
    """The report of one experiment, or of several with their answers on top."""
    title = (
        chapters[0].experiment.name().replace("_", " ")
        if len(chapters) == 1
        else "What does this model know about itself?"
    )
    body = "".join(_chapter(chapter, index) for index, chapter in enumerate(chapters))
    return document(title, _summary(chapters), body + _file("glossary.html"))


def document(title: str, summary: str, body: str) -> str:
    """A page with figures that brings everything it needs. `summary` and `body` are HTML."""
    from plotly.offline import get_plotlyjs

    return page(title, heading(title.capitalize(), summary) + body, head=f"<script>{get_plotlyjs()}</script>")


def page(title: str, body: str, *, head: str = "") -> str:
    """A whole HTML page in the lab's look; `body` and `head` are HTML."""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)} - Introspection Lab</title><style>{style()}</style>{head}</head>"
        f"<body><main>{body}</main></body></html>"
    )


def heading(title: str, below: str) -> str:
    """The top of a page; `below` is HTML."""
    return f"<header><p class='brand'>Introspection Lab</p><h1>{escape(title)}</h1>{below}</header>"


def style() -> str:
    """The lab's look, as CSS."""
    return _file("report.css")


def _file(name: str) -> str:
    return (_DATA / name).read_text(encoding="utf-8")


def _summary(chapters: Sequence[Chapter]) -> str:
    organisms = any(spec.startswith("organism:") for chapter in chapters for spec in chapter.manifest["specs"])
    about = (
        "<p>The models here are <em>model organisms</em>: tiny language models trained from scratch so that the states "
        "under study exist in them by construction, with twins in which they do not. A result on them says whether "
        "the <em>instrument</em> finds what is there and nothing else; it says nothing about large models.</p>"
        if organisms
        else ""
    )
    if len(chapters) == 1:
        return about
    items = "".join(
        f"<li><a href='#chapter-{index}'>{escape(chapter.experiment.question())}</a>"
        f"<br>{escape(chapter.findings.answer)}</li>"
        for index, chapter in enumerate(chapters)
    )
    return f"{about}<ol class='questions'>{items}</ol>"


def _chapter(chapter: Chapter, index: int) -> str:
    experiment, findings = chapter.experiment, chapter.findings
    explained = "\n".join((experiment.__doc__ or "").strip().splitlines()[1:]).strip()
    return "".join(
        (
            f"<section id='chapter-{index}'><h2>{escape(experiment.question())}</h2>",
            f"<p class='answer'>{escape(findings.answer)}</p>",
            shares_html(chapter.trials, experiment.readable),
            exchanges_html(chapter.trials, experiment.readable),
            _verdicts(findings),
            _remarks(findings.remarks),
            _sizes(chapter.manifest),
            f"<p>{escape(' '.join(explained.split()))}</p>",
            f"<h3>Does the result survive its controls?</h3>{_checks(findings.checks)}",
            *(figure_html(figure) for figure in chapter.figures.values()),
            "<h3>The numbers</h3><p>The primary outcome, declared before the run: ",
            f"<strong>{escape(experiment.primary)}</strong> (no effect: {experiment.null:g}).</p>",
            _tables([row for row in findings.rows if row.role != "detail"]),
            f"<h3>What could have been seen</h3>{_seen(findings.primary, experiment.null)}",
            "<details><summary>Further estimates</summary>"
            + _tables([row for row in findings.rows if row.role == "detail"])
            + "</details>",
            "<details><summary>Texts: a few from every condition</summary>",
            examples_html(chapter.trials, experiment.rank_texts_by, experiment.per_token) + "</details>",
            f"<details><summary>How to repeat this</summary>{_repeat(chapter.manifest)}</details></section>",
        )
    )


def _sizes(manifest: Mapping[str, Any]) -> str:
    """Settings that are not the default, and what was cut so that the run kept to its time."""
    changed = {name: manifest["parameters"][name] for name in manifest["passed"]}
    stated = ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in changed.items())
    note = manifest.get("budget")
    lines = [f"Settings of this run that are not the default: {stated}."] if changed else []
    lines += [f"Sizes followed a budget of time: {budget_told(note)}."] if note else []
    return f"<p>{escape(' '.join(lines))}</p>" if lines else ""


def _plain(value: object) -> str:
    return (" ".join(map(str, value)) or "none") if isinstance(value, list | tuple) else str(value)


def _verdicts(findings: Findings) -> str:
    """One word for each model, and the answers it rests on."""
    if not findings.verdicts:
        return ""
    rows = "".join(
        f"<tr><td>{escape(model)}</td><td><strong>{escape(verdict)}</strong>{_grounds(findings.grounds.get(model, ()))}"
        "</td></tr>"
        for model, verdict in findings.verdicts.items()
    )
    return f"<table class='verdicts'><tr><th>model</th><th>verdict</th></tr>{rows}</table>"


def _remarks(remarks: Sequence[str]) -> str:
    lines = "".join(f"<li>{escape(each)}</li>" for each in remarks)
    return f"<details><summary>What else was found</summary><ul>{lines}</ul></details>" if lines else ""


def _grounds(grounds: Sequence[Ground]) -> str:
    lines = "".join(
        f"<tr><td>{escape(each.question)}</td><td><em>{escape(each.answer)}</em></td><td>{escape(each.number)}</td></tr>"
        for each in grounds
    )
    return f"<table class='grounds'>{lines}</table>" if lines else ""


def _checks(checks: Sequence[Check]) -> str:
    items = []
    for check in checks:
        kind, word = MARKS[check.passed]
        items.append(
            f"<li class='{kind}'><span>{word}</span> <strong>{escape(check.control.replace('_', ' '))}</strong>: "
            f"{escape(told(check))}</li>"
        )
    return f"<ul class='checks'>{''.join(items)}</ul>"


def figure_html(figure: "Figure") -> str:
    """A figure as HTML for a page that has plotly."""
    from introlab.reporting.notebook_figure import CONFIG

    return f"<div class='figure'>{figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG)}</div>"


def _tables(rows: Sequence[Row]) -> str:
    if not rows:
        return "<p>none</p>"
    return "".join(map(table_html, laid_out(rows))) + f"<p class='where'>{escape(NOTE)}</p>"


def _seen(rows: Sequence[Row], null: float) -> str:
    """The smallest effect that the primary outcome could have shown."""
    effects = [visible(row.estimate, null) for row in rows]
    body = tuple(
        (row.measure, place(row.where), cell(row.estimate), "cannot be told" if effect is None else number(effect))
        for row, effect in zip(rows, effects, strict=True)
    )
    head = ("measure", "where", "estimate", f"smallest effect, from {null:g}")
    return table_html(Table(head, body, ("secondary",) * len(body))) + f"<p class='where'>{escape(SEEN)}</p>"


def table_html(table: Table) -> str:
    """A part of a document."""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head)
    body = "".join(
        f"<tr class='{escape(role)}'>{''.join(map(_cell, line))}</tr>"
        for line, role in zip(table.body, table.roles, strict=True)
    )
    return f"<div class='scroll numbers'><table><tr>{head}</tr>{body}</table></div>"


def _cell(text: str) -> str:
    estimate, counts = apart(text)
    below = f"<br><small>{counts}</small>" if counts else ""
    return f"<td>{escape(estimate)}{below}</td>"


def apart(text: str) -> tuple[str, str]:
    """A cell's estimate and its counts, which go under it: rows stay in line, and numbers beside numbers."""
    estimate = re.fullmatch(r"(.*[0-9\]l]) (\d+/\d+)", text)
    return (estimate[1], estimate[2]) if estimate else (text, "")


def _repeat(manifest: Mapping[str, Any]) -> str:
    facts = ((name, str(manifest[name])) for name in FACTS)
    rows = "".join(f"<tr><td>{escape(name)}</td><td><code>{escape(value)}</code></td></tr>" for name, value in facts)
    return f"<p><code>{escape(command(manifest))}</code></p><div class='scroll'><table>{rows}</table></div>"


def command(manifest: Mapping[str, Any]) -> str:
    """What to type to repeat a run."""
    changed = {name: manifest["parameters"][name] for name in manifest["passed"]}
    flags = "".join(f" --{name.replace('_', '-')} {_flag(value)}" for name, value in changed.items())
    flags += " --budget unlimited" if manifest.get("budget") else ""
    return f"introlab run {manifest['experiment'].replace('_', '-')} --model {shlex.join(manifest['specs'])}{flags}"


def _flag(value: object) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list | tuple) else shlex.quote(str(value))
