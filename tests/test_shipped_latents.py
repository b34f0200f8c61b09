"""The shipped autoencoder has latents for topics, for leaving them, and for reconsidering: searched for on some texts,
tested on others against what is known. Bounds were set before it was looked at, where nothing else is said."""

from dataclasses import replace
from functools import cache

import pytest
import torch

from introlab.activations.forward import Text
from introlab.generation.requests import Request
from introlab.generation.scheduler import generate
from introlab.network.messages import user
from introlab.tasks.materials import materials_for
from probes.sae.latent_precision_recall import check_found
from probes.sae.latent_search import WINDOW, LatentPair, about_tokens, by_contrast, mismatched, observe, reason_scores
from probes.sae.model import Sae
from probes.text.reflection import read_reflection

EACH, MAX_NEW = 6, 40


@pytest.fixture(scope="module")
def base(organism):
    model = organism("base")
    return model, Sae.load("organism:base", model=model), materials_for(model)


def written(model, asked, *, seed):
    """Texts at temperature 1, in a fixed order, with what they were asked about."""
    requests = [
        Request(tuple(model.ids([user(content)])), f"{seed} {index}", index, max_new=MAX_NEW, note=about)
        for index, (about, content) in enumerate(asked)
    ]
    return sorted(generate(model, requests, seed=seed), key=lambda pair: pair[0].replicate)


def explained(model, materials, split, *, seed):
    template = materials.wording.topic_templates[split][0]
    asked = [(topic, template.format(topic=topic)) for topic in materials.topics for _ in range(EACH)]
    return written(model, asked, seed=seed)


def sentences(model, sae, materials, pairs):
    """A row for each whole sentence, with the topic most of its topic words belong to."""
    texts, spans, topics, items = [], [], [], []
    for request, said in pairs:
        start = 0
        for index, token in enumerate(said.tokens):
            if model.text([token]).strip() != ".":
                continue
            words = model.text(said.tokens[start : index + 1]).split()
            owners = [materials.topic_of_word[word] for word in words if word in materials.topic_of_word]
            if owners:
                text = Text.written(request.prompt, said.tokens, request.item)
                texts.append(text)
                spans.append((text.prompt_len + start, text.prompt_len + index + 1))
                topics.append(max(sorted(set(owners)), key=owners.count))
                items.append(request.item)
            start = index + 1
    first = [topic == topics[0] for topic in topics]
    return observe(model, sae, texts, spans, first, items), topics


@pytest.fixture(scope="module")
def both(base):
    """Sentences to search and to test on."""
    model, sae, materials = base
    splits = (("extract", 11), ("test", 12))
    return [sentences(model, sae, materials, explained(model, materials, split, seed=seed)) for split, seed in splits]


def test_every_topic_has_a_latent_that_knows_its_sentences(base, both):
    """20 of 24 topics: precision .8 and recall .6 at least; every one: AUROC .9."""
    (seen, told), (fresh, asked) = both
    good, aurocs = 0, []
    for topic in base[2].topics:
        one = replace(seen, truth=torch.tensor([each == topic for each in told]))
        other = replace(fresh, truth=torch.tensor([each == topic for each in asked]))
        found = check_found(by_contrast(one, count=1), one, other, target=topic)
        precision, recall = (next(found.select(name)).estimate.value or 0.0 for name in ("precision", "recall"))
        print(f"{topic}: {found.answer}")
        good += precision >= 0.8 and recall >= 0.6
        aurocs.append(found.one("AUROC of the best latent").value or 0.0)
    assert good >= 20 and min(aurocs) >= 0.9


def test_no_latent_knows_topics_dealt_to_texts_at_random(both):
    """Dealt text by text: a search that finds one on new texts more than once in 8 is fooled (one time in 60)."""
    fooled = 0
    for seed in range(8):
        draw = torch.Generator().manual_seed(seed)
        seen, fresh = (_dealt(rows, draw) for rows, _ in both)
        fooled += not check_found(by_contrast(seen, count=1), seen, fresh).answer.startswith("No latent")
    assert fooled <= 1


def _dealt(observed, draw):
    names = sorted(set(observed.items))
    mine = dict(zip(names, (torch.rand(len(names), generator=draw) < 0.3).tolist(), strict=True))
    return replace(observed, truth=torch.tensor([mine[item] for item in observed.items]))


