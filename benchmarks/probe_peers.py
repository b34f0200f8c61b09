"""The bank of probes against probelab and lmprobe, at their settings; `make bench-peers` writes docs/probe_peers.md.

Both run in an environment of their own (.peers). They fit one place and one target after another; values are centred
and of unit mean square, as the bank makes them for itself. What counts as equal is how well the probes rank rows that
none of them was fitted on.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from benchmarks.outside import Outside
from benchmarks.probes import made
from benchmarks.timing import in_turn, seconds
from introlab.stats.discrimination import auroc_of
from probes.linear.bank import Method, solve
from probes.linear.dataset import ProbeDataset

OUT = Path(__file__).parent.parent / "docs" / "probe_peers.md"
PLACES, REPEATS, HELD_OUT = 4, 3, 2000
JOBS: tuple[tuple[str, Method, float], ...] = (
    ("probelab", "difference_of_means", 0.0),
    ("probelab", "logistic", 1.0),
    ("lmprobe", "difference_of_means", 0.0),
    ("lmprobe", "lda", 1e-6),
    ("lmprobe", "ridge", 1.0),
    ("lmprobe", "logistic", 1.0),
)
"""Peer, method, and the penalty that is the peer's default."""


def held_out_auroc(coef: torch.Tensor, values: list[torch.Tensor], labels: torch.Tensor) -> float:
    """Mean over places and targets; `coef[place, target, d]`."""
    areas = [
        auroc_of((rows @ direction).numpy(), labels[:, target].numpy() > 0.5)
        for rows, directions in zip(values, coef, strict=True)
        for target, direction in enumerate(directions)
    ]
    return sum(areas) / len(areas)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, required=True, help="of the environment with probelab and lmprobe")
    chosen = parser.parse_args()
    values, labels = made(PLACES)
    values = [(each - each.mean(0)) / (each - each.mean(0)).square().mean().sqrt() for each in values]
    train, test = [each[:-HELD_OUT].contiguous() for each in values], [each[-HELD_OUT:] for each in values]
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "given.safetensors", Path(folder) / "out.safetensors"
        save_file({"values": torch.stack(train), "labels": labels[:-HELD_OUT].float().contiguous()}, given)
        outside = Outside(chosen.python, "probe_peer_worker.py", given)
        lines = []
        for peer, method, penalty in JOBS:
            fits: list = []

            def bank(method: Method = method, penalty: float = penalty, fits: list = fits) -> None:
                problems = (ProbeDataset.plain(each, labels[:-HELD_OUT]) for each in train)
                fits[:] = [solve(one, method, (penalty,)).coef[0, :, 0].float() for one in problems]

            timed = in_turn(
                {
                    "bank": lambda bank=bank: seconds(bank),
                    "peer": lambda peer=peer, method=method: outside.seconds(peer=peer, method=method, out=str(out)),
                },
                repeats=REPEATS,
            )
            areas = [
                held_out_auroc(coef, test, labels[-HELD_OUT:]) for coef in (torch.stack(fits), load_file(out)["coef"])
            ]
            ratio, least, most = timed.ratio("peer", "bank")
            times = f"{timed.median('bank'):.2f} | {timed.median('peer'):.2f} | {ratio:.1f} ({least:.1f} to {most:.1f})"
            lines.append(f"| {peer} | {method} | {times} | {areas[0]:.4f} | {areas[1]:.4f} |")
            print(lines[-1], flush=True)
        outside.close()
    OUT.write_text(page(lines, outside.versions), encoding="utf-8")


def page(lines: list[str], versions: dict[str, str]) -> str:
    names = ", ".join(f"{name} {version}" for name, version in versions.items())
    return "\n".join(
        [
            "# The bank of probes against other probe libraries",
            "",
            f"{names}, at their default penalties; {PLACES} places x 512 wide x 6,000 examples x 4 targets,",
            f"AUROC on 2,000 others; {torch.get_num_threads()} CPU threads, in turn, {REPEATS} times: medians, least",
            "and most. Written by `make bench-peers`.",
            "",
            "| peer | method | bank, s | peer, s | times as fast | AUROC of the bank | AUROC of the peer |",
            "|---|---|---|---|---|---|---|",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    main()
