"""Regulation: does the residual go towards a concept while a given sentence is copied, where it is asked to?

The sentence is prefilled, so the text is the same in every condition; only the instruction differs. What is
measured is the cosine with the concept's direction over the sentence's tokens, less that with the other concepts'.
"""

from collections.abc import Iterator

import torch

from experiments.injected_concepts.design import InjectionPlan
from experiments.injected_concepts.labels import REGULATE
from experiments.injected_concepts.prompts import told
from experiments.injected_concepts.requests import InjectionDirections
from experiments.shared.concept_vectors import extent
from experiments.shared.reading_amounts import mean_tokens
from introlab.activations.extract import mean_over
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.network.messages import user
from introlab.network.sites import Site
from introlab.records.trial import Trial


def regulated(bench: RunContext, name: str, rig: InjectionDirections, plan: InjectionPlan) -> Iterator[Trial]:
    """Every other tested concept, asked to think of it, asked not to, and not mentioned."""
    prompts, words, asked = plan.prompts, plan.tested[::2], _instructions(plan)
    if not asked:
        return
    sentences = told(prompts.sentences)
    texts: list[Text] = []
    spans: list[tuple[int, int]] = []
    which: list[tuple[str, str]] = []
    for index, word in enumerate(words):
        sentence = sentences[index % len(sentences)]
        for condition, template in asked.items():
            messages = [user(template.format(word=word, sentence=sentence))]
            ids = bench.model.ids(messages, prefill=sentence)
            texts.append(Text(tuple(ids), len(ids), f"{condition} {word}"))
            spans.append(extent(bench.model.chat.spans(messages, prefill=sentence)["prefill"]))
            which.append((condition, word))
    values = mean_over(bench.model, texts, Site(rig.layer), spans, batch_size=bench.batch_size).values
    known = rig.vectors.directions[rig.layer]
    units = torch.stack([known[word].vector for word in words])
    cosines = torch.nn.functional.normalize(values, dim=-1) @ units.T
    for (condition, word), row, text in zip(which, cosines, texts, strict=True):
        own = float(row[words.index(word)])
        others = (float(row.sum()) - own) / max(1, len(words) - 1)
        yield Trial(
            experiment=name,
            model=bench.model.name,
            item=f"{REGULATE} {word}",
            cluster=word,
            split="test",
            condition=f"{REGULATE}: {condition}",
            prompt=bench.model.text(text.ids),
            readings={"cosine": round(own, 5), "cosine_others": round(others, 5), "concept": word},
            outcomes={"asked": REGULATE, "arm": condition, "usable": True},
        )


def tokens_of_regulation(bench: RunContext, plan: InjectionPlan) -> float:
    """How many are read."""
    sentences, words, asked = told(plan.prompts.sentences), plan.tested[::2], _instructions(plan)
    if not asked or not words:
        return 0.0
    dialogues = [
        [user(f"{template.format(word=word, sentence=sentence)} {sentence}")]
        for word, sentence in zip(words, sentences, strict=False)
        for template in asked.values()
    ]
    return mean_tokens(bench, dialogues) * len(words) * len(asked)


def _instructions(plan: InjectionPlan) -> dict[str, str]:
    """By condition; none unless there is one for each."""
    prompts = plan.prompts
    asked = {"think": prompts.think, "think not": prompts.think_not, "copy": prompts.copy}
    return {name: one for name, one in asked.items() if one} if all(asked.values()) else {}