def test_answers_to_another_question_have_a_latent(base):
    """Searched for on half of the topics, tested on the other half: AUROC .8 at least, better than latents as frequent,
    precision above the base rate."""
    model, sae, materials = base
    halves = [list(materials.topics)[start::2] for start in (0, 1)]
    seen, fresh = (
        mismatched(
            model,
            sae,
            [
                LatentPair(request.prompt, said.tokens, request.note, request.note)
                for request, said in explained(model, materials, split, seed=seed)
                if request.note in half
            ],
            others=others,
        )
        for split, seed, half, others in (("extract", 13, halves[0], 3), ("test", 14, halves[1], 1))
    )
    found = check_found(by_contrast(seen, count=3), seen, fresh, target="an answer to another question")
    print(found.answer)
    assert (found.one("AUROC of the best latent").value or 0) >= 0.8
    assert all(check.passed for check in found.checks)


def sums(model, materials, split, *, seed):
    asked = [(one.group, one.text) for one in materials.pick(split, kind="sum", limit=240)]
    pairs = written(model, asked, seed=seed)
    return [Text.written(request.prompt, said.tokens, request.item) for request, said in pairs], [
        f"{split} {request.note}" for request, _ in pairs
    ]


@pytest.fixture(scope="module")
def at_wait(base, organism):
    """`at_wait(name, window)`: rows about "wait" to search and to test on, and ReasonScore's first five latents."""

    @cache
    def texts(name):
        return [sums(organism(name), base[2], split, seed=seed) for split, seed in (("extract", 15), ("test", 16))]

    def rows(name, window):
        model = organism(name)
        sae, wait = (
            Sae.load("organism:base", model=model),
            model.tokenizer("wait", add_special_tokens=False)["input_ids"],
        )
        seen, fresh = (about_tokens(model, sae, some, wait, items, window=window) for some, items in texts(name))
        return seen, fresh, reason_scores(model, sae, texts(name)[0][0], {"wait": wait}).topk(5).indices.tolist()

    return rows


@pytest.mark.parametrize("name", ["base", "reflective"])
def test_reconsidering_has_a_latent(at_wait, name):
    """At "wait" itself: precision and recall .9 at least, in the base and in the organism that means it."""
    seen, fresh, _ = at_wait(name, (0, 0))
    found = check_found(by_contrast(seen, count=1), seen, fresh, target="wait")
    print(name, found.answer)
    assert all((next(found.select(name)).estimate.value or 0) >= 0.9 for name in ("precision", "recall"))


@pytest.mark.parametrize("name", ["base", "reflective"])
def test_reason_score_finds_latents_about_reconsidering(at_wait, name):
    """From one token before "wait" to two after: one of the first five has precision .8 at least, all five together
    recall .8."""
    seen, fresh, first = at_wait(name, WINDOW)
    about = check_found(first, seen, fresh, target="reconsidering")
    print(name, about.answer, about.one("recall of any of them"), about.one("precision of any of them"))
    assert max(row.estimate.value or 0 for row in about.select("precision")) >= 0.8
    assert (about.one("recall of any of them").value or 0) >= 0.8


def decisions(model, materials, split, *, seed):
    """Where an answer has just ended, and whether the text goes on to reconsider."""
    questions = materials.pick(split, kind="sum", limit=360)
    texts, spans, truth, items, levels = [], [], [], [], []
    for request, said in written(model, [(one, one.text) for one in questions], seed=seed):
        if reflection := read_reflection(model, said.tokens, materials.wording):
            last = len(request.prompt) + reflection.decision
            texts.append(Text.written(request.prompt, said.tokens, request.item))
            spans.append((last - 1, last))
            truth.append(reflection.reconsidered)
            items.append(f"{split} {request.note.group}")
            levels.append(request.note.level)
    return (texts, spans, truth, items), levels


@pytest.mark.parametrize(("name", "planted"), [("reflective", True), ("ritual", False), ("base", False)])
def test_one_latent_tells_that_it_will_reconsider_where_that_means_something(base, organism, name, planted):
    """After the answer's full stop. *ritual* reconsiders as often, at random. These bounds came after a first look
    (AUROC .90, .51 and .50). By chance a twin is called found one time in 40.

    In *reflective* this is mostly that long sums are harder: at equal length it is .60 (LOG.md)."""
    model = organism(name)
    sae = Sae.load("organism:base", model=model)
    (search, _), (test, levels) = (
        decisions(model, base[2], split, seed=seed) for split, seed in (("extract", 21), ("test", 22))
    )
    seen, fresh = observe(model, sae, *search), observe(model, sae, *test)
    found = check_found(by_contrast(seen, count=1), seen, fresh, target="that it will reconsider", levels=levels)
    print(name, found.answer)
    assert found.answer.startswith("No latent") != planted
    assert found.one("AUROC of the best latent").above(0.8) == planted
