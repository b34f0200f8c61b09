"""Runs a grid of conditions with a library that needs an environment of its own; started by `benchmarks.peers`.

Every line read is a job, {"peer": ..., "rows": prompts at once, "conditions": ...}; every line written is {"seconds":
...}. Each library is used as its documentation shows: one condition after another, the direction added after one block
to every token.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

Run = Callable[[torch.Tensor, torch.Tensor], object]
"""Writes after these prompts [row, token], pushed along this vector [d_model]."""


def endlessly(steps: int) -> dict[str, Any]:
    """Settings of transformers' `generate`: this many tokens at temperature 1, without filters."""
    return {"max_new_tokens": steps, "do_sample": True, "top_k": 0, "eos_token_id": None, "pad_token_id": 0}


def repeng(network: Any, tokenizer: Any, layer: int, steps: int) -> Run:
    library = importlib.import_module("repeng")
    model = library.ControlModel(network, [layer])

    def run(ids: torch.Tensor, vector: torch.Tensor) -> object:
        model.set_control(library.ControlVector(network.config.model_type, {layer: vector.numpy()}), 1.0)
        try:
            return model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **endlessly(steps))
        finally:
            model.reset()

    return run


def steering_vectors(network: Any, tokenizer: Any, layer: int, steps: int) -> Run:
    library = importlib.import_module("steering_vectors")

    def run(ids: torch.Tensor, vector: torch.Tensor) -> object:
        with library.SteeringVector({layer: vector}).apply(network, multiplier=1.0):
            return network.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **endlessly(steps))

    return run


def nnsight(network: Any, tokenizer: Any, layer: int, steps: int) -> Run:
    library = importlib.import_module("nnsight")
    model = library.LanguageModel(network, tokenizer=tokenizer)
    block = model.model.layers[layer]

    def run(ids: torch.Tensor, vector: torch.Tensor) -> object:
        with model.generate(ids, **endlessly(steps)) as tracer:
            for _ in tracer.iter[:steps]:
                block.output[0][:] += vector
        return tracer

    return run


PEERS = {"repeng": repeng, "steering-vectors": steering_vectors, "nnsight": nnsight}


def main() -> None:
    folder, grid = Path(sys.argv[1]), load_file(sys.argv[2])
    layer, steps = (int(number) for number in sys.argv[3:5])
    torch.set_num_threads(int(sys.argv[5]))
    print(json.dumps({name: version(name) for name in (*PEERS, "transformers", "torch")}), flush=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for line in sys.stdin:
        job = json.loads(line)
        network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        network.generation_config.eos_token_id = None
        run = PEERS[job["peer"]](network, tokenizer, layer, steps)
        vectors = grid["vectors"][: job["conditions"]]
        run(grid["prompts"][: job["rows"]], vectors[0])  # to warm up
        start = time.perf_counter()
        for vector in vectors:
            for some in grid["prompts"].split(job["rows"]):
                run(some, vector)
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
