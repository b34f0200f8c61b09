"""Few clusters, uneven clusters, few treated ones: variances that are unbiased, and how many clusters really tell.

CR2 (Bell and McCaffrey, Survey Methodology 28, 2002; Pustejovsky and Tipton, Journal of Business and Economic
Statistics 36, 2018): each cluster's residuals are scaled up by what the fit took from them, so that the sandwich is
unbiased where trials are independent and equally spread; the degrees of freedom are Satterthwaite's under that model.
A coefficient that three clusters of two hundred tell about then has about two of them, not 199.
"""

import numpy as np

_TAKEN = 1e-9
"""A cluster whose residuals keep less than this share in some direction was fitted by it alone."""


def spread_of_mean(residuals: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """Variance of the mean of all trials, and its degrees of freedom, from what each of two clusters or more adds to
    the sum of deviations and from its number of trials.

    CR2 for a mean. Degrees of freedom are the fewer of two: those where trials of a cluster are independent, and those
    where they are copies of each other. For clusters of one size both are the number of clusters less one.
    """
    n = sizes.sum()
    scale = 1 / np.sqrt(1 - sizes / n)
    variance = float(((residuals * scale) ** 2).sum()) / n**2
    return variance, min(_df_of_mean(sizes, scale, sizes), _df_of_mean(sizes, scale, sizes**2))


def _df_of_mean(sizes: np.ndarray, scale: np.ndarray, spread: np.ndarray) -> float:
    """Satterthwaite's degrees of freedom where cluster totals have the variances `spread`.

    Scaled residual totals have the covariance ``d - (v w' + w v')/n + s v v'``, of which only two traces are needed.
    """
    n = sizes.sum()
    d, v, w, s = scale**2 * spread, scale * sizes, scale * spread, spread.sum() / n**2
    vv, vw, ww = float(v @ v), float(v @ w), float(w @ w)
    trace = d.sum() - 2 * vw / n + s * vv
    squared = (d**2).sum() + (2 * vv * ww + 2 * vw**2) / n**2 + s**2 * vv**2
    squared += -4 / n * float(d @ (v * w)) + 2 * s * float(d @ v**2) - 4 * s / n * vw * vv
    return max(1.0, float(trace**2 / squared))


def effective_clusters(sizes: np.ndarray) -> float:
    """As how many equal clusters clusters of these sizes count where the trials of each are alike (Kish)."""
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def degrees_of_freedom(sizes: np.ndarray) -> float:
    """Those of a mean of clusters of these sizes; the number of clusters less one where sizes are equal."""
    return spread_of_mean(np.zeros(len(sizes)), sizes.astype(float))[1]


def cr2(curve: np.ndarray, score: np.ndarray, *, several: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of regression coefficients, [width, width], and Satterthwaite's degrees of freedom of each, [width].

    From each cluster's ``X'X``, [cluster, width, width], and ``X'residuals``, [cluster, width], weighted as the fit is.
    In the metric of the fit a cluster is its share ``K_j`` of all that is told, and its adjustment
    ``(1 - K_j)^(-1/2)``. Degrees of freedom are the fewer of two, as for a mean: those where trials are independent
    (the usual ones), and, where clusters hold `several` trials, those where each cluster has coefficients of its own,
    as far apart as the fit's covariance of independent trials. What one cluster alone tells is left out (the
    generalised inverse).
    """
    values, vectors = np.linalg.eigh(curve.sum(0))
    root = vectors / np.sqrt(values) @ vectors.T
    shares, axes = np.linalg.eigh(root @ curve @ root)
    shares = np.clip(shares, 0.0, 1.0)
    factor = np.where(1 - shares > _TAKEN, 1 / np.sqrt(np.maximum(1 - shares, _TAKEN)), 0.0)
    turned = axes.transpose(0, 2, 1) @ root
    moves = np.einsum("jab,jb->ja", (axes * factor[:, None, :] @ turned).transpose(0, 2, 1), score @ root)
    images = axes * (shares * factor)[:, None, :] @ turned
    again = axes * (shares**2 * factor)[:, None, :] @ turned
    lengths = (turned**2 * (factor**2 * shares)[:, :, None]).sum(1)
    own = ((axes * shares[:, None, :] ** 2) @ axes.transpose(0, 2, 1)).sum(0)
    df = []
    for index in range(len(root)):
        v, b = images[:, :, index], again[:, :, index]
        alone = _satterthwaite(lengths[:, index], -v, v)
        apart = _satterthwaite((v**2).sum(1), np.hstack([v, b]), np.hstack([v @ own - b, -v]))
        df.append(min(alone, apart) if several else alone)
    return moves.T @ moves, np.array(df)


def _satterthwaite(diagonal: np.ndarray, left: np.ndarray, right: np.ndarray) -> float:
    """Of the quadratic form whose matrix is ``diag(diagonal) + left right'``, symmetric: its trace squared over that of
    its square."""
    product = right.T @ left
    trace = diagonal.sum() + np.trace(product)
    squared = (diagonal**2).sum() + 2 * float(diagonal @ (left * right).sum(1)) + float(np.sum(product * product.T))
    return max(1.0, float(trace**2 / squared)) if squared > 0 else 1.0
