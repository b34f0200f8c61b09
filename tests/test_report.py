"""A report is one file that opens offline and lets no model write HTML."""

import re

import pytest

from experiments import find
from experiments.steering_resistance.labels import PUSH_ON, PUSHED_INTRUSION
from introlab.records.findings import Check
from introlab.records.receipt import Receipt
from introlab.records.trial import Trial
from introlab.reporting.html import Chapter, render
from introlab.reporting.tables import text_table, told
from introlab.reporting.transcripts import chosen, examples_html
from introlab.stats.estimates import mean

KIND = find("steering_resistance")
MANIFEST = {
    "experiment": "steering_resistance",
    "specs": ["organism:compliant"],
    "parameters": {"strengths": [1.0]},
    "passed": ["strengths"],
    "models": {},
    "versions": {},
    "code": {},
    "python": "3",
    "started": "now",
}


@pytest.fixture(scope="module")
def page():
    experiment = KIND()
    trials = experiment.simulate(1.0, 0)
    hostile = Trial(
        experiment="e",
        model="<b>m</b>",
        item="x",
        cluster="x",
        split="test",
        condition="push",
        prompt="<img src=x>",
        text="<script>alert(1)</script>",
    )
    findings = experiment.analyze(trials)
    return render([Chapter(KIND, MANIFEST, findings, experiment.draw(findings), [*trials, hostile])])


def outside_scripts(page):
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_it_asks_the_network_for_nothing(page):
    shown = outside_scripts(page)
    assert (
        not re.search(r"""(?:src|href)\s*=\s*['"](?:https?:)?//""", shown)
        and "<link" not in shown
        and "@import" not in shown
    )
    assert re.findall(r"<script[^>]*\ssrc=", page) == []


def test_it_has_no_cloud_button(page):
    configs = re.findall(r"Plotly\.newPlot\(.*?\}\s*\)", page, flags=re.DOTALL)
    assert configs and page.count('"showSendToCloud": false') == page.count("Plotly.newPlot(") - get_plotlyjs().count(
        "Plotly.newPlot("
    )


def get_plotlyjs():
    from plotly.offline import get_plotlyjs as library

    return library()


def test_what_a_model_wrote_is_escaped(page):
    assert "<script>alert(1)</script>" not in page and "&lt;script&gt;alert(1)" in page
    assert "<img src=x>" not in page and "<b>m</b>" not in outside_scripts(page)


def test_it_says_question_answer_controls_and_how_to_repeat(page):
    shown = outside_scripts(page)
    assert KIND.question() in shown and "Does the result survive its controls?" in shown
    assert "introlab run steering-resistance --model organism:compliant --strengths 1.0" in shown
    for control in KIND.controls:
        assert control.replace("_", " ") in shown


def test_a_missing_number_is_a_dash_and_never_zero():
    experiment = KIND()
    findings = experiment.analyze(
        [trial for trial in experiment.simulate(1.0, 0) if trial.condition not in (PUSHED_INTRUSION, PUSH_ON)]
    )
    table = text_table(findings)
    line = next(line for line in table.splitlines() if line.startswith(KIND.primary))
    assert line.endswith("–") and "0.0" not in line


def written(count, item="x", model="organism:nobody", **changes):
    """A text of so many words under an edit, with a reading for each."""
    receipt = Receipt("resid_post[2]", "generated", EDIT, ((6, 7),), ((7, 9),), 0.5, "applied")
    entries = {
        "experiment": "e",
        "model": model,
        "item": item,
        "cluster": item,
        "split": "test",
        "condition": "push",
        "strength": 1.5,
        "text": " ".join(f"w{index}" for index in range(count)),
        "tokens": tuple(range(count)),
        "readings": {"logprob_per_token": [-0.5 * index for index in range(count)], "score": 0.5},
        "receipts": (receipt,),
    }
    return Trial(**{**entries, **changes})


EDIT = {"edit": "add", "raw": 2.5, "natural": 1.5, "share": 0.42}


