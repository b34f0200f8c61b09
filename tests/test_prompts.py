"""Prompts that belong to an experiment: its own data, overridden entry by entry by a model's materials."""

import dataclasses
import json
from dataclasses import dataclass

import pytest

from experiments.confidence.prompts import ConfidencePrompts
from introlab.errors import InputError
from introlab.tasks.materials import materials_of
from introlab.tasks.prompts import prompts_of, setting


@dataclass(frozen=True, kw_only=True)
class Asked:
    greeting: str
    words: tuple[str, ...]
    pair: tuple[str, str]
    moods: dict[str, str]


WHOLE = {"greeting": "hello", "words": ["a", "b"], "pair": ["no", "yes"], "moods": {"calm": "be calm"}}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps(WHOLE))
    return path


def materials(**own):
    return dataclasses.replace(materials_of(None), own={"greetings": own})


def test_materials_word_what_they_name_and_leave_the_rest(file):
    found = prompts_of(Asked, file, materials(greeting="hi there", settings={"layer": 3}), "greetings")
    assert found == Asked(greeting="hi there", words=("a", "b"), pair=("no", "yes"), moods={"calm": "be calm"})
    assert prompts_of(Asked, file, materials(greeting="hi there"), "another").greeting == "hello"


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"greting": "hi"}, "greting"),
        ({"greeting": 3}, "another type"),
        ({"words": []}, "another type"),
        ({"words": "abc"}, "another type"),
        ({"pair": ["no", "yes", "maybe"]}, "another type"),
        ({"moods": {"calm": None}}, "another type"),
    ],
)
def test_what_an_experiment_does_not_ask_is_refused_by_name(file, own, said):
    with pytest.raises(InputError, match=said):
        prompts_of(Asked, file, materials(**own), "greetings")


def test_a_file_that_lacks_an_entry_is_refused(file):
    file.write_text(json.dumps({"greeting": "hello"}))
    with pytest.raises(InputError, match="moods"):
        prompts_of(Asked, file, materials(), "greetings")


def test_settings_are_what_the_user_left_open():
    assert setting(materials(settings={"layer": 3}), "greetings", "layer") == 3
    assert setting(materials(), "greetings", "layer") is None
    assert setting(materials_of("organisms"), "steering_resistance", "sae") == "organism:base"


def test_organisms_and_chat_models_are_asked_in_words_of_their_own():
    organism, general = (ConfidencePrompts.of(materials_of(family)) for family in ("organisms", None))
    assert organism.ask_after == "how sure are you ?" and general.ask_after.startswith("How sure are you")
