"""A report is one file that opens offline and lets no model write HTML."""

import re

import pytest

from experiments import find
from introlab.report import Chapter, render
from introlab.tables import text_table
from introlab.trials import Trial

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
        [trial for trial in experiment.simulate(1.0, 0) if trial.condition != "random_direction"]
    )
    table = text_table(findings)
    line = next(line for line in table.splitlines() if line.startswith(KIND.primary))
    assert line.endswith("–") and "0.0" not in line
