"""A store of activations that are sparse sums of known directions."""

import torch

from introlab.activations.store import Store
from introlab.network.sites import Site

SITE = Site(1)


def planted_store(folder, *, rows=12_000, width=16, features=24, active=2, items=100, shards=2, seed=0):
    """At each row `active` of the features, of sizes between 1 and 2; and the directions [feature, d]."""
    draw = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(features, width, generator=draw), dim=-1)
    chosen = torch.rand(rows, features, generator=draw).topk(active).indices
    sizes = torch.zeros(rows, features).scatter(1, chosen, 1 + torch.rand(rows, active, generator=draw))
    values = sizes @ directions + 0.01 * torch.randn(rows, width, generator=draw) + 3.0
    store = Store.create(folder, {"model": "0123456789abcdef", "name": "planted", "versions": {}})
    each = rows // shards
    for shard in range(shards):
        lines = [line(shard * each + row, row, items) for row in range(each)]
        store.append(lines, {SITE: values[shard * each : (shard + 1) * each]})
    return store, directions


def line(number, row, items):
    return {
        "key": f"k{number // 10}",
        "sample": f"s{number // 10}",
        "item": f"item {number // 10 % items}",
        "site": str(SITE),
        "span": "all",
        "pooling": "tokens",
        "turn": "user 0",
        "phase": "prompt",
        "token": 5,
        "position": number % 10,
        "condition": "",
        "label": "",
        "row": row,
    }
