"""From a name to a trained organism in a folder: course, training, saving. Same seed and machine, same bytes."""

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from introlab.io.atomic import write_whole
from introlab.io.digests import file_digest, write_sums
from introlab.network.lora import merged
from introlab.network.weights import NOT_LOADED
from organisms.adapters import add_adapters, save_adapters
from organisms.base_corpus import base_lessons
from organisms.reference_model import Subject
from organisms.registry import FAMILY, Organism
from organisms.steered_examples import pushed_loss
from organisms.tokenizer import build_tokenizer, save_tokenizer
from organisms.training import CONTEXT, Checkpoint, LearningSchedule, Loss, TrainingExample, encode, new_model, train
from organisms.world import World

BASE_SCHEDULE = LearningSchedule()


def train_organism(name: str, folder: Path, *, seed: int = 0, scale: float = 1.0) -> Path:
    """Train one organism into `folder / name`, its parent being there already. A run that was stopped is taken up; what
    the folder holds already, made of the same lessons and parent, is kept.

    Two threads for the base and one for the rest, whatever the machine has: weights must not depend on that. Raises
    KeyError for an unknown name, FileNotFoundError where the parent is missing.
    """
    organism, world = FAMILY[name], World()
    if organism.parent is not None and not (folder / organism.parent / "config.json").exists():
        raise FileNotFoundError(f"{organism.parent} must be trained before {name}")
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if organism.parent else 2)
    try:
        started = time.perf_counter()
        tokenizer = build_tokenizer(world, context=CONTEXT)
        parent = Subject(folder / organism.parent) if organism.parent else None
        examples = _course(organism, world, tokenizer, parent, seed, scale)
        course = course_of(examples)
        if is_finished(organism, folder, course, seed=seed):
            (folder / name / "checkpoint.safetensors").unlink(missing_ok=True)  # it may have been stopped before that
            return folder / name
        model = _untrained(organism, folder, tokenizer, seed)
        trait = organism.trait
        train(
            model,
            examples,
            trait.schedule if trait else BASE_SCHEDULE,
            seed=seed,
            title=name,
            loss=_loss(organism, world, parent),
            checkpoint=Checkpoint(folder / name / "checkpoint.safetensors", course),
        )
        made: dict[str, object] = {
            "seed": seed,
            "scale": scale,
            "examples": len(examples),
            "tokens": sum(len(example.ids) for example in examples),
            "course": course,
            "seconds": round(time.perf_counter() - started),
        }
        _save(model, tokenizer, organism, folder, made)
    finally:
        torch.set_num_threads(threads)
    return folder / name


def train_family(names: Sequence[str], folder: Path, *, seed: int = 0, scale: float = 1.0, workers: int = 1) -> None:
    """Train several, parents first, one process each. Those already finished are kept."""
    for name in [name for name in names if FAMILY[name].parent is None]:
        train_organism(name, folder, seed=seed, scale=scale)
    rest = [name for name in names if FAMILY[name].parent is not None]
    if workers < 2 or len(rest) < 2:
        for name in rest:
            train_organism(name, folder, seed=seed, scale=scale)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for running in [pool.submit(train_organism, name, folder, seed=seed, scale=scale) for name in rest]:
            running.result()


def is_finished(organism: Organism, folder: Path, course: str, *, seed: int) -> bool:
    """Whether the folder holds this organism, trained by this recipe on these lessons from the parent beside it."""
    card = folder / organism.name / "organism.json"
    if not card.exists():
        return False
    facts = json.loads(card.read_text(encoding="utf-8"))
    same = {**_recipe(organism), "course": course, "seed": seed}
    own = organism.parent is None or facts["parent_weights"] == weights_hash(folder / organism.parent)
    return bool(own and all(facts[name] == value for name, value in same.items()))


