"""What was estimated is a field of the estimate: labels are for readers, and no calculation reads them."""

import json
from dataclasses import replace

import pytest

from introlab.records.findings import Check, Findings, Row
from introlab.stats.contrasts import contrast, ratio
from introlab.stats.discrimination import auroc
from introlab.stats.estimates import difference, mean, proportion
from introlab.stats.interval import Estimate
from introlab.stats.paired import paired_rates
from introlab.stats.power import visible

ALONE = [str(index) for index in range(40)]
KINDS = {
    "proportion": lambda: proportion([index % 4 == 0 for index in range(40)], ALONE),
    "mean": lambda: mean([float(index % 7) for index in range(40)], ALONE),
    "auroc": lambda: auroc([float(index % 7) for index in range(40)], [index % 2 == 0 for index in range(40)], ALONE),
    "difference": lambda: difference(proportion([1, 0] * 20, ALONE), proportion([1, 0, 0, 0] * 10, ALONE)),
    "paired difference": lambda: paired_rates([(index % 2, index % 3 == 0) for index in range(40)], ALONE),
    "ratio": lambda: ratio(proportion([1, 0] * 20, ALONE), proportion([1, 0, 0, 0] * 10, ALONE)),
    "contrast": lambda: contrast([1, 0, 0] * 14, [0, 1] * 21, {0: 1.0, 1: -1.0}, range(42)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_could_have_been_seen_rests_on_the_kind_and_not_on_the_label(kind):
    """Another label changes nothing; another kind does, where the kind is asked about."""
    found = KINDS[kind]()
    assert found.kind == kind and found.known
    seen = visible(found)
    assert seen is not None and visible(replace(found, method="AUROC, Korn-Graubard, paired")) == seen
    assert (visible(replace(found, kind="")) != seen) == (kind in ("proportion", "auroc"))


def test_estimates_of_older_files_are_read_without_a_kind():
    found = proportion([1, 0] * 20, ALONE)
    assert Estimate(**json.loads(json.dumps(found.as_json()))) == found
    older = {name: value for name, value in found.as_json().items() if name != "kind"}
    findings = Findings((Row("hits", {}, found),), (Check("chance", True, "above", found),), "yes").as_json()
    findings["rows"][0]["estimate"] = findings["checks"][0]["gap"] = older
    read = Findings.from_json(findings)
    assert read.rows[0].estimate == read.checks[0].gap == replace(found, kind="")
