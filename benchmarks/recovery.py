"""How many examples it takes to find a known direction: `python -m benchmarks.recovery` writes docs/recovery.md.

Two truths. Made-up activations: noise of unit variance far from the origin, and a direction along which the two classes
are two standard deviations apart. And a coordinate written by hand into the weights of an organism: half of all tokens,
drawn at random, carry it, the others its opposite; no block reads or writes it, so that it is there unchanged after
every block, beside all else that the residual holds.
"""

import argparse
import copy
import random
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from introlab.activations.extract import Activations, read
from introlab.activations.forward import Text
from introlab.network.backends import DirectPath
from introlab.network.fingerprint import fingerprint_of
from introlab.network.model import Model, load
from introlab.network.sites import Site
from probes.linear.bank import Method, fit_bank

OUT = Path(__file__).parent.parent / "docs" / "recovery.md"
METHODS: tuple[Method, ...] = ("difference_of_means", "lda", "ridge", "logistic")
COUNTS = (50, 100, 200, 400, 800, 1600, 3200)
DRAWS, LENGTH, COORDINATE = 5, 8, 7
APART = 2.0
"""Standard deviations of one coordinate, between the classes."""


def made_up(model: Model, count: int, seed: int) -> tuple[Activations, list[bool], torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    width = model.d_model
    labels = torch.rand(count, generator=draw) < 0.5
    truth = torch.nn.functional.normalize(torch.randn(width, generator=draw), dim=0)
    values = torch.randn(count, width, generator=draw) + 10 * torch.randn(width, generator=draw)
    values += APART * (labels.float()[:, None] - 0.5) * truth
    names = tuple(str(index) for index in range(count))
    return Activations(values, Site(0), model.fingerprint, names), labels.tolist(), truth


def written_by_hand(model: Model, *, seed: int = 0) -> tuple[Model, torch.Tensor]:
    """A copy of a Llama in which COORDINATE of the residual is +1 or -1, in units of the residual's own spread, times
    half of APART; and which tokens carry +1 [token]."""
    network = copy.deepcopy(model.network)
    carries = torch.rand(network.config.vocab_size, generator=torch.Generator().manual_seed(seed)) < 0.5
    with torch.no_grad():
        embedding = network.get_input_embeddings().weight
        embedding[:, COORDINATE] = 0
        for block in network.model.layers:
            for norm in (block.input_layernorm, block.post_attention_layernorm):
                norm.weight[COORDINATE] = 0
            for into in (block.self_attn.o_proj, block.mlp.down_proj):
                into.weight[COORDINATE] = 0
        network.model.norm.weight[COORDINATE] = 0
    blank = replace(model, network=network, path=DirectPath(network))
    spread = last_token(blank, tokens(blank, 256, seed), Site(0)).values.std(0).mean()
    with torch.no_grad():
        embedding[:, COORDINATE] = spread * APART / 2 * torch.where(carries, 1.0, -1.0)
    return replace(blank, fingerprint=fingerprint_of(network)), carries


def tokens(model: Model, count: int, seed: int) -> list[tuple[int, ...]]:
    """Texts of random tokens."""
    rng = random.Random(seed)
    return [tuple(rng.randrange(model.network.config.vocab_size) for _ in range(LENGTH)) for _ in range(count)]


def last_token(model: Model, texts: list[tuple[int, ...]], site: Site) -> Activations:
    asked = [Text(ids, len(ids), str(index)) for index, ids in enumerate(texts)]
    return read(model, asked, [site], [[len(ids) - 1] for ids in texts])[site, 0]


def cosine(here: Activations, labels: list[bool], truth: torch.Tensor, model: Model, method: Method) -> float:
    found = fit_bank({(here.site, 0): here}, {"carries": labels}, model=model, method=method)
    return float(found[(here.site, 0), "carries"].direction.vector @ truth)


def rows(model: Model) -> Iterator[tuple[str, Method, list[list[float]]]]:
    """What was looked in, how, and for every count the cosines of DRAWS draws."""
    hand, carries = written_by_hand(model)
    places = {f"written by hand, after block {site.layer}": site for site in (Site(0), Site(hand.n_layers - 1))}
    unit = torch.eye(model.d_model)[COORDINATE]
    read_off = {}
    for name, site in places.items():
        texts = tokens(hand, DRAWS * max(COUNTS), 1)
        read_off[name] = last_token(hand, texts, site), [bool(carries[ids[-1]]) for ids in texts]
    for method in METHODS:
        each = [[made_up(model, count, seed) for seed in range(DRAWS)] for count in COUNTS]
        yield "made up", method, [[cosine(*one, model, method) for one in draws] for draws in each]
        for name, (here, labels) in read_off.items():
            found = []
            for count in COUNTS:
                keep = [[start * max(COUNTS), start * max(COUNTS) + count] for start in range(DRAWS)]
                found.append(
                    [
                        cosine(
                            here.where([start <= index < stop for index in range(len(labels))]),
                            labels[start:stop],
                            unit,
                            hand,
                            method,
                        )
                        for start, stop in keep
                    ]
                )
            yield name, method, found


def page(found: list[tuple[str, Method, list[list[float]]]], width: int) -> str:
    lines = [
        "# How many examples it takes to find a known direction",
        "",
        f"Cosine with the truth by number of examples: median of {DRAWS} draws and their range, {width} coordinates,",
        f"two classes {APART:g} standard deviations of a coordinate apart. Written by `python -m benchmarks.recovery`,",
        "whose head says what the truths are. (The coordinate written by hand has no noise of its own, only beside it:",
        "what whitens finds it exactly, what takes means pays for all the rest.)",
        "",
        "| truth | method | " + " | ".join(f"{count:,}" for count in COUNTS) + " |",
        "|---|---|" + "---|" * len(COUNTS),
    ]
    for name, method, draws in found:
        cells = [f"{statistics.median(one):.3f} ({min(one):.3f} to {max(one):.3f})" for one in draws]
        lines.append(f"| {name} | {method} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    model = load("organism:base", device="cpu")
    OUT.write_text(page(list(rows(model)), model.d_model), encoding="utf-8")


if __name__ == "__main__":
    main()
