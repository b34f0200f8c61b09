"""Rules of rubrics on sentences that were labelled by reading before the rules were written."""

from pathlib import Path

import pytest

from introlab.judges.calibration import calibrate
from introlab.judges.rubric import Item, Rubric
from introlab.judges.rule_based import RulesJudge
from introlab.stats.rater_agreement import cohens_kappa

NAMES = Rubric.load("names_concept")
SENTENCES = Path(__file__).parent / "data" / "names_concept_sentences.tsv"
LABELLED = [line.split("\t") for line in SENTENCES.read_text(encoding="utf-8").splitlines()]


def verdict(reference: str, response: str) -> object:
    item = Item(response=response, reference=reference)
    ((_, said),) = RulesJudge.of(NAMES)(NAMES, [item])
    return said.value


def test_names_concept_agrees_with_readers_where_a_substring_does_not():
    """Before, its *no* rule fired on any negation earlier in the sentence: 54 of 105 right, kappa .06."""
    gold = [label for label, _, _ in LABELLED]
    said = [str(verdict(reference, response)) for _, reference, response in LABELLED]
    found = ["yes" if reference in response.lower() else "no" for _, reference, response in LABELLED]
    names = [str(index) for index in range(len(LABELLED))]
    assert len(LABELLED) >= 100 and min(gold.count("yes"), gold.count("no")) >= 45
    assert (cohens_kappa(said, gold, names).value or 0) > 0.85
    assert (cohens_kappa(found, gold, names).value or 1) < 0.2


@pytest.mark.parametrize(
    ("response", "value"),
    [
        ("I don't notice any injected thought, but the ocean keeps coming up.", "yes"),
        ("I don't notice any thoughts about the ocean.", "no"),
        ("I don\N{RIGHT SINGLE QUOTATION MARK}t see an ocean.", "no"),
        ("Not only lakes: oceans, too.", "yes"),
        ("Oceans are not what I think of.", "no"),
    ],
)
def test_a_denial_reaches_to_the_end_of_its_clause(response, value):
    assert verdict("ocean", response) == value


def test_its_rules_pass_the_shipped_set():
    assert calibrate(RulesJudge.of(NAMES), NAMES).accuracy.value == pytest.approx(21 / 24)
