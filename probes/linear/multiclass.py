"""States with more than two values: unordered classes, ordered levels, and a small network as a reference.

The two linear ones are read off directions, as any probe is; the network is there to say what a line misses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from introlab.activations.directions import Direction
from introlab.activations.extract import Activations
from introlab.errors import InputError
from introlab.network.model import Model


@dataclass(frozen=True)
class ClassProbe:
    """Which of several classes: softmax of ``gain * projection + offset`` over one direction for each."""

    classes: tuple[str, ...]
    directions: tuple[Direction, ...]
    gains: tuple[float, ...]
    offsets: tuple[float, ...]

    def __call__(self, activations: Activations) -> Float[Tensor, "example class"]:
        """Probabilities. Raises ModelMismatch for another model or site."""
        every = zip(self.directions, self.gains, self.offsets, strict=True)
        scores = [gain * direction.read(activations) + offset for direction, gain, offset in every]
        return torch.stack(scores, -1).softmax(-1)


@dataclass(frozen=True)
class OrdinalProbe:
    """How high on an ordered scale, along one direction: P(level > k) = sigmoid(gain * projection - cuts[k])
    (proportional odds; McCullagh, J. R. Stat. Soc. B 42, 1980)."""

    direction: Direction
    gain: float
    cuts: tuple[float, ...]
    """Rising; one fewer than there are levels."""

    def __call__(self, activations: Activations) -> Float[Tensor, "example level"]:
        """Probabilities. Raises ModelMismatch for another model or site."""
        scores = self.gain * self.direction.read(activations).double()
        above = torch.sigmoid(scores[:, None] - torch.tensor(self.cuts, dtype=torch.float64))
        edges = torch.cat([torch.ones_like(above[:, :1]), above, torch.zeros_like(above[:, :1])], 1)
        return (edges[:, :-1] - edges[:, 1:]).float()


def fit_classes(activations: Activations, labels: Sequence[str], *, model: Model, penalty: float = 1.0) -> ClassProbe:
    """Multinomial logistic regression (scikit-learn's), L2 penalty on values of unit mean square. Raises InputError for
    fewer than two classes."""
    values, centre, size = _scaled(activations, labels, model)
    fitted = LogisticRegression(C=1 / penalty, max_iter=5000).fit(values, list(labels))
    coef, offset = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # scikit-learn gives one line for two classes
        coef, offset = np.concatenate([-coef, coef]) / 2, np.concatenate([-offset, offset]) / 2
    found = [_line(activations, model, row / size, f"multinomial logistic regression (L2 {penalty:g})") for row in coef]
    offsets = offset - (coef / size) @ centre
    return ClassProbe(
        tuple(map(str, fitted.classes_)),
        tuple(direction for direction, _ in found),
        tuple(gain for _, gain in found),
        tuple(offsets.tolist()),
    )


def fit_ordinal(activations: Activations, levels: Sequence[int], *, model: Model, penalty: float = 1.0) -> OrdinalProbe:
    """Proportional-odds regression with an L2 penalty on values of unit mean square. Levels are 0, 1, ... without gaps.
    Raises InputError for fewer than two levels, or a gap."""
    given = sorted(set(levels))
    if given != list(range(len(given))):
        raise InputError("levels with gaps", given=given, allowed="0, 1, ... in order", do="number the levels anew")
    scaled, centre, size = _scaled(activations, levels, model)
    values, level = torch.tensor(scaled), torch.tensor(levels)
    shares = torch.tensor([float((level > k).double().mean()) for k in given[:-1]], dtype=torch.float64)
    first, *steps = (-torch.logit(shares)).tolist()
    gaps = [first, *np.log(np.expm1(np.diff([first, *steps]))).tolist()]
    weights = torch.zeros(values.shape[1] + len(gaps), dtype=torch.float64)
    weights[values.shape[1] :] = torch.tensor(gaps)
    weights.requires_grad_(True)

    def loss() -> Tensor:
        coef = weights[: values.shape[1]]
        return _ordinal_loss(values @ coef, _cuts(weights[values.shape[1] :]), level) + penalty / 2 * coef @ coef

    _descend(weights, loss)
    coef = weights.detach()[: values.shape[1]].numpy() / size
    direction, gain = _line(activations, model, coef, f"ordinal regression (L2 {penalty:g})")
    cuts = _cuts(weights.detach()[values.shape[1] :]) + float(coef @ centre)
    return OrdinalProbe(direction, gain, tuple(cuts.tolist()))


def network(*, hidden: int = 64, seed: int = 0) -> Pipeline:
    """An unfitted two-layer network (scikit-learn's, stopped early): what a line is compared with."""
    layers = MLPClassifier((hidden,), early_stopping=True, max_iter=500, random_state=seed)
    return make_pipeline(StandardScaler(), layers)


def _cuts(raw: Float[Tensor, " cut"]) -> Float[Tensor, " cut"]:
    """Rising, whatever is given: a first one and gaps."""
    return torch.cat([raw[:1], softplus(raw[1:])]).cumsum(0)


def _ordinal_loss(scores: Tensor, cuts: Tensor, level: Tensor) -> Tensor:
    """Minus the log-likelihood. The probability between two cuts is a product of three factors that cannot cancel."""
    far = torch.full((1,), 1e4, dtype=cuts.dtype)
    low, high = torch.cat([-far, cuts])[level], torch.cat([cuts, far])[level]
    return -(logsigmoid(scores - low) + logsigmoid(high - scores) + torch.log(-torch.expm1(low - high))).sum()


def _descend(weights: Tensor, loss) -> None:  # type: ignore[no-untyped-def]
    optimiser = torch.optim.LBFGS(
        [weights], max_iter=1000, tolerance_grad=1e-8, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    optimiser.step(closure)  # pyright: ignore[reportArgumentType]


def _scaled(activations: Activations, labels: Sequence[object], model: Model) -> tuple[np.ndarray, np.ndarray, float]:
    """Values about their mean and of unit mean square, the mean, and what they were divided by."""
    activations.check_model(model)
    if len(labels) != len(activations.examples) or len(set(labels)) < 2:
        raise InputError(
            "labels that cannot be told apart",
            given=f"{len(labels)} labels of {len(set(labels))} kinds, {len(activations.examples)} examples",
            allowed="one per example, of two kinds or more",
        )
    values = activations.values.double().numpy()
    centre = values.mean(0)
    size = float(np.sqrt(((values - centre) ** 2).mean()))
    if size == 0:
        raise InputError("values that do not vary", given=f"{activations.site}, {len(values)} examples")
    return (values - centre) / size, centre, size


def _line(activations: Activations, model: Model, coef: np.ndarray, method: str) -> tuple[Direction, float]:
    gain = float(np.linalg.norm(coef))
    if gain == 0:
        raise InputError("nothing in the values goes with the labels", given=f"{activations.site}")
    unit = torch.tensor(coef / gain)
    spread = float((activations.values.double() @ unit).std())
    vector = (unit / unit.norm()).float()
    where = (activations.site, activations.model, model.family, method, activations.examples)
    return Direction(vector, spread, *where), gain
