"""Texts to train and to judge an autoencoder on, if a user brings none: a model's own answers to its materials."""

from collections.abc import Iterator

from introlab.activations.collect import Sample
from introlab.activations.forward import Text
from introlab.generation.requests import Request
from introlab.generation.scheduler import generate, without_failures
from introlab.network.messages import user
from introlab.network.model import Model
from introlab.network.spans import Span
from introlab.tasks.materials import Materials, Split


def own_answers(
    model: Model, materials: Materials, split: Split, *, questions: int, each: int = 1, max_new: int = 64, seed: int = 0
) -> list[Sample]:
    """What the model says, drawn at temperature 1, to `questions` questions of a split (plainly, and asked to check
    its answer) and to every topic, `each` times; `turns` say where the words stand. An item is a group of questions, or
    a topic. Topics have other wordings in the split `test`, and are the same."""
    prompts = {
        f"{kind} {text}": (item, kind, tuple(model.ids([user(text)], room=max_new)), model.chat.spans([user(text)]))
        for item, kind, text in _asked(materials, split, questions)
    }
    requests = [
        Request(ids, name, replicate, max_new=max_new, note=name)
        for name, (_, _, ids, _) in prompts.items()
        for replicate in range(each)
    ]
    found = []
    for request, said in without_failures(generate(model, requests, seed=seed)):
        item, kind, ids, spans = prompts[request.note]
        text = Text.written(ids, said.tokens, request.trial)
        end = len(text.ids) - said.ended
        if end > len(ids):
            found.append(Sample(text, kind, turns={**spans, "assistant 0": Span.positions(len(ids), end)}, item=item))
    return sorted(found, key=lambda sample: sample.text.example)


def _asked(materials: Materials, split: Split, questions: int) -> Iterator[tuple[str, str, str]]:
    """Item, kind and words."""
    for one in materials.balanced_sample(split, questions):
        yield one.group, one.kind, one.text
        yield one.group, f"{one.kind}, checked", f"{one.text} {materials.wording.request_check}"
    for topic in materials.topics:
        for template in materials.wording.topic_templates["test" if split == "test" else "extract"]:
            yield topic, "topic", template.format(topic=topic)