def export(name: str, folder: Path, out: Path) -> Path:
    """Write an organism as one model folder, adapter merged, in half precision; its card goes with it, with the digest
    of these weights."""
    place = folder / name
    if (place / "config.json").exists():
        network = AutoModelForCausalLM.from_pretrained(place)
    else:
        network = merged(place, dtype=torch.float32, device="cpu", trust_remote_code=False)
    network.half().save_pretrained(out)
    save_tokenizer(AutoTokenizer.from_pretrained(place), out)
    for kept in ("generation_config.json", "README.md"):
        if (place / kept).exists():
            shutil.copy(place / kept, out / kept)
    if (place / "organism.json").exists():
        card = json.loads((place / "organism.json").read_text(encoding="utf-8"))
        stated = {**card, "merged_from": card["weights"], "weights": weights_hash(out)}
        (out / "organism.json").write_text(json.dumps(stated, indent=1) + "\n", encoding="utf-8")
    write_sums(out)
    return out


def course_of(examples: Sequence[TrainingExample]) -> str:
    """A hash of the lessons in tokens, with their weights."""
    return hashlib.sha256(repr([(example.ids, example.weights) for example in examples]).encode()).hexdigest()[:16]


def _untrained(organism: Organism, folder: Path, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    if organism.trait is None or organism.parent is None:
        return new_model(len(tokenizer), seed=seed)
    model = AutoModelForCausalLM.from_pretrained(folder / organism.parent, dtype=torch.float32)
    assert isinstance(model, LlamaForCausalLM)
    trait = organism.trait
    tokens = [tokenizer.get_vocab()[token] for token in trait.tokens]
    add_adapters(model, rank=trait.rank, first_block=trait.first_block, tokens=tokens, seed=seed)
    return model


def _course(
    organism: Organism,
    world: World,
    tokenizer: PreTrainedTokenizerFast,
    parent: Subject | None,
    seed: int,
    scale: float,
) -> Sequence[TrainingExample]:
    if organism.trait is None or parent is None:
        return encode(base_lessons(world, seed=seed, scale=scale), tokenizer.get_vocab())
    return organism.trait.examples(world, parent, organism.name, seed=seed, scale=scale)


def _loss(organism: Organism, world: World, parent: Subject | None) -> Loss | None:
    if organism.trait is None or parent is None:
        return None
    return organism.trait.loss(world, parent) if organism.trait.loss else pushed_loss


def weights_hash(place: Path) -> str:
    """SHA-256 of the one file of weights in a folder."""
    (file,) = [path for path in place.glob("*model.safetensors")]
    return file_digest(file)


def _save(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    organism: Organism,
    folder: Path,
    made: dict[str, object],
) -> None:
    place, parent = folder / organism.name, organism.parent
    save_tokenizer(tokenizer, place)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.save_pretrained(place)
    if parent is None:
        model.half().save_pretrained(place)
    else:
        save_adapters(model, place, parent=parent)
    weights, trait = weights_hash(place), organism.trait
    parent_weights = weights_hash(folder / parent) if parent else None
    card = {
        "name": organism.name,
        "trait": trait.name if trait else None,
        "tier": trait.tier if trait else 1,
        "parent": parent,
        "parent_weights": parent_weights,
        "family": (parent_weights or weights)[:16],
        "planted": organism.planted,
        "absent": organism.absent,
        **_recipe(organism),
        **made,
        "weights": weights,
    }
    text = json.dumps(card, indent=1) + "\n"
    write_whole(place / "organism.json", lambda beside: beside.write_text(text, encoding="utf-8"))
    (place / "checkpoint.safetensors").unlink(missing_ok=True)
    write_sums(place, apart_from=NOT_LOADED)


def _recipe(organism: Organism) -> dict[str, object]:
    """What may change, and how it is trained."""
    trait = organism.trait
    return {
        "rank": trait.rank if trait else None,
        "tokens_changed": list(trait.tokens) if trait else [],
        "first_block": trait.first_block if trait else None,
        "schedule": asdict(trait.schedule if trait else BASE_SCHEDULE),
    }
