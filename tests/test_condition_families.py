"""Conditions that are text in trials are written and read in one place, and come back as they were."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from experiments.shared.condition_families import PERSONA, ConditionFamily, KindTopic, TopicPair
from introlab.errors import InputError

NAMES = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=12)


@given(NAMES, NAMES, st.sampled_from([" ", ", ", ": "]))
def test_a_member_comes_back(name, member, separator):
    family = ConditionFamily(name, separator)
    assert family.member(family(member)) == member and family(member) in family


@given(NAMES)
def test_other_conditions_are_of_no_member(text):
    assert PERSONA.member(text) is None or text.startswith("persona ")
    assert "baseline" not in PERSONA and "persona" not in PERSONA and "persona " not in PERSONA
    assert None not in PERSONA and 3.0 not in PERSONA


@given(st.sampled_from([TopicPair, KindTopic]), NAMES, NAMES)
def test_pairs_come_back(kind, one, other):
    pair = kind(one, other)
    assume(str(pair).count(" -> " if kind is TopicPair else ": ") == 1)
    assert kind.parse(str(pair)) == pair


@pytest.mark.parametrize("text", ["", "a", "a -> ", "a -> b -> c"])
def test_what_is_no_pair_is_refused(text):
    with pytest.raises(InputError, match="pair"):
        TopicPair.parse(text)


def test_an_empty_member_is_refused():
    with pytest.raises(InputError, match="without a member"):
        PERSONA("")
