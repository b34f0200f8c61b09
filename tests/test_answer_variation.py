"""Answers that do not vary with the question are named, and options are offered in an order that favours no place."""

import dataclasses
import json
from collections import Counter

import pytest
import torch

from experiments.confidence.experiment import Confidence
from experiments.shared.answer_variation import answer_given, constant_answers, place_rows, varies
from introlab.experiment.context import RunContext
from introlab.generation.decode import DecodingBatch
from introlab.network.model import load
from introlab.records.trial import Trial
from introlab.tasks.answers import UNPARSABLE, FreeReader
from introlab.tasks.materials import Materials, Question, materials_of
from introlab.tasks.option_order import counterbalanced, place_of

GENERAL = materials_of(None)


def question(name: str, answer: str, options: tuple[str, ...], text: str, level: str = "1") -> Question:
    return Question(
        id=name,
        kind="choice",
        group=name,
        level=level,
        split="test",
        text=text,
        subject="it",
        answer=answer,
        options=options,
        answer_type="option",
    )


ALWAYS_FIRST = [
    question(
        f"q{index}", f"w{index}", (f"w{index}", f"x{index}", f"y{index}"), f"Which? A) w{index} B) x{index} C) y{index}"
    )
    for index in range(59)
]
"""Of a file whose right option is always A."""


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_the_right_option_is_in_every_place_alike_whatever_the_file_says(seed):
    dealt = counterbalanced(ALWAYS_FIRST, seed)
    places = Counter(one.options.index(one.answer) for one in dealt.values())
    assert sorted(places.values()) == [19, 20, 20]
    for one in dealt.values():
        assert one.text == f"Which? A) {one.options[0]} B) {one.options[1]} C) {one.options[2]}"
        read = FreeReader({})(one, "ABC"[one.options.index(one.answer)])
        assert read.correct and read.answer == one.answer


def test_another_seed_offers_them_in_another_order():
    one, two = (counterbalanced(ALWAYS_FIRST, seed) for seed in (0, 1))
    assert one == counterbalanced(reversed(ALWAYS_FIRST), 0)
    assert sum(one[name].options != two[name].options for name in one) > 20


def test_the_shipped_choices_are_balanced_in_what_is_drawn_of_them():
    for limit in (20, 60, None):
        asked = GENERAL.pick("test", kind="two-choice", limit=limit, seed=3)
        places = Counter(one.options.index(one.answer) for one in asked)
        assert max(places.values()) - min(places.values()) <= len({one.level for one in asked})
        assert all(option in one.text for one in asked for option in one.options)
    short, long = (GENERAL.pick("test", kind="two-choice", limit=limit, seed=3) for limit in (10, 40))
    assert long[: len(short)] == short


def test_an_option_that_the_question_names_before_offering_it_is_left_where_it_is():
    asked = question("q", "four", ("four", "three"), "Is three less than four? four or three?")
    for seed in range(4):
        (one,) = counterbalanced([asked], seed).values()
        assert one.text == f"Is three less than four? {one.options[0]} or {one.options[1]}?"
    whole = question("q", "a", ("a", "b"), "Choose what you like.")
    assert counterbalanced([whole], 0)["q"] == whole


def trials(chosen, n: int = 59) -> list[Trial]:
    """A world in which `chosen(index, right place)` is the place a model chooses."""
    found = []
    for index, one in enumerate(list(counterbalanced(ALWAYS_FIRST, 0).values())[:n]):
        place = chosen(index, one.options.index(one.answer))
        said = UNPARSABLE if place is None else FreeReader({})(one, "ABC"[place])
        found.append(
            Trial(
                experiment="confidence",
                model="m",
                item=one.id,
                cluster=one.group,
                split="test",
                condition="baseline",
                outcomes={"right": said.correct, "kind": "choice", "level": "1", **answer_given(one, said)},
            )
        )
    return found


