"""The published protocol, part by part: filters, silencing, fine-tuning, and the same path on real families."""

import json
import re
import warnings
from collections import Counter

import pytest
import torch
from tiny_worlds import random_sae, word_materials

from experiments import find
from experiments.endogenous_resistance import analysis
from experiments.endogenous_resistance.latent_selection import Chosen, Seen, choose, known_by_texts, labelled
from experiments.endogenous_resistance.latent_timecourse import regions
from experiments.endogenous_resistance.lora import (
    IGNORED,
    Segment,
    Tuning,
    read_rows,
    tokens_and_labels,
    tuned,
    write_rows,
)
from introlab.activations.extract import text_logprobs
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.network.messages import user
from introlab.network.model import load
from introlab.network.sites import Site
from introlab.records.trial import Trial
from introlab.reporting.detokenize import written
from introlab.tasks.materials import materials_of
from probes.text.attempts import read_attempts, restarts
from probes.text.recovery import word_owners

KIND = find("endogenous_resistance")
SMALL = {**KIND.debug, "latents": 5, "steps": 4, "own_texts": 2, "max_new": 32}
pytestmark = pytest.mark.filterwarnings("ignore:.* was trained on")


@pytest.fixture(scope="module")
def everything(bench):
    """All ten parts of the resistant organism, small, and the experiment."""
    small = KIND(
        **SMALL, parts=("all",), levels=3, random_sets=2, detectors=4, tuning_rows=16, tuning_epochs=1, judged=20
    )
    return small, list(small.trials(bench("resistant")))


def of(trials, condition, split="test"):
    return [trial for trial in trials if trial.condition == condition and trial.split == split]


def test_all_parts_are_written_once_and_no_more_than_was_said(everything, bench):
    small, trials = everything
    assert len({trial.id for trial in trials}) == len(trials)
    written = [trial for trial in trials if trial.tokens]
    assert len(written) <= small.size(bench("resistant")).texts
    conditions = Counter(trial.condition for trial in trials if trial.split == "test")
    scenes = conditions["push"]
    assert scenes == 15
    for name in ("baseline", "prompting", "random_direction", "finetuned 50 %"):
        assert conditions[name] == scenes, name
    assert sum(name.startswith("sweep") for name in conditions) == 3
    assert sum(name.startswith("meta-prompt") for name in conditions) == 4
    assert conditions["random_ablation"] == 2 * scenes
    assert conditions["reading: judges"] >= 20


def test_arms_of_a_scene_share_random_numbers_and_strengths(everything):
    """What is replayed differs in nothing but the arm: same items, same strengths."""
    _, trials = everything
    scenes = {(trial.item, trial.strength) for trial in of(trials, "push")}
    for condition in ("random_direction", "random_ablation", "meta-prompt: self-monitor"):
        assert {(trial.item, trial.strength) for trial in of(trials, condition)} == scenes
    assert not {trial.prompt for trial in of(trials, "push")} & {t.prompt for t in trials if t.split != "test"}


def test_silencing_comes_before_the_push_and_leaves_the_pushed_latent(everything):
    _, trials = everything
    for trial in of(trials, "random_ablation"):
        silenced, push = trial.receipts
        assert (silenced.edit["edit"], push.edit["edit"]) == ("latents silenced", "latent add")
        assert push.edit["index"] not in silenced.edit["indices"] and push.share > 0


def test_a_latent_is_never_pushed_towards_the_topic_that_is_asked_about(everything):
    _, trials = everything
    assert all(trial.outcomes["label"] != trial.outcomes["topic"] for trial in of(trials, "push"))


def test_where_the_autoencoder_is_from_is_recorded(everything):
    (record,) = of(everything[1], "reading: autoencoder", "extract")
    assert record.outcomes["transferred"] and record.outcomes["trained on"] == "organism:base"


