"""Runs side by side in one self-contained HTML file."""

from collections.abc import Mapping
from html import escape

from introlab.records.run import Run
from introlab.reporting.comparison import EXPLAINED, PAIRED, Comparison
from introlab.reporting.html import document, figure_html, table_html
from introlab.reporting.tables import NOTE, as_text


def render_comparison(found: Comparison, runs: Mapping[str, Run]) -> str:
    """The page. Raises OSError or ValueError where a figure cannot be read."""
    names = "".join(
        f"<tr><td><strong>{letter}</strong></td><td>{escape(name)}</td><td>{escape(run.findings.answer)}</td></tr>"
        for (letter, name), run in zip(found.names.items(), runs.values(), strict=True)
    )
    paired = "".join(
        f"<p class='where'>{letter}: {escape(words)}.{_items(found, letter)}</p>"
        f"<details><summary>Every outcome and reading</summary>"
        f"{table_html(found.paired_table(letter))}</details>"
        for letter, words in found.shared.items()
    )
    body = "".join(
        (
            f"<section><h2>Where they differ</h2>{table_html(found.facts)}</section>",
            f"<section><h2>Estimates</h2><p>{EXPLAINED}</p>{table_html(found.table())}",
            f"<p class='where'>{escape(NOTE)} {escape(found.left_out)}</p></section>",
            f"<section><h2>The same trials, in pairs</h2><p>{PAIRED}</p>{paired}</section>",
            f"<section><h2>Figures</h2>{_figures(runs)}</section>",
        )
    )
    return document("runs side by side", f"<table class='verdicts'>{names}</table>", body)


def _items(found: Comparison, letter: str) -> str:
    words = found.items[letter]
    return f" {words}." if words else ""


def _figures(runs: Mapping[str, Run]) -> str:
    from plotly.graph_objects import Figure

    drawn = [run.figures for run in runs.values()]
    names = dict.fromkeys(name for each in drawn for name in each)
    rows = (
        "".join(figure_html(Figure(each[name])) if name in each else "<div></div>" for each in drawn) for name in names
    )
    return "".join(f"<div class='beside'>{row}</div>" for row in rows)


def text_comparison(found: Comparison) -> str:
    """For a terminal: what differs, then the estimates."""
    names = "\n".join(f"{letter}  {name}" for letter, name in found.names.items())
    shared = "\n".join(f"{letter}: {words}.{_items(found, letter)}" for letter, words in found.shared.items())
    parts = [names, as_text(found.facts), as_text(found.table()), NOTE, EXPLAINED, found.left_out, shared]
    return "\n\n".join(part for part in parts if part)
