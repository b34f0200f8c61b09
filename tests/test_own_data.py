"""Reading, fitting and steering on the user's own texts."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

import experiments.cli.own_texts as own
from experiments.__main__ import WRONG_INPUT
from experiments.cli.loading import LoadsModel
from introlab.activations.directions import Direction
from introlab.tasks.text_files import read_texts

TEXTS = [
    {"id": f"{topic} {index}", "prompt": f"{verb} the {topic} .", "label": topic == "sea", "group": f"{topic} {index}"}
    for topic in ("sea", "farm")
    for index, verb in enumerate(
        (
            "tell me about",
            "describe",
            "explain",
            "please tell me about",
            "what do you know about",
            "talk about",
            "can you explain",
            "i like",
        )
    )
]


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, TEXTS)) + "\n")


def test_read_fit_and_steer_on_your_own_texts(command, texts, tmp_path):
    assert command("read", "--texts", "t.jsonl", "--out", "a.safetensors", "--site", "resid_post[2]")[0] == 0
    assert load_file(tmp_path / "a.safetensors")["values"].shape == (16, 128)
    code, out, _ = command("fit", "--texts", "t.jsonl", "--out", "d.safetensors", "--json")
    assert code == 0 and json.loads(out)["held_out_auroc"]
    code, out, _ = command(
        "steer",
        "--texts",
        "t.jsonl",
        "--direction",
        "d.safetensors",
        "--out",
        "s.jsonl",
        "--max-new",
        "6",
        "--strength",
        "1.5",
    )
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert code == 0 and {line["condition"] for line in lines} == {"baseline", "push", "random_direction"}
    assert all(bool(line["receipts"]) == (line["condition"] != "baseline") for line in lines)


def test_a_direction_of_another_model_is_refused(command, texts):
    assert command("fit", "--texts", "t.jsonl", "--out", "d.safetensors")[0] == 0
    steer = (
        "steer",
        "--texts",
        "t.jsonl",
        "--direction",
        "d.safetensors",
        "--model",
        "organism:base",
        "--max-new",
        "4",
    )
    code, _, err = command(*steer, "--out", "s.jsonl")
    assert code == WRONG_INPUT and "another model" in err and "transfer" in err
    assert command(*steer, "--out", "s.jsonl", "--transfer")[0] == 0
    line = json.loads(Path("s.jsonl").read_text().splitlines()[0])
    assert line["fitted_on"] == Direction.load(Path("d.safetensors")).model != line["model"]


def test_logistic_directions_too(command, texts):
    assert command("fit", "--texts", "t.jsonl", "--out", "d.safetensors", "--method", "logistic")[0] == 0


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (['{"id": "1"}'], "line 1"),
        (["{"], "line 1"),
        ([""], "no texts"),
        (['{"id": "1", "prompt": "a"}', '{"id": "1", "prompt": "b"}'], "one id"),
        (['{"id": "1", "prompt": "a", "label": "yes"}'], "neither true nor false"),
        (
            [
                '{"id": "1", "prompt": "%s", "label": true}' % ("hello " * 300),
                '{"id": "2", "prompt": "hello", "label": false}',
            ],
            "does not fit",
        ),
        (['{"id": "1", "prompt": "a"}'], "without a label"),
        (['{"id": "1", "prompt": "a", "label": true}'], "one class"),
    ],
)
def test_texts_that_cannot_be_fitted_on(command, tmp_path, lines, says):
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
    code, _, err = command("fit", "--texts", "t.jsonl", "--out", "d.safetensors")
    assert code == WRONG_INPUT and says in err and not (tmp_path / "d.safetensors").exists()


def test_nothing_is_overwritten(command, texts, tmp_path):
    (tmp_path / "kept").write_text("mine")
    code, _, err = command("read", "--texts", "t.jsonl", "--out", "kept")
    assert code == WRONG_INPUT and "already" in err and (tmp_path / "kept").read_text() == "mine"


def labelled_lines(topics, verbs):
    return [
        {"id": str(n), "prompt": f"{verb} the {topic} .", "label": topic == topics[0], "group": f"{topic} {n}"}
        for n, (topic, verb) in enumerate((topic, verb) for topic in topics for verb in verbs)
    ]


VERBS = ("tell me about", "describe", "explain", "talk about", "i like", "what do you know about")


def test_all_sites_are_read_in_one_pass_as_each_alone(command, texts, tmp_path, monkeypatch):
    calls, honest = [], own.read
    monkeypatch.setattr(own, "read", lambda *args, **more: calls.append(args[2]) or honest(*args, **more))
    code, out, _ = command("read", "--texts", "t.jsonl", "--out", "a.safetensors", "--site", "all", "--json")
    files = json.loads(out)["activations"]
    assert code == 0 and len(calls) == 1 and len(files) == len(calls[0]) > 2
    assert command("read", "--texts", "t.jsonl", "--out", "one.safetensors", "--site", "resid_post[2]")[0] == 0
    alone = load_file(tmp_path / "one.safetensors")["values"]
    assert (load_file(tmp_path / "a-resid_post-2.safetensors")["values"] == alone).all()
    code, _, err = command(
        "read", "--texts", "t.jsonl", "--out", "a.safetensors", "--site", "resid_post[0],resid_post[1]"
    )
    assert code == WRONG_INPUT and "already" in err


@pytest.mark.parametrize("site", ["everywhere", "", ",", "resid_post[1] resid_post[2]", "resid_post[1],nowhere"])
def test_sites_that_are_none_are_refused_before_a_model_is_loaded(command, texts, monkeypatch, site):
    monkeypatch.setattr(LoadsModel, "load", lambda self: pytest.fail("a model was loaded"))
    code, _, err = command("read", "--texts", "t.jsonl", "--out", "a.safetensors", "--site", site)
    assert code == WRONG_INPUT and "site" in err


def test_fit_over_all_sites_chooses_one_and_shows_each(command, texts):
    code, out, _ = command("fit", "--texts", "t.jsonl", "--out", "d.safetensors", "--site", "all", "--json")
    told = json.loads(out)
    assert code == 0 and told["site"] in told["held_out_auroc_by_site"] and len(told["held_out_auroc_by_site"]) > 2
    assert str(Direction.load(Path("d.safetensors")).site) == told["site"]


def test_a_direction_of_one_file_is_tested_on_another(command, tmp_path):
    for name, topics in (("a", ("sea", "farm")), ("b", ("river", "city"))):
        lines = labelled_lines(topics, VERBS)
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    code, out, _ = command("fit", "--train", "a.jsonl", "--test", "b.jsonl", "--out", "d.safetensors", "--json")
    told = json.loads(out)
    assert code == 0 and told["examples"] == told["tested_on"] == 12
    assert told["transfer_text_only_auroc"].startswith("0.5") and set(told["transfer_gain"]) == {"text only", "length"}
    assert len(Direction.load(Path("d.safetensors")).examples) == 12


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--train", "a.jsonl"), "--test None"),
        (("--train", "a.jsonl", "--test", "a.jsonl"), "fitted on and tested on"),
        (("--texts", "a.jsonl", "--test", "a.jsonl"), "not plain"),
        ((), "not plain"),
    ],
)
def test_files_that_cannot_be_fitted_and_tested_on(command, tmp_path, given, says):
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, labelled_lines(("sea", "farm"), VERBS))))
    code, _, err = command("fit", *given, "--out", "d.safetensors")
    assert code == WRONG_INPUT and says in err and not (tmp_path / "d.safetensors").exists()


def test_plain_words_are_read_line_by_line(command, tmp_path):
    (tmp_path / "t.txt").write_text("tell me about the sea .\r\n\nthe farm\u2028.\n", encoding="utf-8")
    assert command("read", "--texts", "t.txt", "--out", "a.safetensors", "--raw")[0] == 0
    assert load_file(tmp_path / "a.safetensors")["values"].shape[0] == 2
    found = read_texts(tmp_path / "t.txt")
    assert [one.id for one in found] == ["1", "3"] and found[0].words.strip() == "tell me about the sea ."
