"""Broken texts of a real model are told from fluent ones; organisms are judged as they were."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.shared.generations import coherence_test
from introlab.activations.extract import text_logprobs
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.network.messages import user
from introlab.stats.discrimination import auroc_of
from probes.text.coherence import BEYOND, CoherenceBounds, CoherenceDistance, redundancy

DATA = Path(__file__).parent / "data"
OWN = CoherenceDistance(-1.0, 0.25, 0.0, 0.05)


def rows(name):
    return [json.loads(line) for line in (DATA / f"coherence_{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def fitted():
    own = rows("calibration")
    return CoherenceDistance.of([row["logprob"] for row in own], [row["tokens"] for row in own])


def test_a_known_distance():
    """Two deviations less likely; a quarter of the triples repeated, five deviations; both."""
    loop = [1, 2, 3, 1, 2, 3]
    assert redundancy(loop) == 0.25
    assert OWN.distance(-1.5, [1, 2, 3, 4]) == pytest.approx(2)
    assert OWN.distance(-1.0, loop) == pytest.approx(5)
    assert OWN.distance(-1.0 - 3 * 0.25, loop) == pytest.approx(np.hypot(3, 5))
    assert OWN.distance(0.0, []) == 0, "likelier than usual is no fault"


def test_what_it_calls_incoherent():
    assert not OWN.incoherent(-1.0 - (BEYOND - 0.1) * 0.25, [1, 2, 3], "")
    assert OWN.incoherent(-1.0 - (BEYOND + 0.1) * 0.25, [1, 2, 3], "")
    assert OWN.incoherent(-0.1, [7] * 30, ""), "a loop is likely, and broken"
    assert OWN.incoherent(None, [], ""), "an empty text"


def test_the_threshold_is_the_models_own():
    """The same text: broken for a model that is sure of its words, and not for one that is not."""
    tokens = [[1, 2, 3, 4]] * 4
    sure = CoherenceDistance.of([-0.5, -0.6, -0.7, -0.6], tokens)
    unsure = CoherenceDistance.of([-2.0, -3.0, -4.0, -3.0], tokens)
    assert sure.incoherent(-3.5, tokens[0], "") and not unsure.incoherent(-3.5, tokens[0], "")


def test_texts_that_are_all_alike_make_no_bound_of_no_width():
    alike = CoherenceDistance.of([-1.0] * 5, [[1, 2, 3]] * 5)
    assert alike.logprob_deviation > 0 and alike.repeated_deviation > 0


def test_too_few_texts_are_refused():
    with pytest.raises(InputError, match="too few unsteered texts"):
        CoherenceDistance.of([None, -1.0], [[], [1]])


@given(st.floats(-20, 0), st.floats(0, 5), st.lists(st.integers(0, 5), max_size=20))
def test_less_likely_is_never_nearer(logprob, less, tokens):
    assert OWN.distance(logprob - less, tokens) >= OWN.distance(logprob, tokens)


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=12, unique=True))
def test_saying_it_again_is_never_nearer(tokens):
    assert OWN.distance(-1.0, tokens * 3) > OWN.distance(-1.0, tokens)


def test_the_labelled_texts_are_what_the_page_says():
    """Two sets of 200, both labels, no topic in both; calibration texts are unsteered."""
    working, held = rows("working"), rows("held_out")
    for texts in (working, held):
        assert len(texts) == 200 and 50 < sum(not row["coherent"] for row in texts) < 150
    assert not {row["topic"] for row in working if row["topic"]} & {row["topic"] for row in held if row["topic"]}
    assert not {row["asked"] for row in [*working, *held]} & {row["asked"] for row in rows("calibration")}
    assert {row["made"] for row in rows("calibration")} == {"unsteered"}


def test_broken_texts_of_a_real_model_are_found(fitted):
    """On the texts that the measure was made on, beside the flag it replaces (docs/coherence.md has the others)."""
    texts = rows("working")
    broken = np.array([not row["coherent"] for row in texts])
    far = np.array([1e3 if row["logprob"] is None else fitted.distance(row["logprob"], row["tokens"]) for row in texts])
    own = rows("calibration")
    bounds = CoherenceBounds.of(*([row[name] for row in own] for name in ("sentence_logprob", "tokens", "text")))
    flagged = [bounds.incoherent(row["sentence_logprob"], row["tokens"], row["text"]) for row in texts]
    assert auroc_of(far, broken) > 0.97 > auroc_of(np.array(flagged, dtype=float), broken)
    assert (far[broken] > BEYOND).mean() > 0.9 and (far[~broken] <= BEYOND).mean() > 0.9


@pytest.mark.parametrize("made", ["loop", "shuffled", "temperature 2.2", "random 1.2", "unsteered"])
def test_each_way_of_breaking_a_text_is_found_and_none_in_plain_ones(fitted, made):
    """Positive controls, and a negative one."""
    some = [row for row in rows("working") if row["made"].startswith(made)]
    found = np.mean([fitted.incoherent(row["logprob"], row["tokens"], row["text"]) for row in some])
    assert len(some) >= 10 and (found <= 0.05 if made == "unsteered" else found == 1)


def test_organisms_are_judged_by_the_bounds_they_always_had(organism, family_model):
    texts = [[5, 6, 7], [5, 7, 8], [9, 5, 6]]
    assert isinstance(coherence_test(organism("reflective"), [-1.0, -1.1, -0.9], texts), CoherenceBounds)
    assert isinstance(coherence_test(family_model("llama"), [-1.0, -1.1, -0.9], texts), CoherenceDistance)


@pytest.mark.real_model
def test_what_the_files_say_was_measured(smollm2):
    some = rows("held_out")[:4]
    prompts = [tuple(smollm2.ids([user(row["asked"])])) for row in some]
    texts = [Text.written(ids, row["tokens"], "") for ids, row in zip(prompts, some, strict=True)]
    for row, found in zip(some, text_logprobs(smollm2, texts), strict=True):
        assert float(np.mean(found)) == pytest.approx(row["logprob"], abs=2e-3)
