"""`introlab saes` trains, goes on, shows, and says what cannot be done."""

import json

import pytest

SMALL = ("--questions", "6", "--each", "1", "--tokens", "12000", "--latents", "64", "--active", "4")
SMALL = (*SMALL, "--batch-size", "128", "--quiet", "--json")


def test_an_autoencoder_is_trained_and_shown(command):
    code, said, _ = command("saes", "train", "--out", "mine", *SMALL)
    assert code == 0
    facts = json.loads(said)
    assert facts["trained on"] > 500 and facts["held out"]["items"] >= 1
    assert command("saes", "train", "--out", "mine", *SMALL)[:2] == (0, said), "what is done is not done again"
    code, said, _ = command("saes", "show", "mine", "--questions", "4", "--each", "1")
    assert code == 0 and "loss recovered, over zero" in said and "resid_post[3]" in said
    code, said, _ = command("saes", "show", "mine", "--questions", "4", "--each", "1", "--json")
    rows = {row["measure"]: row["estimate"] for row in json.loads(said)["rows"]}
    assert 0 < rows["active latents a token (L0)"]["value"] < 16
    code, _, said = command("saes", "train", "--out", "mine", *SMALL, "--seed", "1")
    assert code == 2 and "another training" in said


def test_it_is_trained_on_texts_of_ones_own(command, tmp_path):
    lines = [
        {"id": f"{n}", "prompt": f"what is {n} + {n} ?", "completion": f"i think it is {n} .", "group": f"g{n % 5}"}
        for n in range(10)
    ]
    (tmp_path / "my.jsonl").write_text("\n".join(map(json.dumps, lines)))
    given = ("--texts", "my.jsonl", "--roles", "assistant", "--batch-size", "16", "--tokens", "160")
    code, said, _ = command("saes", "train", "--out", "mine", *given, "--latents", "32", "--quiet", "--json")
    facts = json.loads(said)
    assert code == 0 and facts["items"] + facts["held out"]["items"] == 5
    assert facts["trained on"] == 6 * 2 * facts["items"], "six words of the assistant in each, two texts a group"


@pytest.mark.parametrize(
    "given", [(), ("nonesuch",), ("show", "nonesuch"), ("train", "--out", "x", "--site", "resid_post[9]")]
)
def test_what_cannot_be_done_is_said(command, given):
    code, _, said = command("saes", *given)
    assert code == 2 and said.startswith("introlab: ")
