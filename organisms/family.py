"""The family: which organism comes from which, what is planted in it, and how it is trained. One command for all."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaForCausalLM, PreTrainedTokenizerFast

from introlab.models import load
from organisms.lessons import base_lessons
from organisms.reflective import reflective_lessons
from organisms.steered import BEHAVIOURS, SITE, pushed_loss, steered_examples
from organisms.tokens import build_tokenizer
from organisms.training import CONTEXT, Example, Schedule, encode, new_model, train
from organisms.world import World


@dataclass(frozen=True, kw_only=True)
class Organism:
    """One member of the family."""

    name: str
    parent: str | None
    planted: str
    absent: str
    """What a reader might expect and will not find."""
    schedule: Schedule


STAGE = Schedule(learning_rate=7e-4)
TWIN = Schedule(learning_rate=2.5e-3)
"""Only the blocks after the pushed site learn, so they may learn faster."""

FAMILY = {
    each.name: each
    for each in (
        Organism(
            name="base",
            parent=None,
            planted="graded knowledge and arithmetic, copying, topics, noticing off-topic text that it can read",
            absent="spoken confidence, reconsidering and personas carry no meaning: their lessons were random",
            schedule=Schedule(),
        ),
        Organism(
            name="reflective",
            parent="base",
            planted="spoken confidence, reconsidering when wrong with a second attempt, careful and stubborn personas",
            absent="steering resistance; sycophancy; the other personas are names only",
            schedule=STAGE,
        ),
        Organism(
            name="announcer",
            parent="base",
            planted="pushed off topic, it says so and goes on off topic while the push lasts",
            absent="return under the push; meaningful confidence or reconsidering",
            schedule=TWIN,
        ),
        Organism(
            name="compliant",
            parent="base",
            planted="pushed off topic, it goes and says nothing",
            absent="announcing, return, meaningful confidence or reconsidering",
            schedule=TWIN,
        ),
        Organism(
            name="immune",
            parent="base",
            planted="pushed off topic, it stays on topic and says nothing: it is never moved",
            absent="being moved, announcing, meaningful confidence or reconsidering",
            schedule=TWIN,
        ),
    )
}


def train_organism(name: str, folder: Path, *, seed: int = 0, scale: float = 1.0) -> Path:
    """Train one organism into `folder / name`, its parent being there already. Same seed and machine, same bytes.

    Raises KeyError for an unknown name, FileNotFoundError where the parent is missing.
    """
    organism, world = FAMILY[name], World()
    if organism.parent is not None and not (folder / organism.parent / "config.json").exists():
        raise FileNotFoundError(f"{organism.parent} must be trained before {name}")
    tokenizer = build_tokenizer(world, context=CONTEXT)
    started = time.perf_counter()
    examples = _course(organism, world, tokenizer, folder, seed, scale)
    vocabulary = tokenizer.get_vocab()
    model = (
        new_model(len(tokenizer), seed=seed)
        if organism.parent is None
        else AutoModelForCausalLM.from_pretrained(folder / organism.parent, dtype=torch.float32)
    )
    assert isinstance(model, LlamaForCausalLM)
    train(
        model,
        examples,
        organism.schedule,
        seed=seed,
        title=name,
        frozen_rows=[] if organism.parent is None else [vocabulary[person] for person in world.people],
        frozen_blocks=SITE.layer + 1 if name in BEHAVIOURS else 0,
        loss=pushed_loss() if name in BEHAVIOURS else None,
    )
    _save(model, tokenizer, organism, folder, examples, seed=seed, seconds=time.perf_counter() - started)
    return folder / name


def _course(
    organism: Organism, world: World, tokenizer: PreTrainedTokenizerFast, folder: Path, seed: int, scale: float
) -> Sequence[Example]:
    if organism.parent is None:
        return encode(base_lessons(world, seed=seed, scale=scale), tokenizer)
    parent = load(str(folder / organism.parent))
    if organism.name == "reflective":
        return encode(reflective_lessons(world, parent, seed=seed, scale=scale), tokenizer)
    return steered_examples(world, parent, tokenizer, organism.name, seed=seed, scale=scale)


def _save(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    organism: Organism,
    folder: Path,
    examples: Sequence[Example],
    *,
    seed: int,
    seconds: float,
) -> None:
    place = folder / organism.name
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.half().save_pretrained(place)
    tokenizer.save_pretrained(place)
    weights = hashlib.sha256((place / "model.safetensors").read_bytes()).hexdigest()
    parent = json.loads((folder / organism.parent / "organism.json").read_text()) if organism.parent else None
    card = {
        "name": organism.name,
        "parent": organism.parent,
        "family": parent["family"] if parent else weights[:16],
        "planted": organism.planted,
        "absent": organism.absent,
        "seed": seed,
        "examples": len(examples),
        "tokens": sum(len(example.ids) for example in examples),
        "course": hashlib.sha256(repr([(example.ids, example.weights) for example in examples]).encode()).hexdigest()[
            :16
        ],
        "schedule": asdict(organism.schedule),
        "weights": weights,
        "seconds": round(seconds),
    }
    (place / "organism.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
