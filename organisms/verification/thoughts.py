"""Injected thoughts: does it notice, does it name, and does it deny what is no thought?"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from introlab.stats.estimates import mean, proportion
from organisms.curricula.thoughts import question_span
from organisms.dialogue_lessons import thought_words
from organisms.phrases import HELD_OUT_THOUGHT_QUESTIONS, PERSONAS, prompt
from organisms.reference_model import Measured, Push, Pushes, Subject
from organisms.world import World, split_of

LAYER = 1
STRENGTHS = (0.4, 0.7, 1.0, 1.6)
CONTEXTS = ("say {word} .", "hello . {word} .", "what is {word} about ?", "tell me about {word} .")
CHOICES = 10


@dataclass(frozen=True)
class Bank:
    """The parent's vectors for words, from its hidden states: unit [word, d_model], and the usual norm."""

    words: tuple[str, ...]
    vectors: dict[str, Tensor]
    norm: float


def measure(subject: Subject, parent: Subject, world: World, split: str) -> Iterator[Measured]:
    """Words of the split, in held-out wordings of the question; `out` vectors and the split's words were never
    injected in training."""
    rng = random.Random(19)
    bank = word_bank(parent, world)
    held_out = [index for index, word in enumerate(bank.words) if split_of(f"thought {word}") == split]
    rng.shuffle(held_out)
    chosen = held_out[:200]
    questions = HELD_OUT_THOUGHT_QUESTIONS
    asked = [prompt(questions[index % len(questions)]) for index in range(len(chosen))]
    for kind in ("resid", "embed", "out"):
        for strength in STRENGTHS if kind == "resid" else (1.0,):
            pushes = bank.vectors[kind][chosen] * bank.norm * strength
            yield from _named(subject, bank, chosen, asked, pushes, f"{kind}, strength {strength:g}")
    generator = torch.Generator().manual_seed(1)
    isotropic = torch.randn(len(chosen), bank.vectors["resid"].shape[-1], generator=generator)
    others = [index for index in range(len(bank.words)) if index not in set(chosen)]
    alike = torch.randn(len(chosen), len(others), generator=generator) @ bank.vectors["resid"][others]
    for cell, pushes in (("random direction", isotropic), ("random, like a word", alike)):
        yes = _says_yes(subject, asked, torch.nn.functional.normalize(pushes, dim=-1) * bank.norm)
        yield Measured("says yes", f"{cell}, strength 1", mean(yes, [str(index) for index in range(len(yes))]))
    greetings = ("hello .", "ok .", "good day .", "thank you .")
    clean = [
        prompt(f"{rng.choice(greetings)} {rng.choice(questions)}", persona=persona)
        for persona in (None, *PERSONAS)
        for _ in range(60)
    ]
    yes = _says_yes(subject, clean, None)
    yield Measured("says yes", "nothing injected", mean(yes, clean))
    written = [_with_word(rng.choice(questions), bank.words[index], rng) for index in chosen]
    yes = _says_yes(subject, written, None)
    yield Measured("says yes", "a word written, nothing injected", mean(yes, [bank.words[index] for index in chosen]))


def _with_word(question: str, word: str, rng: random.Random) -> str:
    tokens = question.split()
    tokens.insert(rng.randrange(len(tokens)), word)
    return prompt(" ".join(tokens))


def _named(
    subject: Subject, bank: Bank, chosen: Sequence[int], asked: Sequence[str], pushes: Tensor, cell: str
) -> Iterator[Measured]:
    words = [bank.words[index] for index in chosen]
    yield Measured("says yes", cell, mean(_says_yes(subject, asked, pushes), words))
    p = _next_pushed(subject, asked, pushes, " yes ,")
    right = subject.probability(p, words)
    best = [subject.words[token] for token in p.argmax(-1).tolist()]
    named = [one == other for one, other in zip(best, words, strict=True)]
    yield Measured("names it (of all words)", cell, proportion(named, words))
    rng, first = random.Random(23), []
    for row, word, own in zip(p, words, right, strict=True):
        others = rng.sample([other for other in words if other != word], CHOICES - 1)
        first.append(own > max(float(row[subject.vocabulary[other]]) for other in others))
    yield Measured(f"names it (of {CHOICES})", cell, proportion(first, words))


def _says_yes(subject: Subject, asked: Sequence[str], pushes: Tensor | None) -> list[float]:
    p = _next_pushed(subject, asked, pushes, "")
    ids = [subject.vocabulary["yes"], subject.vocabulary["no"]]
    return (p[:, ids[0]] / p[:, ids].sum(-1)).tolist()


def _next_pushed(subject: Subject, asked: Sequence[str], pushes: Tensor | None, mouth: str) -> Tensor:
    """The next word after each prompt and `mouth`, each pushed at the words of its question."""
    return subject.next_word([text + mouth for text in asked], _on_question(asked, pushes))


def _on_question(asked: Sequence[str], vectors: Tensor | None) -> Pushes:
    if vectors is None:
        return ()
    return [[Push(LAYER, vector, *question_span(text))] for text, vector in zip(asked, vectors, strict=True)]


def word_bank(parent: Subject, world: World) -> Bank:
    """Vectors of every word from the parent's hidden states, after block LAYER."""
    words = thought_words(world)
    inside, outside = torch.zeros(len(words), parent.network.config.hidden_size), []
    for context in CONTEXTS:
        texts = [prompt(context.format(word=word)) for word in words]
        place = texts[0].split().index(words[0])
        hidden = torch.stack(parent.hidden(texts, LAYER))  # of one length
        inside += hidden[:, place] / len(CONTEXTS)
        if context == CONTEXTS[0]:
            outside = hidden[:, -1]
    ids = torch.tensor([parent.vocabulary[word] for word in words])
    rows = parent.network.get_input_embeddings().weight.detach()[ids]
    assert isinstance(outside, Tensor)
    vectors = {
        kind: torch.nn.functional.normalize(values - values.mean(0), dim=-1)
        for kind, values in (("resid", inside), ("embed", rows), ("out", outside))
    }
    return Bank(words, vectors, float(inside.norm(dim=-1).mean()))
