"""One training loop for every organism: lessons in, weights out, the same bytes for the same seed and machine."""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

from organisms.checkpoints import load_checkpoint, save_checkpoint
from organisms.world_lessons import Lesson

CONTEXT = 256


@dataclass(frozen=True, kw_only=True)
class LearningSchedule:
    """Muon for the matrices and AdamW for the rest, linear warm-up, cosine decay to 5 %, one pass over the lessons.

    Muon is what makes the base affordable: in equal time on sums alone, AdamW had not begun to copy operands.
    """

    learning_rate: float = 2e-3
    batch: int = 64
    warmup: int = 50
    weight_decay: float = 0.05
    clip: float = 1.0


@dataclass(frozen=True)
class TrainingExample:
    """One lesson in tokens: `weights[i]` is the weight of predicting `ids[i]`."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class SpreadExample(TrainingExample):
    """An example of which some tokens are learnt as a distribution: `spread[i]` (token: probability) in place of
    `ids[i]`, which is what later positions read. In expectation as learning draws from it, without their noise."""

    spread: Mapping[int, Mapping[int, float]] = field(default_factory=dict)


def encode(lessons: Sequence[Lesson], vocabulary: Mapping[str, int]) -> list[TrainingExample]:
    """Lessons as tokens. Raises KeyError for a word that is not in the vocabulary."""
    examples = []
    for lesson in lessons:
        ids: list[int] = []
        weights: list[float] = []
        for text, weight in lesson.segments:
            words = text.split()
            ids += [vocabulary[word] for word in words]
            weights += [weight] * len(words)
        examples.append(TrainingExample(tuple(ids), tuple(weights)))
    return examples


def new_model(vocabulary_size: int, *, seed: int) -> LlamaForCausalLM:
    """The architecture all organisms share: a 1.6 M parameter Llama with tied embeddings, freshly initialised."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=vocabulary_size,
                hidden_size=128,
                intermediate_size=384,
                num_hidden_layers=6,
                num_attention_heads=4,
                max_position_embeddings=CONTEXT,
                tie_word_embeddings=True,
                pad_token_id=0,
                bos_token_id=2,
                eos_token_id=3,
            )
        )


def shuffled_batches(examples: Sequence[TrainingExample], size: int, *, seed: int) -> Iterator[list[TrainingExample]]:
    """Batches of similar length, in random order: little padding without sorting the whole course."""
    rng = random.Random(f"batches {seed}")
    order = list(range(len(examples)))
    rng.shuffle(order)
    for start in range(0, len(order), size * 64):
        window = sorted(order[start : start + size * 64], key=lambda index: len(examples[index].ids))
        chunks = [window[at : at + size] for at in range(0, len(window), size)]
        rng.shuffle(chunks)
        for chunk in chunks:
            yield [examples[index] for index in chunk]


