"""What is read inside a pushed model: on changes that are known by construction, and on the four twins."""

import math
from dataclasses import replace

import pytest
import torch
from steered import direction, push

from experiments.steering_mechanism import ablation, analysis, figures, labels
from experiments.steering_mechanism import attribution as sources
from experiments.steering_mechanism import detectability as downstream
from experiments.steering_mechanism import detection_trials as noticing
from experiments.steering_mechanism import replay as replaying
from experiments.steering_mechanism import verdicts as conclusions
from experiments.steering_mechanism.replay import FOLDS, KINDS, WINDOW, basis_of, fold_of, scenes, token_at, without
from experiments.steering_mechanism.simulation import simulated
from introlab.activations.directions import random_control
from introlab.activations.extract import iter_activations, read
from introlab.activations.forward import Text
from introlab.generation.requests import Generation, Request
from introlab.generation.sampling import Sampling
from introlab.network.messages import user
from introlab.network.sites import Site
from introlab.records.findings import Findings
from introlab.records.trial import Trial
from introlab.stats.discrimination import auroc_of
from probes.linear import solvers
from probes.text.topic_drift import read_drift
from steering.contrast import one_vs_rest_from_texts
from steering.edits import steer_along
from steering.patching import patch, patches
from steering.strength import typical_norm

AT = 1.5
TOPICS = 4
TWINS = ("resistant", "announcer", "compliant", "immune")


def request(bench, content, item, note, *pushes):
    prompt = tuple(bench.model.ids([user(content)], room=40))
    return Request(prompt, item, note["replicate"], pushes, 40, Sampling(temperature=0.7), note=note)


def as_trials(bench, pairs):
    for asked, one in pairs:
        text = bench.model.text(one.tokens)
        drift = read_drift(text, asked.note["topic"], bench.materials)
        outcomes = {name: getattr(drift, name) for name in ("intruded", "announced", "returned")}
        yield Trial(
            experiment="made",
            model=bench.model.name,
            item=asked.item,
            cluster=asked.item,
            split="test",
            condition=asked.note["condition"],
            strength=asked.note["strength"],
            draw=asked.note["draw"],
            replicate=asked.replicate,
            tokens=one.tokens,
            text=text,
            outcomes={"incoherent": False, **outcomes},
            receipts=one.receipts,
        )


@pytest.fixture(scope="session")
def looked_inside(bench):
    """`looked_inside("resistant")`: bench, directions, texts, trials, and what was found in them; written once. Twins
    were trained under pushes towards the topics that are not the lab's."""
    made = {}

    def make(name, lab=True):
        if (name, lab) not in made:
            made[name, lab] = _look(bench(name, batch_size=64), lab)
        return made[name, lab]

    return make


def _look(bench, lab):
    names = sorted(topic.name for topic in bench.materials.topics.values() if topic.lab is lab)[:TOPICS]
    templates = bench.materials.wording.topic_templates
    plain = {"split": "extract", "condition": "baseline", "strength": 0.0, "draw": None}
    fit = [
        request(bench, template.format(topic=topic), topic, {**plain, "topic": topic, "push": topic, "replicate": turn})
        for topic in names
        for template in templates["extract"]
        for turn in range(4)
    ]
    fitted = sorted(
        bench.generate(fit, stage="fit"), key=lambda pair: (pair[0].item, pair[0].prompt, pair[0].replicate)
    )
    texts = [Text.written(asked.prompt, one.tokens, f"{asked.item} fit") for asked, one in fitted]
    directions = one_vs_rest_from_texts(bench.model, texts, [asked.item for asked, _ in fitted], Site(2))
    norm = typical_norm(bench.model, texts, Site(2))
    test = []
    for index, (topic, other) in enumerate((a, b) for a in names for b in names if a != b):
        for turn in range(2):
            draw = (2 * index + turn) % 6
            arms = {
                "baseline": None,
                "push": directions[other],
                "random_direction": random_control(directions[other], draw),
            }
            for kind, along in arms.items():
                note = {"topic": topic, "push": other, "replicate": turn, "condition": kind, "split": "test"}
                note |= {"strength": AT if along else 0.0, "draw": draw if kind == "random_direction" else None}
                pushes = [steer_along(along, natural=AT, residual_norm=norm)] if along else []
                content = templates["test"][0].format(topic=topic)
                test.append(request(bench, content, f"{topic} -> {other}", note, *pushes))
    written = list(bench.generate(test, stage="test"))
    trials = [one for one in as_trials(bench, written) if one.condition == "push"]
    inside = list(
        noticing.trials(
            bench,
            directions,
            written,
            experiment="made",
            at=AT,
            draws=6,
            as_trials=lambda pairs: as_trials(bench, pairs),
        )
    )
    inside += sources.trials(bench, written, experiment="made", at=AT)
    rows = tuple(analysis.rows(bench.model.name, [*trials, *inside]))
    return bench, directions, written, inside, Findings(rows, (), "")


