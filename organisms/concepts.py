"""Vectors that stand for a word, as an injection writes them into the residual."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from organisms.dialogue_lessons import thought_words
from organisms.phrases import prompt
from organisms.reference_model import Subject
from organisms.world import World, split_of

LAYERS = (0, 1, 2)
CONTEXTS = ("say {word} .", "hello . {word} .", "what is {word} about ?", "tell me about {word} .", "note : {word} .")


@dataclass(frozen=True)
class Concepts:
    """Unit vectors [layer, word, d_model] of every word that can be a thought, and the usual norm of the residual."""

    words: tuple[str, ...]
    vectors: dict[str, Tensor]
    """By kind: `resid` where the word is read, `embed` its embedding, `out` where it is about to be said."""
    in_context: Tensor
    """As `resid`, in each context by itself: [layer, word, context, d_model]."""
    norms: tuple[float, ...]
    """By layer, at the words of a question."""

    def of_split(self, *splits: str) -> list[int]:
        """Indices of the words in these splits."""
        return [index for index, word in enumerate(self.words) if split_of(f"thought {word}") in splits]

    def like(self, kind: str, layer: int, among: list[int], rng: random.Random) -> Tensor:
        """A random unit vector with the covariance of these concepts."""
        generator = torch.Generator().manual_seed(rng.randrange(2**31))
        weights = torch.randn(len(among), generator=generator)
        return torch.nn.functional.normalize(weights @ self.vectors[kind][layer, among], dim=0)


def concepts(world: World, model: Subject) -> Concepts:
    """Read every word in five plain contexts; means over all words are taken off."""
    words = thought_words(world)
    texts = [prompt(context.format(word=word)) for word in words for context in CONTEXTS]
    places = [text.split().index(words[index // len(CONTEXTS)], 2) for index, text in enumerate(texts)]
    states = model.states(texts, LAYERS)
    seen = [torch.stack([row[at] for row, at in zip(states[layer], places, strict=True)]) for layer in LAYERS]
    outside = torch.stack([torch.stack([row[-1] for row in states[layer][:: len(CONTEXTS)]]) for layer in LAYERS])
    each = torch.stack([values.reshape(len(words), len(CONTEXTS), -1) for values in seen])
    ids = torch.tensor([model.vocabulary[word] for word in words])
    rows = model.network.get_input_embeddings().weight.detach()[ids].float()
    found = {"resid": each.mean(2), "embed": rows.expand(len(LAYERS), -1, -1), "out": outside}
    norms = tuple(float(values.norm(dim=-1).mean()) for values in seen)
    return Concepts(words, {kind: _units(values) for kind, values in found.items()}, _units(each), norms)


def _units(values: Tensor) -> Tensor:
    return torch.nn.functional.normalize(values - values.mean(1, keepdim=True), dim=-1)