def padded(batch: Sequence[TrainingExample]) -> tuple[Tensor, Tensor]:
    """Right-padded ids and weights, [example, position]. Padding has weight 0 and, being last, is never attended."""
    width = max(len(example.ids) for example in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    weights = torch.zeros(len(batch), width)
    for row, example in enumerate(batch):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        weights[row, : len(example.ids)] = torch.tensor(example.weights)
    return ids, weights


Spread = dict[tuple[int, int], Mapping[int, float]]
"""Probabilities of tokens by example of a batch and position."""


def spread_of(batch: Sequence[TrainingExample]) -> Spread:
    return {
        (row, position): tokens
        for row, example in enumerate(batch)
        if isinstance(example, SpreadExample)
        for position, tokens in example.spread.items()
    }


def weighted_loss(
    model: LlamaForCausalLM,
    ids: Tensor,
    weights: Tensor,
    *,
    per_text: float,
    teacher: LlamaForCausalLM | None = None,
    spread: Spread | None = None,
) -> Tensor:
    """Cross-entropy over the weighted tokens; logits are made only where there is weight. The target is the token that
    stands there; where a `teacher` is given, all of its probabilities of that token; where there is a `spread`, that.

    Divided by `per_text` times the number of texts, never by the batch's own number of tokens: batches are of similar
    length, and a token of a long text would count for less than one of a short text. (Seen: a planted choice
    between a short and a long continuation was learnt at a quarter to a half of its rate.)
    """
    wanted = weights[:, 1:]
    at = wanted > 0
    logits, targets = _logits(model, ids, at), ids[:, 1:][at]
    if teacher is not None:
        with torch.no_grad():
            targets = _logits(teacher, ids, at).softmax(-1)
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    if spread:
        place = at.flatten().cumsum(0).view_as(at) - 1
        where = torch.tensor([int(place[row, position - 1]) for row, position in spread])
        odds = torch.zeros(len(where), logits.shape[-1])
        for row, tokens in enumerate(spread.values()):
            odds[row, list(tokens)] = torch.tensor(list(tokens.values()))
        losses = losses.index_copy(0, where, torch.nn.functional.cross_entropy(logits[where], odds, reduction="none"))
    return (losses * wanted[at]).sum() / (per_text * len(ids))


def _logits(model: LlamaForCausalLM, ids: Tensor, at: Tensor) -> Tensor:
    """Of the tokens after the first for which `at` is true, [token, word]."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    return torch.nn.functional.linear(hidden[at], model.lm_head.weight)


def tokens_per_text(examples: Sequence[TrainingExample]) -> float:
    """Mean weight of a text."""
    return sum(sum(example.weights) for example in examples) / len(examples)


Loss = Callable[[LlamaForCausalLM, list[TrainingExample], float], Tensor]
"""Of a batch, given the mean weight of a text."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a run that may be stopped keeps its state, and for which lessons."""

    path: Path
    course: str
    seconds: float = 60.0
    """How often it is written."""


def train(
    model: LlamaForCausalLM,
    examples: Sequence[TrainingExample],
    schedule: LearningSchedule,
    *,
    seed: int,
    title: str,
    loss: Loss | None = None,
    checkpoint: Checkpoint | None = None,
) -> LlamaForCausalLM:
    """Train what requires a gradient, in place, one pass; a run that was stopped goes on at its checkpoint and ends
    with the same bytes. Raises ValueError where there is nothing to learn."""
    if not examples:
        raise ValueError("no lessons to train on")
    steps, per_text = math.ceil(len(examples) / schedule.batch), tokens_per_text(examples)
    optimizers = _optimizers(model, schedule)
    done = load_checkpoint(checkpoint.path, model, optimizers, course=checkpoint.course) if checkpoint else 0
    model.train()
    saved = time.monotonic()
    progress = tqdm(shuffled_batches(examples, schedule.batch, seed=seed), total=steps, desc=title, mininterval=2)
    for step, batch in enumerate(progress):
        if step < done:
            continue
        warm = min(1.0, (step + 1) / schedule.warmup)
        rate = schedule.learning_rate * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = rate
        value = loss(model, batch, per_text) if loss else weighted_loss(model, *padded(batch), per_text=per_text)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if step % 50 == 0:
            progress.set_postfix(loss=f"{value.item():.3f}", refresh=False)
        if checkpoint and time.monotonic() - saved > checkpoint.seconds:
            save_checkpoint(checkpoint.path, model, optimizers, steps_done=step + 1, course=checkpoint.course)
            saved = time.monotonic()
    model.eval()
    return model


def _optimizers(model: LlamaForCausalLM, schedule: LearningSchedule) -> list[torch.optim.Optimizer]:
    learnt = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    matrices = [weight for name, weight in learnt if weight.ndim == 2 and "embed" not in name]
    rest = [weight for name, weight in learnt if weight.ndim != 2 or "embed" in name]
    rate, decay = schedule.learning_rate, schedule.weight_decay
    optimizers: list[torch.optim.Optimizer] = []
    if matrices:
        optimizers.append(torch.optim.Muon(matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))
    if rest:
        optimizers.append(torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=decay))
    return optimizers
