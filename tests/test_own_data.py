"""Reading, fitting and steering on the user's own texts."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from experiments.__main__ import WRONG_INPUT
from introlab.activations.directions import Direction

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
