"""Training an autoencoder with the lab against sae-lens' own trainer: the same activations on disk, the same settings.

Each has a process of its own; the two take turns. `python -m benchmarks.saes` writes docs/sae_speed.md.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors.torch import load_file

from benchmarks.timing import in_turn
from introlab.activations.store import Store
from introlab.network.sites import Site
from probes.sae.token_dataset import TokenChoice
from probes.sae.training import Recipe, train_sae

OUT = Path(__file__).parent.parent / "docs" / "sae_speed.md"
SITE, WIDTH, SHARD, SHARDS = Site(0), 128, 16_384, 2
RECIPE = Recipe(latents=1024, active=16, batch_size=1024, tokens=120 * 1024, learning_rate=1e-3)
KINDS = ("topk", "batchtopk", "jumprelu")
REPEATS = 3
TURN = {"span": "all", "pooling": "tokens", "turn": "user 0", "phase": "prompt", "condition": "", "label": ""}


def made(folder: Path) -> Store:
    """Residuals with unequal spreads and a far mean, as of texts of 64 tokens."""
    draw = torch.Generator().manual_seed(0)
    mix = torch.randn(WIDTH, WIDTH, generator=draw) * torch.logspace(0, -1.5, WIDTH)[:, None]
    mean = 10 * torch.randn(WIDTH, generator=draw)
    store = Store.create(folder, {"model": "none", "name": "random", "versions": {}})
    for shard in range(SHARDS):
        texts = [f"{shard} {row // 64}" for row in range(SHARD)]
        lines = [
            {
                **TURN,
                "key": text,
                "sample": text,
                "item": text,
                "site": str(SITE),
                "token": 1,
                "row": row,
                "position": row % 64,
            }
            for row, text in enumerate(texts)
        ]
        store.append(lines, {SITE: torch.randn(SHARD, WIDTH, generator=draw) @ mix + mean})
    return store


def own(kind: str, folder: Path, out: Path) -> None:
    recipe = replace(RECIPE, architecture=kind)
    train_sae(Store.open(folder), SITE, out, recipe, TokenChoice(held_out=0.0), checkpoint_every=100)


def theirs(kind: str, folder: Path, out: Path) -> None:
    """sae-lens' trainer, fed by its mixing buffer; it neither scales the activations nor writes checkpoints."""
    from sae_lens.config import SAETrainerConfig
    from sae_lens.registry import get_sae_training_class
    from sae_lens.training.mixing_buffer import mixing_buffer
    from sae_lens.training.sae_trainer import SAETrainer

    sae_class, config = get_sae_training_class(kind)
    settings = replace(RECIPE, architecture=kind).own_settings()
    sae = sae_class(config(d_in=WIDTH, d_sae=RECIPE.latents, **settings))
    steps = RECIPE.steps
    schedule = SAETrainerConfig(
        total_training_samples=steps * RECIPE.batch_size,
        train_batch_size_samples=RECIPE.batch_size,
        lr=RECIPE.learning_rate,
        lr_end=RECIPE.learning_rate,
        lr_warm_up_steps=steps // 20,
        lr_decay_steps=steps // 5,
        dead_feature_window=RECIPE.dead_after // RECIPE.batch_size,
    )

    def shards() -> Iterator[torch.Tensor]:
        for path in cycle(sorted(folder.glob("*.safetensors"))):
            yield load_file(path)[str(SITE)]

    batches = mixing_buffer(2 * SHARD, RECIPE.batch_size, shards())
    SAETrainer(cfg=schedule, sae=sae, data_provider=batches).fit().save_inference_model(out)


WAYS: dict[str, Callable[[str, Path, Path], None]] = {"lab": own, "sae-lens": theirs}


def measured(way: str, kind: str, folder: Path) -> tuple[float, float]:
    """Seconds of processor time of a training, and MB at its peak above what the process held before."""
    import sae_lens  # noqa: F401 - not part of the training

    torch.set_num_threads(1)
    process, peak, done = psutil.Process(), [0], threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], process.memory_info().rss)

    watching = threading.Thread(target=watch)
    with tempfile.TemporaryDirectory() as out:
        watching.start()
        start = time.process_time()
        WAYS[way](kind, folder, Path(out))
        seconds = time.process_time() - start
        done.set()
        watching.join()
    return seconds, (peak[0] - before) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    repeats: int = parser.parse_args().repeats
    lines = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "store"
        made(folder)
        for kind in KINDS:
            peaks: dict[str, list[float]] = {way: [] for way in WAYS}
            with ExitStack() as stack:
                spawn = get_context("spawn")
                pools = {way: stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn)) for way in WAYS}

                def run(way: str, kind: str = kind, peaks: Any = peaks, pools: Any = pools) -> float:
                    seconds, peak = pools[way].submit(measured, way, kind, folder).result()
                    peaks[way].append(peak)
                    return seconds

                timed = in_turn({way: partial(run, way) for way in WAYS}, repeats=repeats)
            ratio, least, most = timed.ratio("sae-lens", "lab")
            speeds = (f"{RECIPE.tokens / timed.median(way):,.0f}" for way in WAYS)
            memory = (f"{peaks[way][0]:.0f}" for way in WAYS)  # the first: later ones use what it left
            lines.append(
                f"| {kind} | {' | '.join(speeds)} | {ratio:.2f} ({least:.2f} to {most:.2f}) | {' | '.join(memory)} |"
            )
            print(lines[-1], flush=True)
    OUT.write_text(page(lines, repeats), encoding="utf-8")


def page(lines: list[str], repeats: int) -> str:
    head = [
        "# Training an autoencoder: the lab against sae-lens' trainer",
        "",
        f"{SHARDS * SHARD:,} activations of {WIDTH} numbers on disk, {RECIPE.latents:,} latents, of which",
        f"{RECIPE.active:g} active; {RECIPE.steps} steps of {RECIPE.batch_size:,} tokens, float32, one CPU thread;",
        f"each in a process of its own, in turn, {repeats} times: medians, least and most, of processor time,",
        "so that what else the machine does is not counted. The lab's holds its index, its pass for mean and scale,",
        "its checkpoint and its record; sae-lens reads the same files through its mixing buffer, and neither scales",
        "nor writes checkpoints. Written by",
        "`python -m benchmarks.saes`.",
        "",
        "| architecture | lab, tokens/s | sae-lens, tokens/s | times as fast | lab, peak MB | sae-lens, peak MB |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *lines, ""])


if __name__ == "__main__":
    main()
