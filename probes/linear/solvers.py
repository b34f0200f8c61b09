"""Linear classifiers for all folds, targets and penalties of a problem at once. Scores are log-odds.

Difference of means, LDA and ridge need the moments alone. Logistic regression goes over the rows some twenty times, for
all fits together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from probes.linear.dataset import ClassMoments, ProbeDataset
from probes.linear.lbfgs import minimise


@dataclass(frozen=True)
class Linear:
    """Log-odds are ``values @ coef + intercept``. In float64."""

    coef: Float[Tensor, "fold target penalty d"]
    intercept: Float[Tensor, "fold target penalty"]
    distance: Float[Tensor, "fold target"]
    """Between the means of the classes."""

    def scores(self, values: Float[Tensor, "row d"]) -> Float[Tensor, "row fold target penalty"]:
        """Log-odds of every row under every fit."""
        coef = rearrange(self.coef, "fold target penalty d -> (fold target penalty) d").to(values.device, torch.float32)
        flat = values.float() @ coef.T + self.intercept.flatten().to(values.device, torch.float32)
        return flat.unflatten(1, self.intercept.shape)


def difference_of_means(problem: ProbeDataset) -> Linear:
    """From the mean of the negative to that of the positive rows."""
    return _as_log_odds(problem, problem.first_moments.gaps[:, :, None], problem.first_moments, problem.spread)


def lda(problem: ProbeDataset, shrinkages: Sequence[float] = (0.0,)) -> Linear:
    """Difference of means, whitened by the covariance within classes, of which `shrinkage` is a sphere of equal trace
    (mass-mean probing with covariance, arXiv 2310.06824; scikit-learn's LDA). Directions in which nothing varies are
    left out."""
    folds = problem.folds
    found = [
        torch.stack([_whitened(folds.within(target), gap, one) for one in shrinkages], 1)
        for target, gap in enumerate(folds.gaps.unbind(1))
    ]
    return _as_log_odds(problem, torch.stack(found, 1), folds, folds.spread)


def _whitened(within: Float[Tensor, "fold d d"], gap: Float[Tensor, "fold d"], shrinkage: float) -> Tensor:
    trace = within.diagonal(dim1=1, dim2=2).mean(1)
    sphere = trace[:, None, None] * torch.eye(within.shape[1], dtype=within.dtype, device=within.device)
    spread = (1 - shrinkage) * within + shrinkage * sphere
    if shrinkage:
        return torch.cholesky_solve(gap[..., None], torch.linalg.cholesky(spread))[..., 0]
    return torch.einsum("fij,fj->fi", torch.linalg.pinv(spread, rtol=1e-9, hermitian=True), gap)


def ridge(problem: ProbeDataset, penalties: Sequence[float] = (1.0,)) -> Linear:
    """Least squares on the labels with an L2 penalty, on values of unit mean square (scikit-learn's Ridge)."""
    folds = problem.folds
    cross = folds.cross - folds.label[..., None] * folds.total[:, None] / folds.count[:, None, None]
    each = [_solve(folds.scatter, one * problem.size**2, cross.mT).mT for one in penalties]
    return _as_log_odds(problem, torch.stack(each, 2), folds, folds.spread)


def logistic(problem: ProbeDataset, penalties: Sequence[float] = (1.0,), *, balanced: bool = False) -> Linear:
    """Logistic regression with an L2 penalty on values of unit mean square; 1 is scikit-learn's C = 1 there. With
    `balanced` both classes weigh the same."""
    labels = problem.labels.float()
    weight = problem.uses[:, problem.part].T.float()  # [row, fold]
    weights = weight[:, :, None].expand(-1, -1, labels.shape[1])
    if balanced:
        share = (problem.folds.label / problem.folds.count[:, None]).float()
        weights = weights * (labels[:, None] / (2 * share) + (1 - labels[:, None]) / (2 * (1 - share)))
    shape = (*weights.shape[1:], len(penalties))
    weighted, marks = (
        each[..., None].expand(len(labels), *shape).flatten(1) for each in (weights, labels[:, None].expand_as(weights))
    )
    strengths = torch.tensor(penalties, dtype=torch.float64, device=labels.device).expand(shape).flatten()
    found = minimise(problem, marks, weighted, strengths)
    coef, offset = found[:-1].T.unflatten(0, shape) / problem.size, found[-1].unflatten(0, shape)
    return Linear(coef, offset - coef @ problem.centre.double(), problem.folds.gaps.norm(dim=-1))


def _solve(squares: Tensor, penalty: float, right: Tensor) -> Tensor:
    eye = torch.eye(squares.shape[1], dtype=squares.dtype, device=squares.device)
    return torch.cholesky_solve(right, torch.linalg.cholesky(squares + penalty * eye))


def _as_log_odds(
    problem: ProbeDataset,
    coef: Float[Tensor, "fold target penalty d"],
    folds: ClassMoments,
    variance: Callable[[Tensor], Tensor],
) -> Linear:
    """Directions stretched so that projections are the log-odds of two normal classes of equal spread along them."""
    positive, negative = folds.means
    share = (folds.label / folds.count[:, None])[..., None]
    gap = torch.einsum("ftpd,ftd->ftp", coef, folds.gaps)
    spread = rearrange(
        variance(rearrange(coef, "fold target penalty d -> fold (target penalty) d")),
        "fold (target penalty) -> fold target penalty",
        target=coef.shape[1],
    )
    within = (spread - share * (1 - share) * gap**2).clamp_min(1e-12 * spread)
    coef = coef * (gap / within)[..., None]
    middle = torch.einsum("ftpd,ftd->ftp", coef, (positive + negative) / 2)
    intercept = torch.logit(share) - middle - coef @ problem.centre.double()
    return Linear(coef, intercept, folds.gaps.norm(dim=-1))
