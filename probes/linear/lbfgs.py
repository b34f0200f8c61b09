"""Many penalised logistic regressions on the same rows, fitted together.

L-BFGS in the metric of a bound on the curvature (a quarter of the second moments, plus the penalty; Boehning and
Lindsay, Ann. Inst. Statist. Math. 40, 1988): it needs some twenty looks at the rows where plain L-BFGS needs hundreds.
Each look is one product of the rows with all fits.
"""

import warnings
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from probes.linear.dataset import ProbeDataset

TOLERANCE = 1e-5
"""Largest slope of the mean loss at which a fit is done, for values of unit mean square."""
LIMIT = 300
MEMORY = 8
Solve = Callable[[Tensor], Tensor]


def minimise(
    problem: ProbeDataset,
    labels: Float[Tensor, "row fit"],
    weights: Float[Tensor, "row fit"],
    penalties: Float[Tensor, " fit"],
) -> Float[Tensor, "d+1 fit"]:
    """Coefficients of centred values of unit mean square, and in the last row intercepts, which are not penalised."""
    total = weights.sum(0).double()
    share = (weights * labels).sum(0).double() / total
    at = torch.zeros(len(problem.centre) + 1, labels.shape[1], dtype=torch.float64, device=labels.device)
    at[-1] = torch.logit(share)
    scores = at[-1].float().expand(labels.shape).clone()
    solve = _curvature(problem, total, penalties)
    steps: list[tuple[Tensor, Tensor, Tensor]] = []
    slope = _slope(problem, scores, labels, weights, at, penalties)
    for _ in range(LIMIT):
        going = slope.abs().amax(0) >= TOLERANCE * total
        if not bool(going.any()):
            break
        move = -_two_loops(slope, steps, solve) * going
        change = _scores(problem, move)
        step = _length(scores, change, labels, weights, at, move, penalties)
        at, scores = at + step * move, scores + step.float() * change
        before, slope = slope, _slope(problem, scores, labels, weights, at, penalties)
        steps = [*steps[1 - MEMORY :], _learnt(step * move, slope - before)]
    else:
        left = int((slope.abs().amax(0) >= TOLERANCE * total).sum())
        warnings.warn(f"{left} of {len(penalties)} logistic regressions are not done after {LIMIT} steps", stacklevel=4)
    return at


def _learnt(moved: Tensor, turned: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A move, the turn of the slope on it, and one over their product; 0 where rounding left nothing to learn from."""
    product = (moved * turned).sum(0)
    known = product > 1e-10 * moved.norm(dim=0) * turned.norm(dim=0)
    return moved, turned, torch.where(known, 1 / torch.where(known, product, 1), 0)


def _scores(problem: ProbeDataset, at: Tensor) -> Tensor:
    coef, offset = (at[:-1] / problem.size).float(), at[-1].float()
    return torch.cat([(values - problem.centre) @ coef for _, values in problem.chunks()]) + offset


def _slope(
    problem: ProbeDataset, scores: Tensor, labels: Tensor, weights: Tensor, at: Tensor, penalties: Tensor
) -> Tensor:
    excess = weights * (scores.sigmoid() - labels)
    each = ((values - problem.centre).T @ excess[here] for here, values in problem.chunks())
    inner = sum((one.double() for one in each), at.new_zeros(()))
    return torch.cat([inner / problem.size + penalties * at[:-1], excess.double().sum(0)[None]])


def _curvature(problem: ProbeDataset, total: Tensor, penalties: Tensor) -> Solve:
    """Applies the inverse of the bound: one factor for each penalty and each number of rows."""
    square = problem.parts.together.scatter[0] / problem.size**2 / len(problem.rows)
    eye = torch.eye(len(square), dtype=square.dtype, device=square.device)
    kinds, which = torch.stack([total, penalties]).unique(dim=1, return_inverse=True)
    factors = [torch.linalg.cholesky(square * rows / 4 + penalty * eye) for rows, penalty in kinds.T]

    def solve(slope: Tensor) -> Tensor:
        found = torch.empty_like(slope)
        found[-1] = slope[-1] / (total / 4)
        for kind, factor in enumerate(factors):
            mine = which == kind
            found[:-1, mine] = torch.cholesky_solve(slope[:-1, mine], factor)
        return found

    return solve


def _two_loops(slope: Tensor, steps: list[tuple[Tensor, Tensor, Tensor]], solve: Solve) -> Tensor:
    """The L-BFGS product of the inverse curvature and the slope, for each fit by itself."""
    found, shares = slope, []
    for moved, turned, inverse in reversed(steps):
        shares.append((moved * found).sum(0) * inverse)
        found = found - shares[-1] * turned
    found = solve(found)
    if steps:
        _, turned, inverse = steps[-1]
        curve = (turned * solve(turned)).sum(0) * inverse
        found = found / torch.where(curve > 0, curve, 1)
    for (moved, turned, inverse), share in zip(steps, reversed(shares), strict=True):
        found = found + moved * (share - (turned * found).sum(0) * inverse)
    return found


def _length(
    scores: Tensor, change: Tensor, labels: Tensor, weights: Tensor, at: Tensor, move: Tensor, penalties: Tensor
) -> Tensor:
    """How far to go: Newton's method along the move, which needs no look at the rows; halved while the loss rises."""
    inner, square = (at[:-1] * move[:-1]).sum(0) * penalties, (move[:-1] ** 2).sum(0) * penalties
    step = torch.ones_like(penalties)
    for _ in range(3):
        likely = (scores + step.float() * change).sigmoid()
        slope = (weights * (likely - labels) * change).double().sum(0) + inner + step * square
        curve = (weights * likely * (1 - likely) * change**2).double().sum(0) + square
        step = (step - slope / curve.clamp_min(1e-300)).clamp(1e-3, 1e3)

    def loss(step: Tensor) -> Tensor:
        ahead = scores + step.float() * change
        return (weights * (softplus(ahead) - labels * ahead)).double().sum(0) + step * inner + step**2 / 2 * square

    start = loss(torch.zeros_like(step))
    slack = 1e-7 * start.abs()  # what float32 cannot tell
    for _ in range(30):
        worse = loss(step) > start + slack
        if not bool(worse.any()):
            break
        step = torch.where(worse, step / 2, step)
    return step