def test_a_in_59_of_59_is_named():
    """The case that was seen: AUROC .31 and ECE .31 were given of it without a word."""
    here = trials(lambda index, right: 0)
    check = varies(here, "")
    assert check.passed is False and "A in 59 of 59 choice questions" in check.detail
    assert constant_answers(here) == ["A in 59 of 59 choice questions"]
    shown = {(row.measure, row.where["place"]): row.estimate.value for row in place_rows("m", here)}
    assert shown["chosen place", "A"] == 1.0 and shown["place of the right option", "A"] == pytest.approx(
        1 / 3, abs=0.02
    )


@pytest.mark.parametrize(
    "chosen",
    [lambda index, right: right, lambda index, right: index % 3, lambda index, right: 0 if index % 5 else right],
)
def test_answers_that_vary_pass_and_a_favoured_place_is_reported(chosen):
    here = trials(chosen)
    assert varies(here, "").passed and not constant_answers(here)
    assert sum(
        row.estimate.value or 0 for row in place_rows("m", here) if row.measure == "chosen place"
    ) == pytest.approx(1)


def test_too_few_answers_or_none_recorded_cannot_be_told():
    assert varies(trials(lambda index, right: 0, n=9), "").passed is None
    assert varies(trials(lambda index, right: None), "").passed is None
    old = [
        dataclasses.replace(one, outcomes={"right": True, "kind": "fact", "level": 1}) for one in trials(lambda *_: 0)
    ]
    assert varies(old, "").passed is None


def test_one_word_for_every_open_question_is_named_too():
    said = [dataclasses.replace(one, outcomes={"answer": "42", "kind": "sum"}) for one in trials(lambda *_: 0)]
    assert "42 in 59 of 59 sum questions" in varies(said, "").detail


def test_the_simulated_world_of_confidence_fails_the_check_and_concludes_nothing():
    experiment = Confidence()
    found = experiment.analyze(experiment.simulate(1.0, 0, "answers_vary"))
    assert found.check("answers_vary").passed is False
    assert found.verdicts == {"simulated": "cannot tell"} and "a0 in" in found.answer
    assert experiment.analyze(experiment.simulate(1.0, 0)).check("answers_vary").passed


def test_a_place_is_that_of_the_option_answered():
    assert [place_of(ALWAYS_FIRST[0], answer) for answer in ("w0", "y0", "z", None)] == [0, 2, None, None]


@pytest.fixture
def always_a(monkeypatch):
    """Every text is the letter a, and ends."""

    def choose(self, mine, logits, log_p):
        letter = self.model.tokenizer.get_vocab()["a"]
        written = [letter, self.model.end_ids[0]]
        return torch.tensor([0 if row is None else written[min(row.index, 1)] for row in self.rows[mine]])

    monkeypatch.setattr(DecodingBatch, "_choose", choose)


def test_end_to_end_a_model_that_always_chooses_a(always_a, tmp_path):
    model = load("organism:base", device="cpu")
    own = materials_of(model.family)
    for name in ("topics.json", "wording.json"):
        (tmp_path / name).write_bytes((own.folder / name).read_bytes())
    lines = []
    for split in ("extract", "calibrate", "test"):
        for index in range(40):
            names = (f"the {'sea' if index % 2 else 'farm'}", f"the {'river' if index % 3 else 'city'}")
            lines.append(
                {
                    "id": f"{split} {index}",
                    "kind": "choice",
                    "group": f"{split} {index}",
                    "level": "1",
                    "split": split,
                    "text": f"{split} {index} : {names[0]} or {names[1]} ?",
                    "subject": "it",
                    "answer": names[0],
                    "options": list(names),
                    "answer_type": "option",
                }
            )
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    experiment = Confidence(fit=40, tune=40, test=40, samples=1, shuffles=1, room=4)
    found = experiment.analyze(list(experiment.trials(RunContext(model, Materials.load(tmp_path)))))
    check = found.check("answers_vary")
    assert check.passed is False and "A in 40 of 40 choice questions" in check.detail
    assert list(found.verdicts.values()) == ["cannot tell"] and "A in 40 of 40" in found.answer
    assert found.one("accuracy", model=model.name).value == 0.5
