"""What a probe is worth beside the text, the length and the rest: each baseline catches the fault planted for it."""

import numpy as np
import pytest
import torch

from introlab.activations.extract import Activations
from introlab.errors import InputError
from introlab.network.sites import Site
from probes.linear.evaluate import Baselines, evaluate

ROWS, WIDTH = 600, 24
HERE = (Site(1), 0)
NAMES = tuple(map(str, range(ROWS)))
GROUPS = [f"g{row // 3}" for row in range(ROWS)]


def made(told: np.ndarray, *, strength: float = 2.0, seed: int = 0) -> dict:
    """One place in which what is told adds to a coordinate."""
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn(ROWS, WIDTH, generator=draw)
    values[:, 0] += strength * torch.as_tensor(told).float()
    return {HERE: Activations(values, HERE[0], "model", NAMES)}


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_state_that_nothing_else_tells_is_read(draw):
    labels = draw.uniform(size=ROWS) < 0.4
    beside = Baselines(
        texts=[f"w{draw.integers(30)} w{draw.integers(30)}" for _ in NAMES],
        numbers={"length": draw.integers(5, 30, size=ROWS).tolist()},
        activations={"embedding": made(labels * 0, seed=3)[HERE]},
        types=[f"t{draw.integers(40)}" for _ in NAMES],
        levels=draw.integers(3, size=ROWS).tolist(),
    )
    found = evaluate(made(labels), labels.tolist(), GROUPS, beside=beside)
    assert found.one("AUROC of the probe").above(0.85)
    assert found.one("AUROC within levels").above(0.8)
    assert abs((found.one("AUROC of the control task").value or 0) - 0.5) < 0.12
    assert all(check.passed for check in found.checks) and len(found.checks) == 4
    assert "text only" in found.answer and "not shown" not in found.answer


@pytest.mark.parametrize("fault", ["text only", "length", "embedding"])
def test_a_state_that_something_else_tells_is_not_more(fault, draw):
    """The probe reads it, and so does the baseline: the check fails and the answer says so."""
    labels = draw.uniform(size=ROWS) < 0.4
    beside = {
        "text only": Baselines(texts=[("red" if one else "blue") + f" w{draw.integers(9)}" for one in labels]),
        "length": Baselines(numbers={"length": (10 + 10 * labels + draw.integers(3, size=ROWS)).tolist()}),
        "embedding": Baselines(activations={"embedding": made(labels, strength=3.0, seed=5)[HERE]}),
    }[fault]
    found = evaluate(made(labels), labels.tolist(), GROUPS, beside=beside)
    assert found.one("AUROC of the probe").above(0.85)
    assert found.check(fault).passed is False
    assert f"not shown to be more than {fault}" in found.answer


def test_a_state_that_is_not_there_is_not_read(draw):
    """A 95 % interval lies above .5 one time in 40: of 8 runs more than one does one time in 60."""
    read = 0
    for seed in range(8):
        labels = draw.uniform(size=ROWS) < 0.4
        found = evaluate(made(labels * 0, seed=seed), labels.tolist(), GROUPS, beside=Baselines(shuffles=2))
        read += found.one("AUROC of the probe").above(0.5)
        assert ("could not be read" in found.answer) != found.one("AUROC of the probe").above(0.5)
    assert read <= 1


def test_a_probe_compared_with_nothing_says_so(draw):
    labels = draw.uniform(size=ROWS) < 0.4
    assert "compared with nothing" in evaluate(made(labels), labels.tolist(), GROUPS).answer


def test_labels_that_leak_through_the_split_fail_the_check(draw):
    """Fault: groups that do not hold together what is alike. Whatever is dealt to alike rows can then be read."""
    of = np.arange(ROWS) // 30
    values = torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(0)) * 0.1
    values += 5 * torch.randn(20, WIDTH, generator=torch.Generator().manual_seed(1))[torch.tensor(of)]
    here = {HERE: Activations(values, HERE[0], "model", NAMES)}
    labels = (np.random.default_rng(1).uniform(size=20) < 0.5)[of]
    types = [f"t{one}" for one in of]
    torn = evaluate(here, labels.tolist(), NAMES, beside=Baselines(types=types))
    whole = evaluate(here, labels.tolist(), [f"g{one}" for one in of], beside=Baselines(types=types))
    assert (torn.one("AUROC of the control task").value or 0) > 0.9
    assert abs((whole.one("AUROC of the control task").value or 0.5) - 0.5) < 0.35  # 20 types only


def test_baselines_of_another_length_are_refused(draw):
    labels = (draw.uniform(size=ROWS) < 0.4).tolist()
    with pytest.raises(InputError, match="one entry per example"):
        evaluate(made(np.asarray(labels)), labels, GROUPS, beside=Baselines(numbers={"length": [1.0]}))
