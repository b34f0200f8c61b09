"""`import introlab as lab`: its names, the first program, what is accepted, what is refused."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import introlab as lab
from introlab.activations.extract import iter_activations
from introlab.activations.forward import Text
from introlab.errors import ContextOverflow, InputError, ModelMismatch
from introlab.generation.requests import Request
from introlab.network.messages import assistant, user
from introlab.network.sites import Site
from probes.online import Entropy

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "front_door.md").read_text(encoding="utf-8")
CASTLE, SCHOOL, DESERT = (f"tell me about the {topic} ." for topic in ("castle", "school", "desert"))
POSITIVE = [SCHOOL, "describe the school ."]
NEGATIVE = [DESERT, "describe the kitchen ."]


@pytest.fixture(scope="module")
def model(organism):
    return organism("compliant")


@pytest.fixture(scope="module")
def school(model):
    return lab.contrast(model, positive=POSITIVE, negative=NEGATIVE, layer=0.6)


# The names


def test_the_names_are_few_and_are_what_a_researcher_sees():
    assert dir(lab) == lab.__all__ == sorted(lab.__all__)
    assert len(lab.__all__) <= 20
    assert set(lab._PUBLIC) == set(lab.__all__)


def test_type_checkers_see_the_same_names_from_the_same_places():
    tree = ast.parse((ROOT / "introlab" / "__init__.py").read_text(encoding="utf-8"))
    (guard,) = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {alias.name: node.module for node in guard.body for alias in node.names}
    assert typed == lab._PUBLIC


@pytest.mark.parametrize("name", lab.__all__)
def test_every_name_is_there_and_documented(name):
    value = getattr(lab, name)
    assert value.__doc__ and len(value.__doc__) > 20
    assert f"`{name}" in PAGE


def test_another_name_is_refused_with_those_there_are():
    with pytest.raises(AttributeError, match="contrast, evaluate_probe"):
        _ = lab.telepathy


def test_the_import_loads_no_model_library_and_takes_no_time():
    script = """
import sys
import introlab as lab
before = set(sys.modules)
assert dir(lab) == lab.__all__
lab.RunResults, lab.Findings, lab.Estimate, lab.Receipt, lab.LabError, lab.SteeringExperiment
heavy = {"torch", "transformers", "transformer_lens", "sae_lens", "peft"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert not {"numpy", "pandas", "plotly"} & before
lab.Model
assert "torch" in sys.modules, "the test of this test"
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


# The first program


def blocks():
    return re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_first_program_is_eight_lines_and_steers(capsys):
    lines = [line for line in blocks()[0].splitlines() if line.strip()]
    assert len(lines) <= 8 and sum("import" in line for line in lines) == 1
    names: dict = {}
    exec(compile(blocks()[0], "front_door.md", "exec"), names)
    shown = capsys.readouterr().out
    assert "teacher" in shown and "positions 8–" in shown and "1.5 of the norm there (applied)" in shown
    plain = lab.generate(names["model"], CASTLE)
    assert "teacher" not in plain.text and plain.receipt is None and plain.receipts == ()


def test_the_whole_guide_is_one_program(capsys, monkeypatch, tmp_path):
    """The experiment of the page included: about 40 lines, at most 15 names."""
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks()), "front_door.md", "exec"), {"__name__": "front_door"})
    assert "steering raises the measure beyond random directions" in capsys.readouterr().out
    own = blocks()[-1]
    assert len([line for line in own.splitlines() if line.strip()]) <= 40
    assert len(set(re.findall(r"lab\.(\w+)", own))) <= 15
    (run,) = (tmp_path / "runs" / "school_talk").iterdir()
    assert (run / "COMPLETE").exists()


@pytest.mark.real_model
def test_the_first_program_runs_on_the_real_model(smollm2):
    """The same lines with prompts in its language: steered text and readings go towards the direction."""
    school = lab.contrast(
        smollm2,
        positive=["Tell me about school.", "Describe a typical school day.", "What do teachers do in a classroom?"],
        negative=["Tell me about the desert.", "Describe a typical farm.", "What do fishermen do at sea?"],
        layer=0.4,
    )
    plain, steered = (
        lab.generate(smollm2, "Tell me about castles.", steer=school * share, readouts={"school": school}, max_new=24)
        for share in (0.0, 0.5)
    )
    assert plain.text != steered.text and re.search("student|learn|school|teach", steered.text)
    assert min(steered.readings["school"]) > max(plain.readings["school"])
    assert steered.receipt.share == pytest.approx(0.5, abs=1e-3) and plain.receipt.share == 0
    word = lab.read(smollm2, "My teacher gave us homework.", {"school": school})
    column = dict(zip(word.pieces, word.readings["school"], strict=True))
    assert column[" teacher"] > max(column[" gave"], column[" us"])


