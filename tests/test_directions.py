"""A direction finds what was planted, and refuses to be used where it does not belong."""

import pytest
import torch

from introlab.activations.directions import Direction, difference_of_means, random_control
from introlab.activations.extract import Activations
from introlab.errors import InputError, ModelMismatch, NotFinite, SplitOverlap
from introlab.network.sites import Site


def planted(model, shift=3.0, n=400, seed=0):
    """Gaussian activations, the positive half shifted along a known unit vector."""
    generator = torch.Generator().manual_seed(seed)
    vector = torch.randn(model.d_model, generator=generator)
    vector = vector / vector.norm()
    values = torch.randn(n, model.d_model, generator=generator)
    labels = [index % 2 == 0 for index in range(n)]
    values[::2] += shift * vector
    return Activations(values, Site(1), model.fingerprint, tuple(f"e{index}" for index in range(n))), labels, vector


def halves(activations, labels):
    return activations.where(labels), activations.where([not label for label in labels])


def test_a_planted_direction_is_recovered(family_model):
    """Two random unit vectors of width 32 have cosine above 0.9 less than once in 1e12."""
    model = family_model("llama")
    activations, labels, vector = planted(model)
    found = difference_of_means(*halves(activations, labels), model=model)
    assert float(found.vector @ vector) > 0.95
    assert found.scale == pytest.approx(3.0, abs=0.5)
    assert abs(float(found.vector.norm()) - 1) < 1e-6


def test_the_positive_class_is_up(family_model):
    model = family_model("llama")
    activations, labels, _ = planted(model)
    positive, negative = halves(activations, labels)
    for one in (
        difference_of_means(positive, negative, model=model),
        difference_of_means(negative, positive, model=model),
    ):
        up = one.projection(positive.values).mean() > one.projection(negative.values).mean()
        assert bool(up) == (one.examples[0] == positive.examples[0])


def test_the_order_of_examples_does_not_matter(family_model):
    model = family_model("llama")
    activations, labels, _ = planted(model)
    positive, negative = halves(activations, labels)
    turned = Activations(positive.values.flip(0), positive.site, positive.model, positive.examples[::-1])
    one, other = (difference_of_means(each, negative, model=model) for each in (positive, turned))
    assert torch.allclose(one.vector, other.vector, atol=1e-7)


def test_random_directions_keep_everything_but_the_vector(family_model):
    model = family_model("llama")
    activations, labels, _ = planted(model)
    found = difference_of_means(*halves(activations, labels), model=model)
    draws = [random_control(found, seed) for seed in range(20)]
    assert all((one.scale, one.site, one.model) == (found.scale, found.site, found.model) for one in draws)
    assert torch.equal(random_control(found, 3).vector, draws[3].vector)
    # 20 cosines of width 32: the largest exceeds 0.75 about once in 100,000 times.
    assert max(abs(float(one.vector @ found.vector)) for one in draws) < 0.75


def test_another_model_is_refused_unless_of_the_family_and_asked_for(organism):
    one, twin, _ = organism("reflective"), organism("base"), None
    direction = Direction(torch.eye(one.d_model)[0], 1.0, Site(1), one.fingerprint, one.family, "test", ("a",))
    direction.check_model(one)
    with pytest.raises(ModelMismatch, match="fitted on another model"):
        direction.check_model(twin)
    carried = direction.transfer_to(twin)
    carried.check_model(twin)
    assert torch.equal(carried.vector, direction.vector) and carried.site == direction.site


def test_another_family_is_refused_even_if_asked_for(organism, family_model):
    model = family_model("llama")
    direction = Direction(
        torch.eye(128)[0], 1.0, Site(1), organism("base").fingerprint, organism("base").family, "test", ("a",)
    )
    with pytest.raises(ModelMismatch):
        direction.transfer_to(model)


def test_testing_on_what_it_was_fitted_on_is_refused(family_model):
    model = family_model("llama")
    activations, labels, _ = planted(model)
    found = difference_of_means(*halves(activations, labels), model=model)
    found.check_held_out(["fresh"])
    with pytest.raises(SplitOverlap, match="1 shared"):
        found.check_held_out(["fresh", "e7"])


def test_saved_and_read_back(tmp_path, family_model):
    model = family_model("llama")
    activations, labels, _ = planted(model)
    found = difference_of_means(*halves(activations, labels), model=model)
    found.save(tmp_path / "d.safetensors")
    again = Direction.load(tmp_path / "d.safetensors")
    assert torch.equal(again.vector, found.vector)
    assert (again.scale, again.site, again.model, again.family, again.method, again.examples) == (
        found.scale,
        found.site,
        found.model,
        found.family,
        found.method,
        found.examples,
    )


def test_vectors_that_are_no_direction():
    with pytest.raises(InputError, match="norm 1"):
        Direction(torch.ones(4), 1.0, Site(0), "m", None, "test", ())
    with pytest.raises(NotFinite):
        Direction(torch.tensor([float("nan"), 0.0]), 1.0, Site(0), "m", None, "test", ())


def test_classes_that_cannot_be_contrasted(family_model):
    model = family_model("llama")
    activations, labels, _ = planted(model)
    positive, _ = halves(activations, labels)
    with pytest.raises(InputError, match="both classes"):
        difference_of_means(positive, activations.where([False] * len(labels)), model=model)
    with pytest.raises(InputError, match="equal"):
        difference_of_means(positive, positive, model=model)


def test_a_file_of_something_else(tmp_path):
    (tmp_path / "x").write_text("hello")
    with pytest.raises(InputError, match="not a direction file"):
        Direction.load(tmp_path / "x")