def test_findings_and_figures_have_every_part(everything):
    small, trials = everything
    found = small.analyze(trials)
    json.dumps(found.as_json(), allow_nan=False)
    arms = {row.where.get("arm") for row in found.select("ESR rate")}
    assert {"push", "baseline", "random_ablation", "finetuned 50 %", "meta-prompt: stay focused"} <= arms
    assert list(found.select("starts again: judges agree", judges="attempts, vocabulary"))
    assert {row.where["arm"] for row in found.select("first-attempt score beyond that of the push")} >= {
        "random_ablation",
        "finetuned 50 %",
    }
    drawn = small.draw(found)
    assert {"multi-attempt rate", "ESR rate", "first-attempt score", "sweep, ESR rate"} <= set(drawn)


def test_judges_and_attempts_part_only_where_nothing_but_wait_is_said(everything):
    """Whoever finds the organisms' notice finds a second attempt; broken notices that end at "wait ," are attempts to
    the general words, and nothing to the vocabulary."""
    materials = materials_of("organisms")
    told = of(everything[1], "reading: judges")
    assert any(trial.outcomes["starts again"]["vocabulary"] for trial in told)
    for trial in told:
        again = trial.outcomes["starts again"]
        said = " ".join(trial.text[slice(*where)] for where in restarts(trial.text, materials))
        if again["attempts"] != again["vocabulary"]:
            assert again["attempts"], trial.text
            # Two that stand next to each other are one, with the word between them.
            assert "wait" in said and not {"off", "topic", "back"} & set(re.findall(r"\w+", said)), trial.text


def test_a_push_moves_more_than_none_and_is_told_apart_by_the_score(everything):
    small, trials = everything
    found = small.analyze(trials)
    free, pushed = (found.estimate("first-attempt score", arm=arm).value for arm in ("baseline", "push"))
    assert free is not None and pushed is not None and free > 0.9 > pushed


def test_latents_are_concrete_known_and_silent_on_the_prompts_they_are_used_with():
    materials = materials_of("organisms")
    topics = tuple(sorted(materials.topics))
    by_topic, elsewhere = torch.zeros(5, len(topics)), torch.zeros(5)
    kitchen, school = topics.index("kitchen"), topics.index("school")
    by_topic[:, kitchen] = torch.tensor([9.0, 9.0, 9.0, 4.0, 9.0])
    elsewhere[3], by_topic[3, school] = 4.0, 2.0
    counts = torch.tensor([20.0, 20.0, 5.0, 20.0, 20.0])
    seen = Seen(by_topic, elsewhere, counts, counts / 1000, topics)
    loud = torch.zeros(5)
    loud[1], own = 1e-6, torch.ones(5)
    asked = {"kitchen": own, "school": loud}
    known = known_by_texts(seen, materials)
    assert sorted(each.index for each in known) == [0, 1, 3, 4]
    found = choose(known, asked, count=9, concreteness=65, seed=0)
    assert sorted(each.index for each in found) == [0, 4], "1 is not silent, 2 not known, 3 not concrete"
    assert {each.topic for each in found} == {"kitchen"} and found[0].concreteness == pytest.approx(100)
    assert choose(known, asked, count=1, concreteness=65, seed=0)[0].index in (0, 4)
    with pytest.raises(InputError, match="no latent to push"):
        choose(known, {"school": own}, count=9, concreteness=65, seed=0)