# Generating


def test_answers_come_in_the_order_asked_and_one_gives_one(model):
    prompts = [f"tell me about the {topic} ." for topic in ("sea", "school", "castle", "farm", "desert")]
    answers = lab.generate(model, prompts, max_new=12, batch_size=2)
    assert [answer.prompt for answer in answers] == prompts
    for prompt, answer in zip(prompts, answers, strict=True):
        alone = lab.generate(model, prompt, max_new=12)
        assert isinstance(alone, lab.Completion)
        assert (alone.text, alone.tokens) == (answer.text, answer.tokens)
        assert "".join(answer.pieces).strip().startswith(answer.text[:10])
        assert len(answer.pieces) == len(answer.tokens)
    assert isinstance(lab.generate(model, prompts[:1], max_new=2), list)
    assert str(answers[0]) == answers[0].text


def test_a_chat_is_accepted_where_a_string_is(model):
    chat = [user(CASTLE)]
    assert lab.generate(model, chat, max_new=8).tokens == lab.generate(model, CASTLE, max_new=8).tokens
    both = lab.generate(model, [chat, CASTLE], max_new=8)
    assert both[0].tokens == both[1].tokens
    begun = lab.generate(model, CASTLE, prefill="the teacher", max_new=4)
    assert begun.prompt_ids[-2:] == tuple(model.tokenizer("the teacher", add_special_tokens=False)["input_ids"])


def test_it_is_greedy_unless_asked_and_random_numbers_belong_to_the_prompt(model):
    assert (
        lab.generate(model, CASTLE, seed=0, max_new=20).tokens == lab.generate(model, CASTLE, seed=9, max_new=20).tokens
    )
    twice = lab.generate(model, [CASTLE, SCHOOL, CASTLE], temperature=1.0, seed=3)
    assert twice[0].tokens != twice[2].tokens, "the same prompt again has other random numbers"
    assert lab.generate(model, CASTLE, temperature=1.0, seed=3).tokens == twice[0].tokens
    assert lab.generate(model, CASTLE, temperature=1.0, seed=4).tokens != twice[0].tokens


def test_readings_and_receipts_are_of_the_steered_text(model, school):
    plain, steered = (
        lab.generate(model, CASTLE, steer=school * share, readouts={"school": school, "entropy": Entropy()}, max_new=16)
        for share in (0.0, 1.5)
    )
    for answer in (plain, steered):
        assert {name: len(values) for name, values in answer.readings.items()} == {
            "school": len(answer.tokens),
            "entropy": len(answer.tokens),
        }
    assert steered.receipt.share == pytest.approx(1.5, abs=1e-4) and steered.receipt.edit["share"] == 1.5
    assert plain.receipt.share == 0
    underlined = [
        re.findall("text-decoration:underline", lab.show_tokens(one, "school").html) for one in (plain, steered)
    ]
    # All but the last new token, which no pass reads.
    assert [len(found) for found in underlined] == [15, 15]
    # The reading is taken where the edit is: it rises by the share of the norm there, in natural units.
    assert steered.readings["school"][0] > plain.readings["school"][0] + 1


def test_several_edits_have_several_receipts(model, school):
    answer = lab.generate(model, CASTLE, steer=school * 1.0 - lab.random_direction(school, 1) * 0.5, max_new=8)
    assert [receipt.edit["share"] for receipt in answer.receipts] == [1.0, -0.5]
    with pytest.raises(InputError, match="several receipts"):
        _ = answer.receipt


# Directions and probes


def test_a_contrast_of_texts_is_read_over_the_answers(model):
    """Pairs, dialogues and completions of the same words give the same direction: the difference of means by hand."""
    answers = lab.generate(model, [SCHOOL, DESERT], max_new=12)
    by_completion = lab.contrast(model, positive=answers[0], negative=answers[1], layer=3)
    site, means = Site(3), []
    for answer in answers:
        ids = (*answer.prompt_ids, *answer.tokens)
        ((values,),) = iter_activations(model, [Text(ids, len(answer.prompt_ids), "x")], site)
        means.append(values[1][len(answer.prompt_ids) - 1 :].double().mean(0))
    difference = means[0] - means[1]
    assert by_completion.scale == pytest.approx(float(difference.norm()), rel=1e-5)
    assert float(by_completion.vector @ (difference / difference.norm()).float()) == pytest.approx(1, abs=1e-5)
    pairs = lab.contrast(
        model, positive=(SCHOOL, "the teacher teaches ."), negative=[(DESERT, "the sand burns .")], layer=0.6
    )
    dialogues = lab.contrast(
        model,
        positive=[user(SCHOOL), assistant("the teacher teaches .")],
        negative=[[user(DESERT), assistant("the sand burns .")]],
        layer=Site(3),
    )
    assert bool((pairs.vector == dialogues.vector).all()) and pairs.examples == dialogues.examples


