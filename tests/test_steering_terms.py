"""Arithmetic on directions, and the edit that adds a share of the local norm."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from introlab.activations.directions import Direction
from introlab.activations.steering_terms import Steering
from introlab.errors import InputError, ModelMismatch
from introlab.network.sites import Site
from introlab.network.spans import Span
from steering.edits import AddShare, steered_by


def direction(*vector, scale=1.0, site=None, model="m", examples=("a",)):
    found = torch.tensor(vector, dtype=torch.float32)
    return Direction(found / found.norm(), scale, site or Site(2), model, None, "made up", examples)


X, Y = direction(1.0, 0.0, scale=2.0), direction(0.0, 1.0, scale=3.0, examples=("b",))
finite = st.floats(-1e3, 1e3)


@given(finite, finite)
def test_shares_follow_the_rules_of_numbers(one, other):
    total = (X * one + Y * other) * 2.0 - X * one
    assert [share for _, share in total.terms] == pytest.approx([2 * one, 2 * other, -one])
    assert [term for term, _ in total.terms] == [X, Y, X]
    assert [share for _, share in (-(one * X) / 2).terms] == pytest.approx([-one / 2])


def test_directions_add_as_the_differences_of_means_they_are():
    total = X + Y
    assert total.scale == pytest.approx(math.hypot(2, 3))
    assert total.vector.tolist() == pytest.approx([2 / total.scale, 3 / total.scale])
    assert total.examples == ("a", "b"), "what either was fitted on may not be tested on"
    assert (X - Y).vector.tolist() == pytest.approx([2 / total.scale, -3 / total.scale])
    assert (-X).vector.tolist() == [-1, 0] and (-X).scale == 2 and "minus" in (-X).method


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ModelMismatch):
        X + direction(1.0, 0.0, model="other")
    with pytest.raises(ModelMismatch):
        X - direction(1.0, 0.0, site=Site(3))
    with pytest.raises(InputError, match="cancel"):
        X - X
    for wrong in (math.nan, math.inf):
        with pytest.raises(InputError, match="finite"):
            X * wrong
    with pytest.raises(InputError):
        Steering(())
    with pytest.raises(TypeError):
        X * "0.3"  # type: ignore[operator]


@given(
    st.lists(st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=2), min_size=1, max_size=4),
    st.floats(-3, 3),
    st.floats(0, 1),
)
def test_the_edit_adds_a_share_of_the_norm_there(values, share, amount):
    """Against plain arithmetic, position by position, two rows with edits of their own."""
    residual = torch.tensor([values, values])
    amounts = torch.full(residual.shape[:2], amount)
    changed = AddShare.stacked([AddShare(X, share), AddShare(Y, -share)], residual)(
        residual, amounts, torch.zeros_like(amounts, dtype=torch.long)
    )
    for row, (unit, sign) in enumerate((((1, 0), 1), ((0, 1), -1))):
        for position, (x, y) in enumerate(values):
            size = amount * sign * share * math.hypot(x, y)
            expected = [x + size * unit[0], y + size * unit[1]]
            assert changed[row, position].tolist() == pytest.approx(expected, abs=1e-3)


def test_an_edit_of_no_strength_is_inert_and_each_term_has_its_own_site():
    assert AddShare(X, 0.0).inert and not AddShare(X, 0.1).inert
    with pytest.raises(InputError):
        AddShare(X, math.nan)
    other = direction(1.0, 0.0, site=Site(4))
    pushes = steered_by(X * 0.3 + other * -0.1, span=Span.last())
    assert [(one.site, one.edit.share) for one in pushes] == [(Site(2), 0.3), (Site(4), -0.1)]
    assert [str(one.span) for one in pushes] == ["last", "last"]
    assert pushes[0].edit.record() == {"edit": "add share", "direction": "made up", "share": 0.3}
