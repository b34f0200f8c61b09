"""Our measures of uncertainty against lm-polygraph's, if installed (`pip install --no-deps lm-polygraph pillow`).

Its packages import all they could ever need, and pin other versions of it than the lab's; the modules asked here need
hardly any, so they are imported without their packages.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from introlab.stats.selective_prediction import area_under_risk, rejection_ratio
from probes.uncertainty import meanings, semantic_entropy

PACKAGES = ("lm_polygraph", "lm_polygraph.ue_metrics", "lm_polygraph.estimators", "lm_polygraph.utils")


@pytest.fixture(scope="module")
def polygraph():
    """`polygraph("ue_metrics.risk_cov_curve")`: one of its modules."""
    spec = importlib.util.find_spec("lm_polygraph")
    if spec is None or importlib.util.find_spec("PIL") is None:
        pytest.skip("lm-polygraph, or pillow, is not installed")
    for name in PACKAGES:
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__path__ = [str(Path(spec.submodule_search_locations[0], *name.split(".")[1:]))]
    yield lambda name: importlib.import_module(f"lm_polygraph.{name}")
    for name in [name for name in sys.modules if name.startswith("lm_polygraph")]:
        del sys.modules[name]


ANSWERS = st.lists(st.booleans(), min_size=4, max_size=40).filter(lambda right: len(set(right)) == 2)


def scored(right, seed):
    """Confidences that differ: lm-polygraph has no rule for ties."""
    return np.random.default_rng(seed).permutation(len(right)) / len(right)


@settings(deadline=None)
@given(right=ANSWERS, seed=st.integers(0, 1000))
def test_area_under_risk_and_rejection_ratio(polygraph, right, seed):
    confidence, quality = scored(right, seed), [float(one) for one in right]
    times = np.ones((1, len(right)))
    ours = {
        score.name: float(score.weighted(confidence, np.array(quality), times)[0])
        for score in (area_under_risk, rejection_ratio)
    }
    uncertainty = (-confidence).tolist()
    theirs = polygraph("ue_metrics.risk_cov_curve").RiskCoverageCurveAUC()(uncertainty, quality)
    assert ours["AURC"] == pytest.approx(theirs)
    metric = polygraph("ue_metrics.pred_rej_area").PredictionRejectionArea()
    best, random = metric([-one for one in quality], quality), np.mean(quality)
    assert ours["PRR"] == pytest.approx((metric(uncertainty, quality) - random) / (best - random))


@settings(deadline=None)
@given(answers=st.lists(st.sampled_from(["red", "blue", "Red.", "green"]), min_size=1, max_size=12))
def test_semantic_entropy_by_frequency(polygraph, answers):
    clusters = meanings(answers)
    members = [[at for at, one in enumerate(clusters) if one == cluster] for cluster in range(max(clusters) + 1)]
    estimator = polygraph("estimators.semantic_entropy").SemanticEntropy(class_probability_estimation="frequency")
    classes = {"class_to_sample": [members], "sample_to_class": [clusters]}
    theirs = estimator({"sample_texts": [answers], "semantic_classes_entail": classes})
    assert semantic_entropy(answers) == pytest.approx(float(theirs[0]), abs=1e-12)