def test_texts_are_coloured_underlined_and_have_their_receipt_in_a_line():
    html = examples_html([written(4)], None, ("logprob_per_token",))
    assert "logprob: <span class='mark'" in html and ">-1.5</span>" in html, "the scale"
    assert html.count("style='background:rgba(31,90,148") >= 4 and "coloured by logprob<" in html
    touched = re.findall(r"class='touched'[^>]*>([^<]*)<", html)
    assert touched == ["w0", " w1"], "positions 7 and 8 of a prompt of 7"
    assert "add at resid_post[2], 2.5 raw, 1.5 natural units, 0.42 of the residual norm; positions 6, 7–8" in html
    assert "read: score: 0.5" in html
    plain = examples_html([written(4, receipts=())], None, ())
    assert "<p class='text'>w0 w1 w2 w3</p>" in plain and "background" not in plain


def test_the_highest_the_lowest_and_a_random_text_of_each_condition_are_shown():
    trials = [written(2, f"item {n}", readings={"score": float(n)}) for n in range(9)]
    found = chosen(trials, "score")
    assert [one.why for one in found] == ["highest score, 8", "lowest score, 0", "at random"]
    assert [one.trial.item for one in found[:2]] == ["item 8", "item 0"] and len({one.trial.id for one in found}) == 3
    assert chosen(trials[::-1], "score") == found, "whatever the order"
    assert {one.why for one in chosen(trials, None)} == {"at random"}
    assert {one.why for one in chosen([written(2, f"{n}") for n in range(9)], "score")} == {"at random"}, "all alike"
    assert len(chosen(trials, "no such reading")) == 3 and len(chosen(trials[:1], "score")) == 1


def test_of_several_readings_one_is_seen_without_a_script():
    names = tuple(f"{name} per token" for name in ("a", "b", "c", "d"))
    html = examples_html([written(3, readings={name: [0.1, 0.2, 0.3] for name in names})], None, names)
    assert html.count("type='radio'") == 3 == html.count("<p class='text tokens'>") and html.count(" checked") == 1
    assert "<script" not in html and "onclick" not in html


def test_what_texts_take_of_a_report_is_bounded():
    """60 conditions of long texts in which every character is escaped, all under edits in many pieces, four readings:
    at most the 20 MB that are promised."""
    names = ("a", "b", "c", "d")
    everywhere = tuple((start, start + 1) for start in range(7, 907))
    receipt = Receipt("resid_post[2]", "generated", EDIT, ((6, 7),), everywhere, 0.5, "applied")
    quotes = '"' * 5000
    many = [
        written(
            900,
            f"{n}",
            condition=f"{n // 4:02d}{quotes}",
            prompt=quotes,
            text=" ".join(['"' * 6] * 900),
            readings={name: [0.123456789 * index for index in range(900)] for name in names},
            outcomes={quotes: quotes},
            receipts=(receipt,) * 9,
        )
        for n in range(240)
    ]
    html = examples_html(many, "score", names)
    assert 5e6 < len(html.encode()) < 20e6 and "40 of 60 conditions are shown" in html
    assert '"' not in html and "&quot;" in html


@pytest.mark.parametrize("where", ["prompt", "text", "model", "condition", "item"])
def test_nothing_hostile_acts_in_an_example(where):
    hostile = "<script>alert('1')</script> \"'><img src=x onerror=alert(1)>"
    words = {"text": hostile, "tokens": tuple(range(len(hostile.split())))} if where == "text" else {where: hostile}
    words["readings"] = {"<b>": [0.5] * len(words.get("tokens", range(4)))}
    words["outcomes"] = {hostile: hostile}
    html = examples_html([written(4, **words)], None, ("<b>",))
    assert "<script" not in html and "<img" not in html and "<b>" not in html and "&lt;script&gt;" in html
    assert not re.search(r"title='[^']*'[^>]*onerror", html)


def test_it_says_what_could_have_been_seen(page):
    assert "What could have been seen" in page and "smallest effect, from 0" in page
    gap = mean([0.1, -0.1, 0.3, -0.2, 0.0], list("abcde"))
    assert "minimum detectable" in told(Check("c", False, "no gap", gap))
    assert told(Check("c", True, "a gap", gap)) == "a gap" and told(Check("c", None, "open")) == "open"


def test_texts_share_one_scale():
    """The strongest token of a weak text is not as dark as that of a strong one."""
    weak, strong = (written(2, item, readings={"p": [0.0, top]}) for item, top in (("weak", 0.1), ("strong", 1.0)))
    html = examples_html([weak, strong], None, ("p",))
    assert sorted(re.findall(r"title='new token 1[^>]*,([0-9.]+)\)'", html)) == ["0.075", "0.75"]
