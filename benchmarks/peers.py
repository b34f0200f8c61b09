"""A grid of 16 prompts x 24 conditions: the engine's one stream against other libraries, which take one condition after
another: `make bench-peers` writes docs/peers.md.

repeng, steering-vectors and nnsight run in an environment of their own (.peers), whose pins clash with the lab's. All
add a direction after one block to every token, sample at temperature 1 without filters, and never stop early.
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file

from benchmarks.engine import endless, llama, prompts, push
from benchmarks.outside import Outside
from benchmarks.peer_worker import endlessly
from benchmarks.timing import Timed, in_turn, seconds
from introlab.generation.requests import Request
from introlab.generation.scheduler import generate
from introlab.network.model import Model, load
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.network.specs import organism_folder

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "peers.md"
PROMPTS, CONDITIONS, LENGTH, STEPS = 16, 24, 24, 16
ALONE, REPEATS = 2, 3
OUTSIDE = ("repeng", "steering-vectors", "nnsight")


def engine(model: Model, asked: list[tuple[int, ...]], vectors: torch.Tensor) -> Callable[[], float]:
    def run() -> float:
        requests = [
            Request(ids, f"{at} {n}", interventions=(push(model, vector, Span.all()),), max_new=STEPS)
            for n, vector in enumerate(vectors)
            for at, ids in enumerate(asked)
        ]
        return seconds(lambda: list(generate(model, requests, seed=0)))

    return run


def hook_loop(model: Model, ids: torch.Tensor, vectors: torch.Tensor, layer: int) -> Callable[[int, int], float]:
    """A plain hook on the Hugging Face module, one condition after another."""
    block = model.network.base_model.layers[layer]

    def run(rows: int, conditions: int) -> float:
        def work() -> None:
            for vector in vectors[:conditions]:
                handle = block.register_forward_hook(lambda _m, _a, out, v=vector: out + v)
                for some in ids.split(rows):
                    model.network.generate(some, attention_mask=torch.ones_like(some), **endlessly(STEPS))
                handle.remove()

        return seconds(work)

    return run


def bridge_loop(model: Model, ids: torch.Tensor, vectors: torch.Tensor, layer: int) -> Callable[[int, int], float]:
    """TransformerBridge's own `generate` under its own hooks, one condition after another."""
    bridge = model.bridge.bridge

    def run(rows: int, conditions: int) -> float:
        def work() -> None:
            for vector in vectors[:conditions]:
                hooks = [(Site(layer).hook_name, lambda values, hook, v=vector: values + v)]
                with bridge.hooks(fwd_hooks=hooks):
                    for some in ids.split(rows):
                        bridge.generate(some, max_new_tokens=STEPS, stop_at_eos=False, do_sample=True, verbose=False)

        return seconds(work)

    return run


def compare(name: str, model: Model, folder: Path, python: Path, place: Path) -> tuple[list[str], dict[str, str]]:
    """Rows of the table for one model, and the versions of the peers."""
    layer = model.n_layers // 2
    asked = prompts(model, PROMPTS, LENGTH)
    ids = torch.tensor(asked)
    vectors = torch.randn(CONDITIONS, model.d_model, generator=torch.Generator().manual_seed(0)) * 0.1
    save_file({"prompts": ids, "vectors": vectors}, place / "grid.safetensors")
    outside = Outside(python, "peer_worker.py", folder, place / "grid.safetensors", layer, STEPS)
    ours, plain = engine(model, asked, vectors), hook_loop(model, ids, vectors, layer)
    bridged = bridge_loop(model, ids, vectors, layer)

    def candidates(rows: int, conditions: int) -> Mapping[str, Callable[[], float]]:
        return {
            "engine": ours,
            "hook loop": lambda: plain(rows, conditions),
            "bridge hook loop": lambda: bridged(rows, conditions),
            **{
                peer: lambda peer=peer: outside.seconds(peer=peer, rows=rows, conditions=conditions) for peer in OUTSIDE
            },
        }

    lines = []
    for how, rows, conditions in (("16 prompts at once", PROMPTS, CONDITIONS), ("one prompt at a time", 1, ALONE)):
        timed = in_turn(candidates(rows, conditions), repeats=REPEATS)
        lines += table(name, how, timed, conditions)
    outside.close()
    return lines, outside.versions


def table(model: str, how: str, timed: Timed, conditions: int) -> list[str]:
    """A line for each candidate: tokens a second, and how many times as fast the engine is."""

    def of_one(name: str, taken: list[float]) -> list[float]:
        return [one / (CONDITIONS if name == "engine" else conditions) for one in taken]

    each = Timed({name: of_one(name, taken) for name, taken in timed.seconds.items()})
    lines = []
    for name in each.seconds:
        tokens = PROMPTS * STEPS / each.median(name)
        ratio, low, high = each.ratio(name, "engine")
        done, times = (how, f"{ratio:.1f} ({low:.1f} to {high:.1f})") if name != "engine" else ("one stream", "")
        lines.append(f"| {model} | {name} | {done} | {tokens:,.0f} | {times} |")
        print(lines[-1], flush=True)
    return lines


def page(lines: list[str], versions: Mapping[str, str]) -> str:
    listed = ", ".join(f"{name} {number}" for name, number in versions.items())
    here = {name: version(name) for name in ("torch", "transformers", "transformer-lens")}
    return "\n".join(
        [
            "# Against other libraries",
            "",
            f"{PROMPTS} prompts of {LENGTH} tokens x {CONDITIONS} directions, {STEPS} new tokens each, sampled;",
            f"written by `make bench-peers` on {torch.get_num_threads()} CPU threads in float32. Candidates take",
            f"turns, {REPEATS} times: medians, least and most. One prompt at a time is measured on {ALONE} directions.",
            "The engine checks a receipt for every text, as it always does.",
            "",
            f"In an environment of their own: {listed}. With the lab: "
            + ", ".join(f"{k} {v}" for k, v in here.items())
            + ".",
            "",
            "| model | with | how | tokens a second | the engine is times as fast: median (least to most) |",
            "|---|---|---|---|---|",
            *lines,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, default=ROOT / ".peers" / "bin" / "python")
    python = parser.parse_args().python
    with tempfile.TemporaryDirectory() as name:
        place, base = Path(name), organism_folder() / "base"
        folder = llama(place / "8 x 512 Llama")
        lines, versions = compare("organism", endless(load("organism:base", device="cpu")), base, python, place)
        lines += compare(folder.name, endless(load(str(folder), device="cpu")), folder, python, place)[0]
    OUT.write_text(page(lines, versions), encoding="utf-8")


if __name__ == "__main__":
    main()