def test_prompts_are_read_over_the_users_words_or_at_the_end(model):
    ids = model.ids([user(SCHOOL)])
    ((values,),) = iter_activations(model, [Text(tuple(ids), len(ids), "x")], Site(3))
    span = model.chat.spans([user(SCHOOL)])["user 0"].include[0]
    other = lab.contrast(model, positive=SCHOOL, negative=DESERT, layer=3)
    last = lab.contrast(model, positive=SCHOOL, negative=DESERT, layer=3, over="last")
    ids2 = model.ids([user(DESERT)])
    ((values2,),) = iter_activations(model, [Text(tuple(ids2), len(ids2), "y")], Site(3))
    means = values[1][span.start : span.stop].mean(0) - values2[1][span.start : span.stop].mean(0)
    assert other.scale == pytest.approx(float(means.norm()), rel=1e-4)
    assert last.scale == pytest.approx(float((values[1][-1] - values2[1][-1]).norm()), rel=1e-4)


@pytest.mark.parametrize(("layer", "block"), [(0.0, 0), (0.4, 2), (0.6, 3), (1.0, 5), (4, 4), (Site(1), 1)])
def test_layers_are_blocks_or_fractions_of_the_depth(model, layer, block):
    assert lab.contrast(model, positive=SCHOOL, negative=DESERT, layer=layer).site == Site(block)


def test_a_probe_tells_the_sides_apart_and_is_read_per_token(model, school):
    probe = lab.fit_probe(model, positive=POSITIVE, negative=NEGATIVE, layer=0.6, target="school")
    assert probe.target == "school"
    answers = lab.generate(model, [SCHOOL, DESERT], readouts={"p": probe}, max_new=12)
    means = [sum(answer.readings["p"]) / len(answer.tokens) for answer in answers]
    assert means[0] > means[1] + 0.3
    assert all(0 <= value <= 1 for answer in answers for value in answer.readings["p"])


def test_a_probe_of_labels_that_mean_nothing_is_shown_to_be_worth_nothing(model):
    """The negative control of `evaluate_probe`: both sides are alike but for chance."""
    words = ("tell me about the {} .", "describe the {} .")
    topics = ("castle", "school", "desert", "farm", "sea", "forest", "market", "hospital", "garden", "sky")
    prompts = [word.format(topic) for topic in topics for word in words]
    told = lab.evaluate_probe(model, positive=prompts[::2], negative=prompts[1::2], layer=0.6, target="wording")
    assert told.one("AUROC of the probe").value == 1.0 and not told.check("text only").passed, "the words tell it, too"
    mixed = lab.evaluate_probe(
        model, positive=prompts[0::4] + prompts[1::4], negative=prompts[2::4] + prompts[3::4], layer=0.6
    )
    assert not mixed.one("AUROC of the probe").above(0.5)


# Reading


def test_reading_an_answer_gives_what_was_read_while_it_was_written(model, school):
    probe = lab.fit_probe(model, positive=POSITIVE, negative=NEGATIVE, layer=0.6)
    named = {"school": school, "p": probe}
    answer = lab.generate(model, CASTLE, readouts=named, max_new=10)
    later = lab.read(model, answer, named)
    first = len(answer.prompt_ids) - 1
    for name in named:
        there = later.readings[name][first : first + len(answer.tokens)]
        assert there == pytest.approx(answer.readings[name], abs=1e-4)
    assert later.prompt_length == first + 1 and len(later.pieces) == len(later.tokens)


def test_reading_keeps_the_order_and_gives_one_for_one(model, school):
    texts = [CASTLE, (SCHOOL, "the teacher teaches the lesson ."), [user("hello")]]
    several = lab.read(model, texts, school, batch_size=1)
    assert list(several[0].readings) == ["direction"]
    for text, one in zip(texts, several, strict=True):
        alone = lab.read(model, text, {"direction": school})
        assert alone.tokens == one.tokens
        assert alone.readings["direction"] == pytest.approx(one.readings["direction"], abs=1e-4)
    assert "teacher" in several[1].text


# What is refused, before anything is read or written