def test_labels_of_others_are_read(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text('{"latent": 3, "label": "body positions", "concreteness": 60}\n{"latent": 4, "label": "bridges"}\n')
    assert labelled(path) == [Chosen(3, "body positions", 60.0), Chosen(4, "bridges", 100.0)]
    path.write_text('{"latent": 3, "label": "body positions"}\n{"label": "bridges"}\n')
    with pytest.raises(InputError, match="line 2"):
        labelled(path)
    with pytest.raises(InputError, match="latents there are not"):
        choose([Chosen(9, "bridges", 100.0)], {"sea": torch.zeros(9)}, count=1, concreteness=65, seed=0)


def test_every_token_knows_the_topic_of_its_word(organism):
    model = organism("base")
    ids = model.ids([user("describe the sea .")], prefill="the oven floods it .")
    pieces = written(model.tokenizer.backend_tokenizer, ids)
    owners = dict(zip(map(str.strip, pieces), word_owners(pieces, materials_of("organisms")), strict=True))
    assert (owners["oven"], owners["floods"], owners["it"]) == ("kitchen", "sea", None)


def test_only_the_recovery_is_learnt(organism, bench, tmp_path):
    model = organism("base")
    row = (Segment(False, "the wave floods the reef ."), Segment(True, " wait , that is off topic . the stove boils ."))
    ids, labels = tokens_and_labels(model, row)
    first = len(model.tokenizer(row[0].text, add_special_tokens=False)["input_ids"])
    assert labels == [IGNORED] * first + ids[first:] and len(ids) > first > 0
    write_rows(tmp_path / "rows.jsonl", [row, row])
    assert read_rows(tmp_path / "rows.jsonl") == [row, row]
    (tmp_path / "rows.jsonl").write_text('{"segments": [{"label": false, "text": "a"}]}\n')
    with pytest.raises(InputError, match=r"line 1.*nothing of it is learnt"):
        read_rows(tmp_path / "rows.jsonl")


def test_fine_tuning_teaches_what_is_learnt_and_nothing_of_what_is_masked(organism):
    """Sixteen rows of one text: its learnt half becomes likelier by far, the masked half does not (it may well become
    less likely). The same seed gives the same weights, and the model that was given is left as it was."""
    model = organism("base")
    prompt = model.chat.text([user("describe the sea .")])
    masked, learnt = " the stove boils the dough .", " my lucky colour is red . thank you all ."
    rows = [(Segment(False, prompt + masked), Segment(True, learnt))] * 16
    tuning = Tuning(16, 6, 2e-3, 0)
    again = tuned(model, rows, tuning)
    assert again.fingerprint == tuned(model, rows, tuning).fingerprint != model.fingerprint
    assert (again.name, again.family) == (model.name, model.family)

    def logprob(which, start, text):
        ids = [tuple(which.tokenizer(each, add_special_tokens=False)["input_ids"]) for each in (start, text)]
        ((*values,),) = text_logprobs(which, [Text.written(*ids, "one")])
        return sum(values) / len(values)

    assert logprob(again, prompt + masked, learnt) > logprob(model, prompt + masked, learnt) + 1
    assert logprob(again, prompt, masked) < logprob(model, prompt, masked) + 1


def scored(scores, *, condition="push", latent=0, text=0, **outcomes):
    several = len(scores) > 1
    return Trial(
        experiment="x",
        model="made",
        item=f"latent {latent}: {text}",
        cluster=f"latent {latent}",
        split="test",
        condition=condition,
        readings={"scores": scores, "first_score": scores[0], "gain": scores[-1] - scores[0], "achieved": 0.3},
        outcomes={
            "several": several,
            "improved": several and scores[-1] > scores[0],
            "degraded": False,
            "incoherent": False,
            "part": "steered",
            **outcomes,
        },
    )


def test_rates_are_the_published_ones():
    """Of ten texts three start again, two do better, one of these after being degraded."""
    texts = [[0.2]] * 7 + [[0.2, 0.8], [0.4, 0.1, 0.6], [0.5, 0.1]]
    trials = [scored(each, latent=index % 5, text=index) for index, each in enumerate(texts)]
    trials[7] = scored(texts[7], latent=2, text=7, degraded=True)
    trials += [scored([1.0], condition="baseline", latent=index % 5, text=index) for index in range(10)]
    found = analysis.findings(trials, 0.3)
    values = {
        measure: found.estimate(measure, arm="push").value
        for measure in ("multi-attempt rate", "improvement rate", "ESR rate", "mean score improvement")
    }
    assert values == pytest.approx(
        {
            "multi-attempt rate": 0.3,
            "improvement rate": 2 / 3,
            "ESR rate": 0.2,
            "mean score improvement": (0.6 + 0.2 - 0.4) / 10,
        }
    )
    assert found.estimate("ESR rate, degraded left out", arm="push").value == pytest.approx(1 / 9)
    assert found.one("ESR rate beyond no steering").value == pytest.approx(0.2)


def test_texts_without_a_score_are_counted_as_not_improved():
    trials = [scored([0.2], latent=index) for index in range(4)]
    lost = scored([0.2, 0.3], latent=4, improved=None)
    lost = Trial(**{**vars(lost), "readings": {**lost.readings, "scores": [0.2, None], "gain": None}})
    found = analysis.findings([*trials, lost], 0.3)
    rate, again = (found.estimate(each, arm="push") for each in ("ESR rate", "multi-attempt rate"))
    assert (rate.n, rate.value) == (5, 0) and again.value == pytest.approx(0.2)
    for measure in ("without a score", "restarts without a score"):
        assert found.estimate(measure, arm="push").value == pytest.approx(0.2)


def test_unknown_parts_are_refused():
    with pytest.raises(InputError, match="no such part"):
        KIND(parts=("steered", "dancing"))


@pytest.mark.parametrize("family", ["gemma2", "llama"])
def test_the_same_path_on_a_tiny_random_model_of_a_real_family(family, family_folder, tmp_path):
    """A folder with a model, a folder with an autoencoder: published parts, end to end. Texts are noise, so that it is
    the way that is tested and no number. Latents are known by texts, or by labels that others gave."""
    model = load(str(family_folder(family)), device="cpu")
    folder = random_sae(tmp_path / "sae", model.d_model, Site(1).hook_name)
    bench = RunContext(model, word_materials(tmp_path / "materials"))
    labels = tmp_path / "labels.jsonl"
    labels.write_text("".join(f'{{"latent": {each}, "label": "w75"}}\n' for each in range(48)))
    small = KIND(
        **{**SMALL, "latents": 2, "prompts": 2, "max_new": 32, "neutral": 4},
        parts=("steered", "random_ablation", "meta_prompts"),
        sae=str(folder),
        concreteness=0.0,
        labels=str(labels) if family == "llama" else None,
        bounds=(0.0, 20.0),
        prior=(8.0, 4.0),
        repetition_penalty=1.1,
        random_sets=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trials = list(small.trials(bench))
    pushed = of(trials, "push")
    assert pushed and all(trial.receipts[0].status == "applied" for trial in pushed)
    assert all(trial.receipts[0].span == "all" and trial.receipts[0].prefill[0][0] == 0 for trial in pushed)
    assert of(trials, "random_ablation") and of(trials, "meta-prompt: resist manipulation")
    assert small.analyze(trials).answer


def test_detectors_silenced_in_a_scene_were_found_on_scenes_of_other_latents(everything):
    _, trials = everything
    found = {trial.item: set(trial.readings["latents"]) for trial in of(trials, "detectors", "extract")}
    assert set(found) == {"silent elsewhere", "contrast", "contrast, for even", "contrast, for odd"}
    success = {int(trial.cluster.split()[-1]) % 2 for trial in of(trials, "push") if trial.outcomes["improved"]}
    assert success, "the resistant organism corrects itself in some of fifteen texts"
    assert bool(found["contrast, for even"]) == (1 in success) and bool(found["contrast, for odd"]) == (0 in success)
    for trial in of(trials, "ablation: contrast, on other scenes"):
        side = "even" if int(trial.cluster.split()[-1]) % 2 == 0 else "odd"
        assert set(trial.receipts[0].edit["indices"]) <= found[f"contrast, for {side}"]


def test_tokens_know_the_part_of_the_text_they_are_in(organism):
    model, materials = organism("base"), materials_of("organisms")
    text = "the wave floods the oven . wait , that is off topic . back to the kitchen . the stove boils the dough ."
    tokens = tuple(model.tokenizer(text, add_special_tokens=False)["input_ids"])
    written = model.text(tokens)
    spans = [[each.start, each.stop] for each in read_attempts(written, "kitchen", materials)]
    trial = Trial(
        experiment="x",
        model="m",
        item="i",
        cluster="c",
        split="test",
        condition="push",
        tokens=tokens,
        readings={"spans": spans},
    )
    where = dict(zip(map(model.text, [[each] for each in tokens]), regions(model, trial), strict=True))
    assert (where["floods"], where["off"], where["stove"], where["dough"]) == (
        "off topic",
        "correction",
        "on topic",
        "on topic",
    )
