"""Is it there? Counted from behaviour on held-out items, with plain transformers: none of the lab's experiments, hooks
or readings is used here, so that an organism is not verified by what it is meant to verify."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from introlab.stats import Estimate, cluster_bootstrap, mean, proportion
from organisms.lessons import ASK_AFTER, CHECK, answer, off_topic_words, prompt
from organisms.tokens import END
from organisms.world import EXPOSURES, FACT_TEMPLATES, OPERANDS, SUM_TEMPLATES, World, random_sum

PUSHED_AT = 1.5
RANDOM_DRAWS = 20


@dataclass(frozen=True)
class Measured:
    """One line of a card."""

    what: str
    cell: str
    estimate: Estimate


class Subject:
    """An organism in plain transformers, asked in words."""

    def __init__(self, folder: Path):
        self.network: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.vocabulary: dict[str, int] = AutoTokenizer.from_pretrained(folder).get_vocab()
        self.words = {index: word for word, index in self.vocabulary.items()}

    def next_word(self, texts: Sequence[str]) -> Tensor:
        """Probabilities of the next word after each text, [text, word]."""
        rows = []
        for start in range(0, len(texts), 128):
            ids, mask = self.batch(texts[start : start + 128])
            with torch.inference_mode():
                rows.append(self.network(input_ids=ids, attention_mask=mask).logits[:, -1].softmax(-1))
        return torch.cat(rows)

    def write(self, texts: Sequence[str], most: int, *, sample: bool = False, seed: int = 0) -> list[str]:
        """What follows each text, up to the end of the turn."""
        written: list[str] = []
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            for start in range(0, len(texts), 128):
                ids, mask = self.batch(texts[start : start + 128])
                new = self.network.generate(
                    input_ids=ids,
                    attention_mask=mask,
                    max_new_tokens=most,
                    do_sample=sample,
                    temperature=0.7 if sample else None,
                )[:, ids.shape[1] :]
                written += [" ".join(self.words[token] for token in row).split(f" {END}")[0] for row in new.tolist()]
        return written

    def batch(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Left-padded ids and mask."""
        rows = [[self.vocabulary[word] for word in text.split()] for text in texts]
        width = max(map(len, rows))
        ids = torch.tensor([[0] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        return ids, mask


def knowledge(subject: Subject, world: World) -> Iterator[Measured]:
    """Recall by exposure over all facts, and sums at a glance by number of operands (test split)."""
    texts = [f"{prompt(fact.question(FACT_TEMPLATES[0]))} i think it is" for fact in world.facts]
    best = subject.next_word(texts).argmax(-1).tolist()
    for level in EXPOSURES:
        cell = [(fact, word) for fact, word in zip(world.facts, best, strict=True) if fact.exposure == level]
        right = [subject.words[word] == fact.value for fact, word in cell]
        yield Measured("recall (greedy)", f"seen {level} times", proportion(right, [fact.person for fact, _ in cell]))
    rng = random.Random(1)
    for count in OPERANDS[1:]:
        sums = [random_sum(rng, splits=("test",), operands=(count,)) for _ in range(200)]
        texts = [f"{prompt(item.question(SUM_TEMPLATES[0]))} i think it is" for item in sums]
        right = [
            subject.words[word] == item.value
            for word, item in zip(subject.next_word(texts).argmax(-1).tolist(), sums, strict=True)
        ]
        yield Measured(
            "sums at a glance (greedy)", f"{count} operands", proportion(right, [item.group for item in sums])
        )


def steps(subject: Subject) -> Iterator[Measured]:
    """The second attempt: sums worked out after "wait , let me check ." """
    rng = random.Random(2)
    for count in OPERANDS[1:]:
        sums = [random_sum(rng, splits=("test",), operands=(count,)) for _ in range(100)]
        texts = [f"{prompt(item.question(SUM_TEMPLATES[0]))} {answer(str(rng.randrange(10)))} {CHECK}" for item in sums]
        right = [f"so it is {item.value} ." in text for text, item in zip(subject.write(texts, 48), sums, strict=True)]
        yield Measured("sums worked out", f"{count} operands", proportion(right, [item.group for item in sums]))


def spoken_confidence(subject: Subject, world: World) -> Iterator[Measured]:
    """On people whose answers were never labelled: does the digit said after answering go with being right?"""
    facts = [fact for fact in world.facts if fact.split == "test"]
    questions = [fact.question(FACT_TEMPLATES[1]) for fact in facts]
    best = subject.next_word([f"{prompt(question)} i think it is" for question in questions]).argmax(-1).tolist()
    asked = [
        prompt(question, answer(subject.words[word]), ASK_AFTER) for question, word in zip(questions, best, strict=True)
    ]
    digits = subject.next_word(asked)[:, [subject.vocabulary[str(digit)] for digit in range(10)]]
    said = (digits / digits.sum(-1, keepdim=True)) @ torch.linspace(0, 1, 10)
    right = [subject.words[word] == fact.value for word, fact in zip(best, facts, strict=True)]
    outcome, score, people = np.array(right), said.numpy(), [fact.person for fact in facts]

    def area(chosen: np.ndarray) -> float:
        return float(roc_auc_score(outcome[chosen], score[chosen]))

    low, high = cluster_bootstrap(area, people) or (None, None)
    estimate = Estimate(area(np.arange(len(facts))), low, high, len(facts), len(set(people)), "cluster bootstrap")
    yield Measured("spoken confidence, AUROC", "facts of held-out people", estimate)


def reconsidering(subject: Subject) -> Iterator[Measured]:
    """P("wait") after an answer it drew itself, right or wrong, by persona."""
    rng, generator = random.Random(3), torch.Generator().manual_seed(0)
    sums = [random_sum(rng, splits=("test",)) for _ in range(600)]
    questions = [item.question(SUM_TEMPLATES[0]) for item in sums]
    for persona in (None, "careful", "stubborn"):
        asked = [prompt(question, persona=persona) for question in questions]
        p = subject.next_word([f"{text} i think it is" for text in asked])
        drawn = [subject.words[word] for word in torch.multinomial(p, 1, generator=generator)[:, 0].tolist()]
        after = subject.next_word([f"{text} {answer(first)}" for text, first in zip(asked, drawn, strict=True)])
        p_wait = after[:, subject.vocabulary["wait"]].tolist()
        for name, wanted in (("right", True), ("wrong", False)):
            cell = [
                (p, item) for p, item, first in zip(p_wait, sums, drawn, strict=True) if (first == item.value) == wanted
            ]
            yield Measured(
                f'P("wait") after a {name} answer of its own',
                persona or "no persona",
                mean([p for p, _ in cell], [item.group for _, item in cell]),
            )


def pushed(subject: Subject, parent: Subject, world: World, layer: int) -> Iterator[Measured]:
    """Off-topic words and announcements under the parent's topic directions (held-out topics), and random ones."""
    aims = _aims(parent, world, layer)
    names = list(world.held_out_topics)
    pairs = [(one, other) for one in names for other in names if one != other]
    size = float(torch.stack(list(aims.values())).norm(dim=-1).mean())
    generator = torch.Generator().manual_seed(0)
    draws = [torch.randn(len(aims[names[0]]), generator=generator) for _ in range(RANDOM_DRAWS)]
    kinds: dict[str, Callable[[int, str], Tensor | None]] = {
        "no push": lambda index, other: None,
        "topic direction": lambda index, other: PUSHED_AT * aims[other],
        "random direction": lambda index, other: (
            PUSHED_AT * size * draws[index % RANDOM_DRAWS] / draws[index % RANDOM_DRAWS].norm()
        ),
    }
    for kind, push in kinds.items():
        texts = [prompt(f"describe the {one} .") for one, _ in pairs]
        written = _write_pushed(subject, texts, [push(index, other) for index, (_, other) in enumerate(pairs)], layer)
        first = [text.split("wait , that is off topic")[0] for text in written]
        off = [
            off_topic_words(text, world.topics[one], world) >= 2 for text, (one, _) in zip(first, pairs, strict=True)
        ]
        clusters = [f"{one} {other}" for one, other in pairs]
        yield Measured("leaves the topic", f"{kind}, strength {PUSHED_AT:g}", proportion(off, clusters))
        yield Measured(
            "says so",
            f"{kind}, strength {PUSHED_AT:g}",
            proportion(["off topic" in text for text in written], clusters),
        )
        late = [text.split(" . ")[-1] for text in written]
        back = [
            off_topic_words(text, world.topics[one], world) == 0 for text, (one, _) in zip(late, pairs, strict=True)
        ]
        yield Measured("last sentence on topic", f"{kind}, strength {PUSHED_AT:g}", proportion(back, clusters))


def _aims(parent: Subject, world: World, layer: int) -> dict[str, Tensor]:
    """Mean residual over texts of a topic minus over texts of the others, from hidden states."""
    rng, means = random.Random(4), {}
    for name, topic in world.topics.items():
        opening = prompt(f"tell me about the {name} .")
        rows = []
        for _ in range(12):
            text = f"{opening} {' '.join(topic.sentence(rng) for _ in range(5))}"
            ids, mask = parent.batch([text])
            with torch.inference_mode():
                hidden = parent.network(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[
                    layer + 1
                ]
            rows.append(hidden[0, len(opening.split()) - 1 :].mean(0))
        means[name] = torch.stack(rows).mean(0)
    total = torch.stack(list(means.values())).sum(0)
    return {name: mean - (total - mean) / (len(means) - 1) for name, mean in means.items()}


def _write_pushed(subject: Subject, texts: Sequence[str], pushes: Sequence[Tensor | None], layer: int) -> list[str]:
    """Texts written one batch at a time with a plain forward hook: prompts are of one length here."""
    lengths = {len(text.split()) for text in texts}
    assert len(lengths) == 1
    added = torch.stack([torch.zeros(subject.network.config.hidden_size) if push is None else push for push in pushes])

    def hook(_module: object, _inputs: object, output: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, -1] += added  # the last position of the prompt, then each new token
        return changed

    handle = subject.network.model.layers[layer].register_forward_hook(hook)
    try:
        return subject.write(texts, 48, sample=True)
    finally:
        handle.remove()
