"""The bank of probes against a scikit-learn loop over places and targets, at equal penalty and AUROC.

`python -m benchmarks.probes` writes docs/probe_speed.md.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NearestCentroid

from benchmarks.timing import in_turn, seconds
from introlab.stats.discrimination import auroc_of
from probes.linear.bank import Method, solve
from probes.linear.dataset import ProbeDataset

OUT = Path(__file__).parent.parent / "docs" / "probe_speed.md"
PLACES, WIDTH, ROWS, TARGETS = 24, 512, 8000, 4
REPEATS = 3
PENALTY = {"difference_of_means": 0.0, "lda": 0.01, "ridge": 10.0, "logistic": 1.0}

Fits = list[np.ndarray]
"""For each place the coefficients [target, d]."""


def made(places: int) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Values of each place, with unequal spreads and a far mean as of residuals, and targets that can be read."""
    draw = torch.Generator().manual_seed(0)
    values, scores = [], torch.zeros(ROWS, TARGETS)
    for _ in range(places):
        mix = torch.randn(WIDTH, WIDTH, generator=draw) * torch.logspace(0, -1.5, WIDTH)[:, None]
        hidden = torch.randn(ROWS, WIDTH, generator=draw)
        scores += hidden @ torch.randn(WIDTH, TARGETS, generator=draw)
        values.append(hidden @ mix + 10 * torch.randn(WIDTH, generator=draw))
    noise = torch.randn(ROWS, TARGETS, generator=draw) * scores.std(0) * 0.2
    return values, (scores + noise > 0).double()


def own(method: Method, values: list[torch.Tensor], labels: torch.Tensor) -> Fits:
    return [
        solve(ProbeDataset.plain(each, labels), method, (PENALTY[method],)).coef[0, :, 0].cpu().numpy()
        for each in values
    ]


def peer(make: Callable[[], Any], values: list[torch.Tensor], labels: torch.Tensor) -> Fits:
    """One place and one target after another, on values of unit mean square, as given (float32)."""
    found = []
    for each in values:
        centred = (each - each.mean(0)).numpy()
        scaled = centred / np.sqrt(np.mean(centred**2))
        fits = [make().fit(scaled, labels[:, target].numpy()) for target in range(TARGETS)]
        found.append(np.stack([_coefficients(one) for one in fits]))
    return found


def _coefficients(fitted: Any) -> np.ndarray:
    if isinstance(fitted, NearestCentroid):
        return fitted.centroids_[1] - fitted.centroids_[0]
    return np.ravel(fitted.coef_)


PEERS: dict[Method, Callable[[], Any]] = {
    "difference_of_means": NearestCentroid,
    "lda": lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage=PENALTY["lda"]),
    "ridge": lambda: Ridge(alpha=PENALTY["ridge"]),
    "logistic": lambda: LogisticRegression(C=1 / PENALTY["logistic"], solver="newton-cholesky"),
}


def agreement(one: Fits, other: Fits, values: list[torch.Tensor], labels: torch.Tensor) -> tuple[float, float]:
    """Least cosine of two directions, and largest difference of AUROC."""
    cosines, gaps = [], []
    for ours, theirs, each in zip(one, other, values, strict=True):
        for target in range(TARGETS):
            a, b, side = ours[target], theirs[target], labels[:, target].numpy() > 0.5
            cosines.append(float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
            gaps.append(abs(auroc_of(each.numpy() @ a, side) - auroc_of(each.numpy() @ b, side)))
    return min(cosines), max(gaps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--places", type=int, default=PLACES)
    given = parser.parse_args()
    values, labels = made(given.places)
    placed = [each.to(given.device) for each in values]
    lines = []
    for method, make in PEERS.items():
        found: dict[str, Fits] = {}

        def ours(method: Method = method, found: dict[str, Fits] = found) -> None:
            found["bank"] = own(method, placed, labels.to(given.device))

        def theirs(make: Callable[[], Any] = make, found: dict[str, Fits] = found) -> None:
            found["scikit-learn"] = peer(make, values, labels)

        timed = in_turn(
            {"bank": lambda ours=ours: seconds(ours), "scikit-learn": lambda theirs=theirs: seconds(theirs)},
            repeats=REPEATS,
        )
        ratio, least, most = timed.ratio("scikit-learn", "bank")
        cosine, gap = agreement(found["bank"], found["scikit-learn"], values, labels)
        times = f"{timed.median('bank'):.2f} | {timed.median('scikit-learn'):.2f}"
        lines.append(f"| {method} | {times} | {ratio:.1f} ({least:.1f} to {most:.1f}) | {cosine:.5f} | {gap:.5f} |")
        print(lines[-1], flush=True)
    OUT.write_text(page(lines, given.places, given.device), encoding="utf-8")


def page(lines: list[str], places: int, device: str) -> str:
    where = torch.cuda.get_device_name() if device != "cpu" else f"{torch.get_num_threads()} CPU threads"
    head = [
        "# The bank of probes against scikit-learn",
        "",
        f"{places} places x {WIDTH} wide x {ROWS:,} examples x {TARGETS} targets, one penalty, in float32 on {where};",
        "scikit-learn fits one place and one target after another, logistic regression by its fastest solver here",
        f"(newton-cholesky). They take turns, {REPEATS} times:",
        "medians, least and most. Written by `python -m benchmarks.probes`.",
        "",
        "| method | bank, s | scikit-learn, s | times as fast | least cosine | largest AUROC difference |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *lines, ""])


if __name__ == "__main__":
    main()