BAD = {
    "no prompts": lambda m, d: lab.generate(m, []),
    "an empty prompt": lambda m, d: lab.generate(m, ["hello", "  "]),
    "a number": lambda m, d: lab.generate(m, 3),
    "messages without a role": lambda m, d: lab.generate(m, [{"content": "hello"}]),
    "a pair where a prompt is meant": lambda m, d: lab.generate(m, ("hello", "you")),
    "a direction without a strength": lambda m, d: lab.generate(m, "hello", steer=d),
    "a strength that is no number": lambda m, d: lab.generate(m, "hello", steer=d * float("nan")),
    "no new tokens": lambda m, d: lab.generate(m, "hello", max_new=0),
    "a negative temperature": lambda m, d: lab.generate(m, "hello", temperature=-1.0),
    "a reading that is none": lambda m, d: lab.generate(m, "hello", readouts={"x": "entropy"}),
    "a reading of another name": lambda m, d: lab.generate(m, "hello", readouts={"x": Entropy()}),
    "a reading of probabilities": lambda m, d: lab.read(m, "hello", Entropy()),
    "no texts": lambda m, d: lab.read(m, [], d),
    "an empty side": lambda m, d: lab.contrast(m, positive=[], negative="hello"),
    "a text on both sides": lambda m, d: lab.contrast(m, positive=[SCHOOL, CASTLE], negative=[SCHOOL]),
    "an answer without words": lambda m, d: lab.contrast(m, positive=("hello", " "), negative="you"),
    "a layer beyond the last": lambda m, d: lab.contrast(m, positive="a", negative="the", layer=6),
    "a depth beyond the last": lambda m, d: lab.contrast(m, positive="a", negative="the", layer=1.5),
    "a layer that is no number": lambda m, d: lab.contrast(m, positive="a", negative="the", layer=True),
    "an unknown place": lambda m, d: lab.contrast(m, positive="a", negative="the", over="middle"),
    "an unknown experiment": lambda m, d: lab.run("telepathy"),
    "an experiment that is none": lambda m, d: lab.run(3),
    "an unknown field": lambda m, d: lab.run("confidence", small=True, colour="red"),
    "no run": lambda m, d: lab.RunResults.open("no_such_folder"),
    "texts without readings": lambda m, d: lab.show_tokens(lab.generate(m, "hello", max_new=1)),
}


@pytest.mark.parametrize("case", [case for case in BAD if case != "texts without readings"])
def test_bad_input_is_refused_before_anything_is_done(case, model, school, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(type(model), "forward", lambda *_, **__: pytest.fail("the model was asked"))
    with pytest.raises(InputError) as raised:
        BAD[case](model, school)
    assert "given: " in str(raised.value) and "allowed: " in str(raised.value), str(raised.value)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_shown_says_what_to_do(model, school):
    with pytest.raises(InputError, match="readouts"):
        BAD["texts without readings"](model, school)
    read = lab.read(model, "hello", {"one": school, "two": school})
    with pytest.raises(InputError, match="one, two"):
        lab.show_tokens(read)
    with pytest.raises(InputError, match="does not have"):
        lab.show_tokens(read, "three")


def test_a_prompt_that_is_too_long_is_refused(model):
    with pytest.raises(ContextOverflow):
        lab.generate(model, "the " * 300)


def test_what_was_fitted_on_another_model_is_refused(organism, school):
    other = organism("resistant")
    for use in (
        lambda: lab.generate(other, CASTLE, steer=school * 1.0),
        lambda: lab.generate(other, CASTLE, readouts={"school": school}),
        lambda: lab.read(other, CASTLE, school),
    ):
        with pytest.raises(ModelMismatch):
            use()
    answer = lab.generate(other, CASTLE, max_new=2)
    with pytest.raises(InputError, match="another model"):
        lab.read(organism("compliant"), answer, school)


def test_progress_is_shown_when_asked_for(model, school, capsys):
    lab.generate(model, [CASTLE, SCHOOL], max_new=2)
    lab.read(model, CASTLE, school)
    assert capsys.readouterr().err == ""
    lab.generate(model, [CASTLE, SCHOOL], max_new=2, progress=True)
    lab.read(model, CASTLE, school, progress=True)
    shown = capsys.readouterr().err
    assert "writing" in shown and "reading" in shown


def test_the_rooms_behind_it_stay_open(model, school):
    """A request of the lab and the front door write the same."""
    from introlab.generation.sampling import GREEDY
    from introlab.generation.scheduler import generate
    from steering.edits import steered_by

    request = Request(
        tuple(model.ids([user(CASTLE)])), "x", interventions=steered_by(school * 1.5), max_new=12, sampling=GREEDY
    )
    ((_, generation),) = generate(model, [request], seed=0)
    assert generation.tokens == lab.generate(model, CASTLE, steer=school * 1.5, max_new=12).tokens
