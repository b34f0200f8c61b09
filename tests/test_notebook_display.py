"""What a notebook shows of each public object: escaped, offline, and kept by nbconvert."""

import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import plotly.graph_objects as go
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient
from nbconvert import HTMLExporter

import introlab as lab
from introlab.activations.directions import Direction
from introlab.generation.requests import Generation
from introlab.io.markup import card, grid, words
from introlab.network.sites import Site
from introlab.records.findings import Check, Findings, Row
from introlab.records.receipt import Receipt
from introlab.records.trial import Trial
from introlab.reporting import figures
from introlab.reporting.notebook_figure import NotebookFigure
from introlab.stats.interval import Estimate

ROOT = Path(__file__).parent.parent
EVIL = "<script>alert(1)</script>&\"'<img src=x onerror=alert(1)>"
RECEIPT = Receipt(EVIL, EVIL, {"edit": EVIL, EVIL: EVIL}, ((3, 4),), ((4, 9),), 0.3, EVIL, 1.5)
ESTIMATE = Estimate(0.5, 0.4, 0.6, 20, 10, EVIL)
DIRECTION = Direction(torch.tensor([1.0, 0.0]), 2.0, Site(1), EVIL, EVIL, EVIL, (EVIL,))
COMPLETION = lab.Completion(
    tokens=(1, 2),
    logprobs=(0.0, 0.0),
    readings={EVIL: (0.5, -0.5)},
    receipts=(RECEIPT,),
    prompt=EVIL,
    text=EVIL,
    pieces=(EVIL, EVIL),
    prompt_ids=(1,),
    model=EVIL,
)
TRIAL = Trial(
    experiment=EVIL,
    model=EVIL,
    item=EVIL,
    cluster=EVIL,
    split=EVIL,
    condition=EVIL,
    prompt=EVIL,
    text=EVIL,
    outcomes={EVIL: EVIL},
    receipts=(RECEIPT,),
)
FINDINGS = Findings(
    (Row(EVIL, {EVIL: EVIL}, ESTIMATE, "primary"),),
    (Check(EVIL, True, EVIL), Check("broken", False, EVIL)),
    EVIL,
    {EVIL: EVIL},
)
SHOWN = {
    "Receipt": RECEIPT,
    "Estimate": ESTIMATE,
    "Direction": DIRECTION,
    "Steering": DIRECTION * 0.3,
    "Completion": COMPLETION,
    "Generation": Generation((1,), (0.0,), {EVIL: (1.0,)}, (RECEIPT,), EVIL, error=EVIL),
    "Trial": TRIAL,
    "Findings": FINDINGS,
    "Probe": lab.Probe(DIRECTION, 1.0, 0.0, EVIL),
    "TokenHeatmap": lab.show_tokens(COMPLETION),
}


class Tags(HTMLParser):
    """The tags that a browser would see."""

    def __init__(self, text):
        super().__init__()
        self.seen: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        assert all(name in ("style", "title") for name, _ in attrs), attrs


@pytest.mark.parametrize("name", SHOWN)
def test_everything_in_it_is_escaped(name):
    page = SHOWN[name]._repr_html_()
    assert set(Tags(page).seen) <= {"div", "strong", "table", "tr", "th", "td", "p", "span"}
    assert "alert(1)" in page, "the words are there, as words"
    assert "http" not in page and "src=" not in re.sub(r"&lt;img src=x", "", page)


def test_an_unescaped_word_would_be_seen():
    """The test of the test above."""
    assert "script" in Tags(card("x", {}).replace("x", "<script>")).seen


@given(st.text(), st.text(), st.text())
def test_the_words_survive_whatever_they_are(title, name, value):
    page = card(title, {name: value}, below=grid((name,), [(value,)]) + words(value))
    assert set(Tags(page).seen) <= {"div", "strong", "table", "tr", "th", "td", "p"}


def test_failures_of_controls_come_first():
    page = FINDINGS._repr_html_()
    assert page.index("FAILS") < page.index("holds")


