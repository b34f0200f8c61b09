"""Last-token residuals of all blocks of 2,000 prompts: time, and peak memory above the loaded model, each way in a
process of its own: `python -m benchmarks.residuals` writes docs/residuals.md.

Batches of similar length: of 64 for the peers, which are no faster with fewer, of as many as `read` takes by itself for
the engine. nnsight needs the environment that `make bench-peers` makes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "residuals.md"
COUNT, ROWS = 2000, 64
HERE = ("engine", "output_hidden_states", "run_with_cache")
WAYS = (*HERE, "nnsight")

Work = Callable[[int], torch.Tensor]
"""Residuals [prompt, layer, d_model] of the first so many prompts."""
Last = Callable[[torch.Tensor, torch.Tensor], list[torch.Tensor]]
"""Residuals [row, d_model] of the last column after each block, of a batch's ids and mask."""


def texts(words: int, count: int) -> list[list[int]]:
    """Prompts of 12 to 40 tokens, by length."""
    draw = torch.Generator().manual_seed(0)
    return [torch.randint(4, words, (12 + n * 29 // COUNT,), generator=draw).tolist() for n in range(count)]


def batches(words: int, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Ids and mask, padded on the left: the last token is in the last column."""
    found, every = [], texts(words, count)
    for start in range(0, count, ROWS):
        some = every[start : start + ROWS]
        width = max(map(len, some))
        ids = torch.tensor([[0] * (width - len(one)) + one for one in some])
        mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in some])
        found.append((ids, mask))
    return found


def in_batches(network: Any, last: Last) -> Work:
    @torch.inference_mode()
    def work(count: int) -> torch.Tensor:
        return torch.cat([torch.stack(last(ids, mask), 1) for ids, mask in batches(_words(network), count)])

    return work


def of_engine(folder: str) -> Work:
    from introlab.activations.extract import read
    from introlab.activations.forward import Text
    from introlab.network.model import load
    from introlab.network.sites import Site

    model = load(folder, device="cpu")
    sites = [Site(layer) for layer in range(model.n_layers)]

    def work(count: int) -> torch.Tensor:
        asked = [Text(tuple(ids), len(ids), str(n)) for n, ids in enumerate(texts(_words(model.network), count))]
        found = read(model, asked, sites, [[len(text.ids) - 1] for text in asked])
        return torch.stack([found[site, 0].values for site in sites], 1)

    return work


def of_hidden_states(folder: str) -> Work:
    """Of the last block it has the residual only after the final norm."""
    network = _network(folder)

    def last(ids: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
        found = network(input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
        return [state[:, -1] for state in found.hidden_states[1:]]

    return in_batches(network, last)


def of_cache(folder: str) -> Work:
    from transformer_lens.model_bridge import TransformerBridge

    network = _network(folder)
    bridge = TransformerBridge.boot_transformers(folder, tokenizer=_tokenizer(folder), hf_model=network, device="cpu")

    def last(ids: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
        _, cache = bridge.run_with_cache(ids, attention_mask=mask)
        return [cache["resid_post", layer][:, -1] for layer in range(_layers(network))]

    return in_batches(network, last)


def of_nnsight(folder: str) -> Work:
    import importlib

    network = _network(folder)
    model: Any = importlib.import_module("nnsight").LanguageModel(network, tokenizer=_tokenizer(folder))

    def last(ids: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
        states: list[Any] = []
        with model.trace({"input_ids": ids, "attention_mask": mask}):
            for layer in range(_layers(network)):
                states.append(model.model.layers[layer].output[:, -1].save())
        return states

    return in_batches(network, last)


def _network(folder: str) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def _tokenizer(folder: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json", pad_token="<pad>")


def _words(network: Any) -> int:
    return int(network.config.vocab_size)


def _layers(network: Any) -> int:
    return int(network.config.num_hidden_layers)


def measure(work: Work) -> dict[str, float]:
    """Seconds, MB at the peak above what the process held before, and a checksum of the result."""
    work(8)  # what libraries set up once is not counted
    process, peak, done = psutil.Process(), [0], threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    found = work(COUNT)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return {"seconds": seconds, "mb": (peak[0] - before) / 2**20, "sum": float(found[:, :-1].double().abs().mean())}


def one(way: str, folder: str, threads: int) -> None:
    torch.set_num_threads(threads)
    makers = {"engine": of_engine, HERE[1]: of_hidden_states, HERE[2]: of_cache, "nnsight": of_nnsight}
    print(json.dumps(measure(makers[way](folder))))


def table(name: str, folder: Path, python: Path) -> list[str]:
    """A line for each way; they take turns, three times."""
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(3):
        for way in WAYS:
            command = [sys.executable if way in HERE else str(python), "-m", "benchmarks.residuals"]
            given = ["--way", way, "--folder", str(folder), "--threads", str(torch.get_num_threads())]
            done = subprocess.run([*command, *given], cwd=ROOT, capture_output=True, text=True, check=True)
            runs[way].append(json.loads(done.stdout.splitlines()[-1]))
    middle = {way: {key: sorted(each[key] for each in found)[1] for key in found[0]} for way, found in runs.items()}
    sums = [each["sum"] for each in middle.values()]
    assert max(sums) - min(sums) < 1e-4 * max(sums), f"not the same residuals: {sums}"
    lines = []
    for way, found in middle.items():
        times, share = found["seconds"] / middle["engine"]["seconds"], middle["engine"]["mb"] / found["mb"]
        lines.append(f"| {name} | {way} | {found['seconds']:.2f} | {times:.2f} | {found['mb']:.0f} | {share:.2f} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, default=ROOT / ".peers" / "bin" / "python")
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    if given.way:
        one(given.way, str(given.folder), given.threads)
        return
    from benchmarks.engine import llama
    from introlab.activations.forward import TOGETHER
    from introlab.network.specs import organism_folder

    with tempfile.TemporaryDirectory() as place:
        lines = table("organism", organism_folder() / "base", given.python)
        lines += table("8 x 512 Llama", llama(Path(place) / "llama"), given.python)
    head = [
        "# Reading residuals",
        "",
        f"Of the last token after every block, {COUNT:,} prompts of 12 to 40 tokens in batches of {ROWS} (the engine's",
        f"own choice: {TOGETHER}): medians of three runs, each in a process of its own that has read 8 prompts before.",
        f"Written by `make bench-peers` on {torch.get_num_threads()} CPU threads in float32.",
        "",
        "| model | with | seconds | times the engine's | peak MB above the loaded model | the engine's share of it |",
        "|---|---|---|---|---|---|",
    ]
    OUT.write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