@pytest.mark.parametrize("family", ["llama", "gpt2", "neox", "qwen3"])
def test_heads_add_up_to_what_attention_returns(family, family_model):
    """Weights lie either way round in these families; a bias belongs to no head."""
    model, text = family_model(family), Text((2, 5, 6, 7, 8), 5, "text")
    matrix = model.output_matrix(1)
    assert matrix is not None and matrix.shape == (4, 8, 32)
    here = read(model, [text, replace(text, ids=(2, 9, 6, 7, 3))], [Site(1, "z"), Site(1, "attn_out")], [[4], [4]])
    heads = torch.einsum("nhd,hdm->nhm", here[Site(1, "z"), 0].values.unflatten(1, (4, 8)), matrix)
    whole = here[Site(1, "attn_out"), 0].values
    assert torch.allclose(heads.sum(1)[0] - heads.sum(1)[1], whole[0] - whole[1], atol=1e-5)


def test_heads_do_not_add_up_where_a_norm_follows(family_model):
    assert family_model("gemma2").output_matrix(1) is None


def test_several_patches_are_those_of_each(family_model):
    model, text, sites = family_model("llama"), Text((2, 5, 6, 7), 4, "text"), [Site(0, "z", 1), Site(2, "mlp_out")]
    each = patches(model, text, sites)
    assert all(torch.equal(each[site].edit.values, patch(model, text, site).edit.values) for site in sites)


def made_scene(model, *, raw=3.0):
    """One text read under a push, another under a push elsewhere, and one under none, of a model of any kind."""
    written = {}
    for seed, kind in enumerate(KINDS):
        pushes = () if kind == "baseline" else (push(model, raw, seed=seed),)
        note = {"topic": "a", "push": "b", "condition": kind, "strength": AT, "draw": None, "replicate": 0}
        tokens = tuple(range(5 + seed, 25 + seed))
        written[kind] = Request((2, 5, 6), "made", 0, pushes, note=note), Generation(tokens, (), {}, ())
    return replaying.ReplayedText(written, 4, True, None)


def faded(bench, model):
    found = sources.faded(replace(bench("base"), model=model), [made_scene(model)], 1)
    return {kind: readings for _, kind, readings in found}


def silent(family_folder):
    """A tiny Llama of which the last block returns nothing."""
    from introlab.network.model import load

    model = load(str(family_folder("llama")), device="cpu")
    with torch.no_grad():
        for module in (model.network.model.layers[2].self_attn.o_proj, model.network.model.layers[2].mlp.down_proj):
            module.weight.zero_()
    return model


def test_a_push_through_blocks_that_say_nothing_stays_what_it_is(bench, family_folder):
    for readings in faded(bench, silent(family_folder)).values():
        assert readings["projection"] == pytest.approx([1, 1], abs=1e-5)
        assert readings["norm"] == pytest.approx([1, 1], abs=1e-5)
        assert all(abs(value) < 1e-5 for value in readings["parts"].values())