def test_a_receipt_in_words():
    receipt = Receipt(
        "resid_post[3]", "generated", {"edit": "add", "direction": "x"}, ((7, 8),), ((8, 12),), 0.3, "applied"
    )
    assert str(receipt) == "add x at resid_post[3], generated: positions 7–11, 0.3 of the norm there (applied)"
    nowhere = Receipt("resid_post[3]", "generated", {}, (), (), 0.0, "gate stayed closed")
    assert str(nowhere) == "edit at resid_post[3], generated: nowhere (gate stayed closed)"


def test_a_model_shows_itself(organism):
    page = organism("compliant")._repr_html_()
    assert "organism:compliant" in page and "6 layers of width 128" in page


def notebook_page(data):
    output = nbformat.v4.new_output("display_data", data=data)
    cell = nbformat.v4.new_code_cell("figure", outputs=[output])
    return HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))[0]


def test_a_figure_stays_when_a_notebook_becomes_a_page():
    figure = NotebookFigure(go.Figure(go.Scatter(x=[1, 2], y=[3, 4], name="a curve")))
    data = figure._repr_mimebundle_()
    assert set(data) == {"application/vnd.plotly.v1+json", "text/html"}
    page = notebook_page(data)
    assert "Plotly.newPlot" in page and "a curve" in page
    assert not re.search(r"<script[^>]+src=[\"'][^\"']*plotly", page), "plotly is in the page, not fetched"
    assert set(figure._repr_mimebundle_(exclude=["text/html"])) == {"application/vnd.plotly.v1+json"}


def test_a_notebook_is_given_both_kinds(monkeypatch):
    """What IPython asks for first: plotly's own answer to it has no HTML."""
    given = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw=False: given.append((set(data), raw)))
    NotebookFigure(go.Figure())._ipython_display_()
    assert given == [({"application/vnd.plotly.v1+json", "text/html"}, True)]


def test_the_labs_own_pictures_are_of_this_kind():
    rows = [Row("x", {"layer": 1.0}, ESTIMATE), Row("x", {"layer": 2.0}, ESTIMATE)]
    for drawn in (
        figures.forest(rows, ["a", "b"], title="t", x="x"),
        figures.curves({"line": rows}, "layer", title="t", x="x", y="y"),
        figures.bars({"group": {"a": rows[0]}}, title="t", y="y"),
        figures.heat_map(rows, "layer", "layer", title="t", x="x", y="y"),
    ):
        assert isinstance(drawn, NotebookFigure)


@pytest.mark.slow
def test_a_notebook_that_was_run_becomes_a_page_with_its_figure(monkeypatch):
    """In a kernel of its own, as `jupyter nbconvert --execute --to html` does it."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    code = "import plotly.graph_objects as go\nfrom introlab.reporting.notebook_figure import NotebookFigure\n"
    code += "NotebookFigure(go.Figure(go.Scatter(x=[1], y=[2], name='a curve')))"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    page = HTMLExporter().from_notebook_node(notebook)[0]
    assert "Plotly.newPlot" in page and "a curve" in page


def test_a_heat_map_has_a_colour_for_each_token_and_a_file_of_its_own(tmp_path):
    answer = lab.Completion(
        tokens=(1, 2, 3),
        logprobs=(0.0,) * 3,
        readings={"up": (-1.0, 0.0, 2.0), "list": ([1.0], [2.0], [3.0])},
        receipts=(),
        prompt="p",
        text="a b c",
        pieces=("a", " b", " c"),
        prompt_ids=(1,),
        model="m",
    )
    shown = lab.show_tokens([answer, answer], "up")
    colours = re.findall(r'title="token \d: up [-\d.]+" style="background:([^"]*)"', shown.html)
    assert "underline" not in shown.html, "it was not steered"
    assert len(colours) == 6 and colours[:3] == colours[3:] and len(set(colours)) == 3
    place = shown.save(tmp_path / "tokens.html")
    assert place.read_text(encoding="utf-8").endswith(shown.html)
    with pytest.raises(lab.LabError, match="there already"):
        shown.save(place)
    with pytest.raises(lab.LabError, match="one number"):
        lab.show_tokens(answer, "list")
