"""A page for each latent and an index of them: a folder of HTML that asks the network for nothing; all text is escaped.

Plotly lies beside the pages, once for all of them.
"""

from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

import numpy as np
from plotly.graph_objects import Bar, Figure
from plotly.offline import get_plotlyjs

from introlab.errors import InputError, RunFolderError
from introlab.io.atomic import write_whole
from introlab.reporting.figures import PALETTE, faded, styled
from introlab.reporting.html import figure_html, heading, page
from probes.sae.max_activating_examples import ActivatingText, LatentSummary

BINS = 40
AROUND = 40
"""Tokens shown on either side of the largest value."""
CONTEXT = 6
"""The same in the index."""
_SCRIPT = "plotly.min.js"


def write_pages(latent_summaries: Sequence[LatentSummary], folder: Path, *, about: str) -> Path:
    """Write a page for each latent, and last `index.html`, whose path is returned. `about` says of which autoencoder.

    Raises InputError where the folder holds something already or there is nothing to write, RunFolderError where it
    cannot be written.
    """
    if not latent_summaries:
        raise InputError("no latents to write pages of")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError("there is something in this folder already", given=folder, do="choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / _SCRIPT, get_plotlyjs())
        for at, one in enumerate(latent_summaries):
            around = (
                latent_summaries[at - 1] if at else None,
                latent_summaries[at + 1] if at + 1 < len(latent_summaries) else None,
            )
            _write(folder / _file(one), _page(one, around, about))
        _write(folder / "index.html", _index(latent_summaries, about))
    except OSError as error:
        raise RunFolderError("the pages cannot be written", given=f"{folder} ({error})") from error
    return folder / "index.html"


def _write(path: Path, text: str) -> None:
    write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def _file(portrait: LatentSummary) -> str:
    return f"latent-{portrait.index}.html"


def _page(one: LatentSummary, around: tuple[LatentSummary | None, LatentSummary | None], about: str) -> str:
    links = ["<a href='index.html'>all latents</a>"]
    for word, other in zip(("previous", "next"), around, strict=True):
        links += [f"<a href='{_file(other)}'>{word}: {other.index}</a>"] if other else []
    top = heading(f"Latent {one.index}", f"<p>{escape(about)}</p><nav>{' · '.join(links)}</nav>")
    body = (
        f"{top}<section>{_facts(one)}{figure_html(_histogram(one)) if len(one.active) else ''}</section>"
        f"{_effects(one)}{_examples(one)}"
    )
    return page(f"Latent {one.index}", body, head=f"<script src='{_SCRIPT}'></script>")


def _facts(one: LatentSummary) -> str:
    facts = {
        "active at": f"{_percent(one.frequency)} of {one.tokens:,} tokens",
        "active in": f"{_percent(one.texts)} of texts",
        "mean when active": f"{one.mean_active:.3g}",
        "largest": f"{one.largest:.3g}",
    }
    return "<dl class='facts'>" + "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in facts.items()) + "</dl>"


def _percent(share: float) -> str:
    return "0 %" if share == 0 else "< 0.01 %" if share < 1e-4 else f"{100 * share:.3g} %"


def _histogram(one: LatentSummary) -> Figure:
    counts, edges = np.histogram(one.active.numpy(), bins=BINS, range=(0.0, one.largest))
    width = float(edges[1])
    bars = Bar(x=(edges[:-1] + width / 2).tolist(), y=counts.tolist(), width=width, marker={"color": PALETTE[0]})
    bars.hovertemplate = "%{x:.3g}: %{y} tokens<extra></extra>"
    figure = styled(Figure(bars), title="Where it is active", x="activation", y="tokens", height=260)
    return figure.update_layout(bargap=0, margin={"t": 40, "b": 45})


def _effects(one: LatentSummary) -> str:
    if not one.promoted:
        return ""
    most = max(abs(by) for _, by in (*one.promoted, *one.suppressed)) or 1.0
    tables: list[str] = []
    for title, words, color in (("promotes", one.promoted, PALETTE[2]), ("suppresses", one.suppressed, PALETTE[1])):
        lines = "".join(_word(*each, most, color) for each in words)
        tables.append(f"<div><h3>{title}</h3><table class='words'>{lines}</table></div>")
    note = (
        "Change of a token's logit against the mean token, by the logit lens: what later blocks make of it is left out."
    )
    return (
        f"<section><h2>What it says</h2><p class='where'>{note}</p><div class='two'>{''.join(tables)}</div></section>"
    )


def _word(token: str, by: float, most: float, color: str) -> str:
    bar = f"<span class='bar' style='width:{100 * abs(by) / most:.0f}%;background:{color}'></span>"
    return f"<tr><td><code>{_visible(token)}</code></td><td class='wide'>{bar}</td><td class='num'>{by:+.2f}</td></tr>"


def _examples(one: LatentSummary) -> str:
    parts = []
    for kind, some in groupby(one.examples, key=lambda example: example.kind):
        shown = "".join(
            f"<div class='example'><p class='where'>{escape(each.name)} · <b>{each.values[each.peak]:.3g}</b></p>"
            f"{_tokens(each, one.largest, AROUND)}</div>"
            for each in some
        )
        parts.append(f"<h3>{escape(kind)}</h3>{shown}")
    note = "Prompts in grey. The stronger the colour, the more active; the largest is framed."
    return f"<section><h2>Texts</h2><p class='where'>{note}</p>{''.join(parts)}</section>" if parts else ""


def _tokens(example: ActivatingText, largest: float, around: int) -> str:
    """The tokens about the largest value, each coloured by its own."""
    first, last = max(0, example.peak - around), min(len(example.tokens), example.peak + around + 1)
    parts = ["<span class='cut'>… </span>" if first else ""]
    for at in range(first, last):
        token, value = example.tokens[at], example.values[at] if at else 0.0
        bare = token.lstrip(" ")
        color = f" style='background:{faded(PALETTE[1], 0.08 + 0.72 * min(1.0, value / largest))}'" if value > 0 else ""
        framed, asked = value > 0 and at == example.peak, at < example.prompt_len and not color
        kind = " class='peak'" if framed else " class='asked'" if asked else ""
        word = f"<span{kind}{color} title='{value:.3g}'>{_visible(bare)}</span>"
        parts.append(" " * (len(token) - len(bare)) + word)
    parts.append("<span class='cut'> …</span>" if last < len(example.tokens) else "")
    return f"<p class='tokens'>{''.join(parts)}</p>"


def _visible(token: str) -> str:
    """Escaped, with line breaks and empty tokens shown."""
    return escape(token.replace("\n", "⏎")) or "∅"


def _index(latent_summaries: Sequence[LatentSummary], about: str) -> str:
    lines = "".join(
        f"<tr><td><a href='{_file(one)}'>{one.index}</a></td><td class='num'>{_percent(one.frequency)}</td>"
        f"<td class='num'>{one.mean_active:.3g}</td>"
        f"<td>{' '.join(f'<code>{_visible(token.strip())}</code>' for token, _ in one.promoted[:4])}</td>"
        f"<td>{_tokens(one.examples[0], one.largest, CONTEXT) if len(one.active) else 'never active'}</td></tr>"
        for one in latent_summaries
    )
    head = "".join(
        f"<th{kind}>{name}</th>"
        for name, kind in (
            ("latent", ""),
            ("active at", " class='num'"),
            ("mean", " class='num'"),
            ("promotes", ""),
            ("where it is largest", ""),
        )
    )
    note = "<p>The share of tokens at which each is active, its mean there, and the words it promotes most.</p>"
    body = f"{heading('Latents', f'<p>{escape(about)}</p>{note}')}<section><div class='scroll'>"
    body += f"<table class='listed'><tr>{head}</tr>{lines}</table></div></section>"
    return page("Latents", body)
