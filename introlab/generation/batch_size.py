"""What writing takes of the memory, and how many rows a batch may begin with."""

from collections.abc import Sequence

import psutil
import torch

from introlab.generation.requests import Request
from introlab.network.model import Model

MOST_ROWS, MOST_ROWS_ON_CPU = 256, 128
"""Of the first batch. On a CPU more rows gain little, and what a step needs for them outgrows what the
allocator keeps from one step to the next: 384 texts then take .9 to 1.7 times as long (LOG.md)."""
SLACK = 64
"""Columns a batch may move on before everything is moved back."""


def rows_that_fit(model: Model, requests: Sequence[Request]) -> int:
    """How many rows to begin with: as many as a third of the free memory holds keys, values and logits of."""
    if not requests:
        return 1
    longest = max(len(request.prompt) + request.max_new for request in requests)
    fitting = int(_free_bytes(model.device) / 3 / bytes_per_row(model, longest))
    most = MOST_ROWS_ON_CPU if model.device.type == "cpu" else MOST_ROWS
    return max(1, min(most, len(requests), fitting))


def bytes_of_weights(model: Model) -> int:
    """As they are loaded; tied ones once."""
    return sum(parameter.numel() * parameter.element_size() for parameter in model.network.parameters())


def bytes_per_row(model: Model, longest: int) -> int:
    """Of a text of so many tokens: keys and values (twice, as they are moved now and then), logits, and a pass."""
    config = model.network.config.get_text_config()
    heads = int(getattr(config, "num_key_value_heads", None) or model.n_heads)
    each = int(getattr(config, "head_dim", None) or model.d_model // model.n_heads)
    kept = 2 * model.n_layers * heads * each * (longest + SLACK) * model.dtype.itemsize
    return 2 * kept + 12 * int(config.vocab_size) + 16 * model.d_model * longest


def _free_bytes(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return float(psutil.virtual_memory().available)
