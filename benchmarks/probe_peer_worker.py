"""Fits probes with a library that needs an environment of its own; started by `benchmarks.probe_peers`.

Every line read is a job, {"peer": ..., "method": ..., "out": file}; every line written is {"seconds": ...}. One place
and one target after another, as both libraries do it.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import torch
from safetensors.torch import load_file, save_file

Fit = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From values [row, d] and labels [row] to coefficients [d]."""


def probelab(method: str) -> Fit:
    library = importlib.import_module("probelab")

    def fit(values: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        kind = {"difference_of_means": library.probes.MassMean, "logistic": library.probes.Logistic}[method]
        probe = kind().fit(library.Activations(values, "bh"), labels)
        if method == "difference_of_means":
            return probe.direction
        return (probe.linear.weight[0] / probe.scaler_std).detach()

    return fit


def lmprobe(method: str) -> Fit:
    build = importlib.import_module("lmprobe.classifiers").build_classifier
    name = {"difference_of_means": "mass_mean", "lda": "lda", "ridge": "ridge", "logistic": "logistic_regression"}

    def fit(values: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        made = build(name[method]).fit(values.numpy(), labels.numpy().astype(int))
        return torch.from_numpy(np.ravel(made.coef_).astype(np.float32))

    return fit


PEERS = {"probelab": probelab, "lmprobe": lmprobe}


def main() -> None:
    given = load_file(sys.argv[1])
    torch.set_num_threads(int(sys.argv[2]))
    print(json.dumps({name: version(name) for name in PEERS}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        fit = PEERS[job["peer"]](job["method"])
        start = time.perf_counter()
        found = [[fit(values, target) for target in given["labels"].T] for values in given["values"]]
        taken = time.perf_counter() - start
        save_file({"coef": torch.stack([torch.stack(each) for each in found])}, job["out"])
        print(json.dumps({"seconds": taken}), flush=True)


if __name__ == "__main__":
    main()