def test_the_head_that_was_made_to_push_back_is_found(bench, family_folder):
    """Head 1 of the last block copies how far the token lies along the push, and writes that against it: it pushes
    back and no other, by as much as the projection falls."""
    model = silent(family_folder)
    scene, block = made_scene(model), model.network.model.layers[2]
    unit = scene.added("push").direction.vector
    with torch.no_grad():
        block.self_attn.v_proj.weight.zero_()
        block.self_attn.v_proj.weight[0] = unit / block.input_layernorm.weight  # heads 0 and 1 share keys and values
        block.self_attn.o_proj.weight[:, 8] = -0.5 * unit
    readings = faded(bench, model)["push"]
    fall = 1 - readings["projection"][-1]
    assert fall > 0.01
    assert readings["parts"]["head 2.1"] == pytest.approx(-fall, abs=1e-5)
    assert all(abs(value) < 1e-5 for name, value in readings["parts"].items() if name not in ("head 2.1", "attn_out 2"))


@pytest.mark.parametrize("family", ["llama", "gpt2", "neox", "gemma2", "mixtral"])
def test_parts_explain_the_whole_change(family, bench, family_model):
    for readings in faded(bench, family_model(family)).values():
        assert abs(readings["left_over"]) < 1e-4
        assert readings["projection"][0] == pytest.approx(1, abs=1e-4)
        assert abs(readings["projection"][-1] - 1) > 1e-3, "random blocks do something"


def test_a_place_in_a_text_is_a_token(bench):
    model = bench("base").model
    ids = model.tokenizer("the wild fern is near the moss. wait, that is off topic.", add_special_tokens=False)[
        "input_ids"
    ]
    text = model.text(ids)
    for word in ("the", "fern", "wait", "topic"):
        assert model.text(ids[token_at(model, ids, text.index(word)) :]).startswith(word)
    assert token_at(model, ids, len(text)) is None


def test_events_of_a_text(bench):
    """An announcement begins with its sentence, and the first word off topic is that of another topic."""
    here = bench("base")
    names = sorted(here.materials.topics)[:2]
    own, other = (sorted(here.materials.topics[name].words)[0] for name in names)
    said = f"the {own} is near the {other} . wait , that is off topic . back to the {names[0]} ."
    tokens = tuple(here.model.tokenizer(said, add_special_tokens=False)["input_ids"])
    along = direction(here.model, Site(2))
    pushed = steer_along(along, natural=AT, residual_norm=1.0)
    written = []
    for kind in KINDS:
        note = {"topic": names[0], "push": names[1], "condition": kind, "draw": None}
        note |= {"strength": 0.0 if kind == "baseline" else AT}
        written.append((Request((2, 5), "x", interventions=(pushed,), note=note), Generation(tokens, (), {}, ())))
    (scene,) = scenes(here, written, AT)
    assert here.model.text(tokens[scene.onset :]).startswith(other) and scene.off_topic
    assert here.model.text(tokens[scene.restart :]).startswith("wait")
    assert scenes(here, written, 2.0) == [], "pushes of another strength"


def synthetic(shared, own, *, seed=0, dim=24, per=6):
    """Traces in noise: every push leaves `own` along an axis of its own, and `shared` along one that all share."""
    rng = torch.Generator().manual_seed(seed)
    names = [f"topic {index}" for index in range(6)]
    found = [
        replaying.ReplayedText(
            {"push": (Request((2,), f"{a} {b}", turn, note={"topic": a, "push": b}), None)}, 0, True, None
        )
        for a in names
        for b in names
        if a != b
        for turn in range(per)
    ]
    count, site = len(found), Site(1)
    values = torch.randn(count, 2, len(WINDOW), dim, generator=rng)
    for index, scene in enumerate(found):
        values[index, 1, :, names.index(scene.push)] += own
        values[index, 1, :, -1] += shared
    fold, apart = fold_of(found)
    known = torch.ones(count, len(WINDOW), dtype=torch.bool)
    return downstream.Traces(
        found, fold, apart, dict.fromkeys(KINDS, known), {(site, kind): values for kind in KINDS}
    ), site


def area(seen, site):
    scores = seen.scores(site, solvers.lda(seen.problem(site, 0), (0.1,)), "push")[..., 0]
    truth = torch.tensor([0, 1])[None, :, None].expand(scores.shape)
    return auroc_of(scores.flatten().numpy(), truth.flatten().numpy() > 0)


def test_what_pushes_share_is_read_of_pushes_never_seen():
    """Along one axis in unit noise the AUROC is Phi(shift / sqrt 2), less what the fit loses."""
    expected = 0.5 * (1 + math.erf(1.5 / 2))
    assert area(*synthetic(1.5, 0.0)) == pytest.approx(expected, abs=0.02)


