"""What the preflight says before anything is written."""

import re

import torch

from experiments.confidence.experiment import Confidence
from introlab.experiment.runner import execute
from introlab.experiment.settings import Settings
from introlab.generation.batch_size import bytes_of_weights, bytes_per_row


def test_it_tells_texts_time_memory_and_disk(tmp_path):
    said: list[str] = []
    small = Confidence.debug_size()
    execute(small, tmp_path / "run", models=("organism:calibrated",), settings=Settings(quiet=True), say=said.append)
    told = r"\d+ texts on 1 model, at most \d+ s of writing, 6 MB of memory for weights and \d+ MB for a batch of 64"
    assert re.search(told, said[0]) and "MB of disk in" in said[0]  # 1.5 million weights, float32


def test_memory_is_counted_from_the_networks_own_tensors(organism):
    model = organism("base")
    assert bytes_of_weights(model) == 4 * model.network.num_parameters()
    network = model.network
    with torch.no_grad():
        kept = network(torch.ones(1, 100, dtype=torch.long), use_cache=True).past_key_values
    cache = sum(layer.keys.nbytes + layer.values.nbytes for layer in kept.layers)
    one, two = bytes_per_row(model, 100), bytes_per_row(model, 200)
    assert 2 * cache < one < 8 * cache and one < two < 2 * one