def test_a_trace_of_each_push_alone_is_not_read_of_others():
    """A large trace that no two pushes share says nothing of a push that was held out."""
    assert area(*synthetic(0.0, 3.0)) == pytest.approx(0.5, abs=0.05)


def test_folds_share_neither_topics_nor_pushes():
    seen, _ = synthetic(0.0, 0.0, per=1)
    for one, fold in zip(seen.found, seen.fold, strict=True):
        used = [other for other, part in zip(seen.found, seen.fold, strict=True) if seen.apart[fold, part]]
        assert used and not {other.topic for other in used} & {one.topic}
        assert not {other.push for other in used} & {one.push}
    assert len(seen.apart) == FOLDS**2


def test_a_span_is_taken_out_though_its_directions_add_up_to_nothing():
    vectors = torch.randn(4, 12, generator=torch.Generator().manual_seed(0))
    vectors -= vectors.mean(0)
    basis = basis_of(vectors)
    assert basis.shape == (12, 3)
    left = without(torch.randn(5, 12, generator=torch.Generator().manual_seed(1)), basis)
    assert torch.allclose(left @ vectors.T, torch.zeros(5, 4), atol=1e-5)


@pytest.mark.parametrize("name", TWINS)
def test_the_controls_hold_on_every_twin(name, looked_inside):
    bench, _, _, trials, found = looked_inside(name)
    assert len({trial.id for trial in trials}) == len(trials)
    assert {trial.split for trial in trials} == {"test"}
    assert all(bool(trial.receipts) == trial.condition.startswith("ablated") for trial in trials)
    for check in conclusions.checks(bench.model.name, found, ""):
        announces = name in ("resistant", "announcer")
        assert check.passed is (True if announces or check.control != "ablation" else None), check
    assert conclusions.sentence(bench.model.name, found)
    assert {"layer decay", "pushing back", f"readable by token {name}"} <= set(figures.draw(found))


@pytest.mark.parametrize("name", ["resistant", "announcer"])
def test_it_announces_for_what_it_wrote_and_not_for_the_push(name, looked_inside):
    *_, found = looked_inside(name)
    own_text = found.one("rise of P(announcement)", by="its own text, without a push")
    assert own_text.above(0.1) and own_text.value > 0.5
    push_alone = found.one("rise of P(announcement)", by="the push, after its own text")
    # Four directions do not tell more of others like them.
    assert push_alone.below(own_text.value) and push_alone.value == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("name", ["resistant", "announcer"])
def test_without_what_comes_before_announcements_there_are_none(name, looked_inside):
    """And without the trace of the push, readable though it is, there are as many."""
    *_, found = looked_inside(name)
    rate = "ablated: announced"
    assert found.one(rate, reading="announcement", arm="reading").value < 0.15
    assert found.one("fall of P(announcement) beyond random", reading="announcement").above(0.3)
    assert found.one("fall of P(announcement) beyond random", reading="push").below(0.1)
    assert found.one(rate, reading="push", arm="reading").value > 0.4


@pytest.mark.parametrize("name", ["compliant", "immune"])
def test_who_never_announces_has_nothing_of_it_to_ablate(name, looked_inside):
    *_, trials, found = looked_inside(name)
    assert not list(found.select("ablated: announced", reading="announcement"))
    assert not [trial for trial in trials if trial.condition in ("restarting", "restart")]


@pytest.mark.parametrize("arm", ["push", "clean text"])
def test_the_immune_twin_does_not_amplify_what_the_others_do(arm, looked_inside):
    """No push decays: later blocks add to it, in the immune twin least, whatever text it is read in; they do not add
    to random pushes."""
    ends = "projection left at the end"
    immune = looked_inside("immune")[-1].one(ends, arm=arm)
    for name in TWINS:
        found = looked_inside(name)[-1]
        assert found.one(ends, arm=arm).above(1) and found.one(ends, arm="random_direction").below(1.05)
        assert name == "immune" or found.one(ends, arm=arm).value > immune.value + 0.05


def test_the_immune_twin_pushes_back_where_it_was_taught_to(looked_inside):
    """Under pushes towards topics it was trained with, its attention takes a good part of them away; in the compliant
    twin, trained under the same pushes, later blocks add to them."""
    bench, *_, found = looked_inside("immune", lab=False)
    left, part = found.one("projection left at the end", arm="push"), "attn_out 3"
    assert left.below(0.8) and left.high < found.one("projection left at the end", arm="random_direction").low
    assert found.one("added along the push", arm="push", part=part).below(-conclusions.TAKES)
    assert part in conclusions.sentence(bench.model.name, found)
    assert looked_inside("compliant", lab=False)[-1].one("projection left at the end", arm="push").above(1)


def test_what_leads_to_the_announcement_is_judged_on_other_texts(looked_inside):
    """The same words after a prompt that asks for them are no reason to announce; chosen paths do more than others."""
    *_, trials, found = looked_inside("resistant")
    clean, other = (found.one("log-odds of the announcement", prompt=name) for name in ("clean", "other"))
    assert clean.low > other.high
    assert found.one("paths beyond random").value > 0
    judged = [trial for trial in trials if trial.condition == "restart" and not trial.readings["chooses"]]
    assert judged and all(trial.readings["paths"] for trial in judged)


def test_a_direction_left_in_is_caught(monkeypatch, looked_inside):
    """Planted fault: nothing is taken out. Directions of one topic against the rest add up to nothing, so that what is
    learnt of some pushes points away from the others."""
    bench, directions, written, _, _ = looked_inside("compliant")
    monkeypatch.setattr(downstream, "without", lambda values, basis: values)
    found = scenes(bench, written, AT)
    seen = downstream.traces(bench, found, directions, 2)
    trials = [
        noticing.trial_of(bench, scene, "made", f"readable {kind}", AT, readings)
        for scene, kind, readings in downstream.readings(seen, downstream.halfway(bench.model, 2))
    ]
    rows = tuple(analysis.rows(bench.model.name, trials))
    made = Findings(rows, (), "")
    receipt = made.one("readable at the pushed block")
    assert receipt.below(0.4), "once it is taken out it is .5, whatever the model does: a receipt, and no check"
    assert f"AUROC {receipt}" in conclusions.receipts(bench.model.name, made)
    assert {check.control for check in conclusions.checks(bench.model.name, made, "")} == set(labels.CONTROLS)


def test_a_random_ablation_moves_as_much_token_by_token(looked_inside):
    bench, directions, written, _, _ = looked_inside("resistant")
    found = scenes(bench, written, AT)
    seen = downstream.traces(bench, found, directions, 2)
    site = downstream.halfway(bench.model, 2)
    for reading in ablation.readings(bench, seen, site):
        fold = int(seen.fold[0])
        text = found[0].text("push", pushed=True)
        edits = [reading.ablated(fold, draw) for draw in (None, 3)]
        texts = [text, *(replace(text, interventions=(*text.interventions, edit)) for edit in edits)]
        held = {index: values for batch in iter_activations(bench.model, texts, site) for index, values in batch}
        sizes = [(held[index] - held[0]).norm(dim=-1) for index in (1, 2)]
        assert float(sizes[0].max()) > 0 and torch.allclose(*sizes, atol=1e-4)
        for name in directions:  # what is ablated lies outside of every topic's direction
            assert abs(float(reading.directions[fold].vector @ directions[name].vector)) < 1e-4


@pytest.mark.parametrize("control", labels.CONTROLS)
def test_every_control_catches_its_planted_fault(control):
    def passed(fault):
        trials = simulated("made", AT, 1.0, 3, fault)
        found = Findings(tuple(analysis.rows("simulated", trials)), (), "")
        return {one.control: one.passed for one in conclusions.checks("simulated", found, "")}[control]

    assert passed(None) is True and passed(control) is False


def test_a_simulated_effect_is_found_and_a_null_is_not():
    def after(effect, seed):
        trials = simulated("made", AT, effect, seed, None)
        return Findings(tuple(analysis.rows("simulated", trials)), (), "").one("readable after it", arm="push")

    assert all(after(1.0, seed).above(0.7) for seed in range(5))
    assert sum(after(0.0, seed).above(0.5) for seed in range(40)) <= 5, "by luck once in 1,000"
