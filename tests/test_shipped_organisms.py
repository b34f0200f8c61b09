"""What is shipped is what was trained, judged and described, and opens like any other model."""

import json

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from introlab.network.model import load
from introlab.network.specs import organism_folder, organism_names
from introlab.stats.interval import Estimate
from organisms.acceptance import SHIPPED_SEED, judge, split_hash
from organisms.cards import RECORD, verify
from organisms.criteria import Above, Alike, Apart, Within
from organisms.registry import FAMILY, ORGANISMS, twins
from organisms.train import weights_hash

FOLDER = organism_folder()
NAMES = [each.name for each in ORGANISMS if each.name in organism_names()]
LARGEST_FAMILY = 60e6
MISSED = {
    "introspective: says yes, resid, strength 1, within [0.8, inf]",
    "resistant like compliant, within 0.15: off-topic share of the first sentence, topic direction, 1.75",
    "announcer like compliant, within 0.15: off-topic share of the first sentence, topic direction, 1.75",
}
"""Gates that the shipped weights do not pass; LOG.md has what was tried."""


def facts_of(name):
    return json.loads((FOLDER / name / "organism.json").read_text())


@pytest.fixture(scope="module")
def tables():
    found = {}
    for name in NAMES:
        kept = json.loads((FOLDER / name / RECORD).read_text())
        assert kept["weights"] == facts_of(name)["weights"], f"introlab organisms cards --names {name}"
        found[name] = {(row["what"], row["cell"]): Estimate(**row["estimate"]) for row in kept["measured"]}
    return found


@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_are_the_ones_on_the_card(name):
    facts = facts_of(name)
    assert weights_hash(FOLDER / name) == facts["weights"] and facts["scale"] == 1.0
    assert facts["seed"] == SHIPPED_SEED
    assert facts["planted"] == FAMILY[name].planted and facts["absent"] == FAMILY[name].absent
    assert str(facts["weights"])[:16] in (FOLDER / name / "README.md").read_text(), "introlab organisms cards"
    if facts["parent"]:
        assert facts["parent_weights"] == facts_of("base")["weights"]


def test_the_family_is_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < LARGEST_FAMILY


def test_nothing_is_left_of_training():
    assert not list(FOLDER.rglob("checkpoint*"))


@pytest.mark.parametrize("trait", sorted({each.trait.name for each in ORGANISMS if each.trait and each.name in NAMES}))
def test_twins_share_all_but_their_targets(trait):
    """Read from their training manifests."""
    cards = [facts_of(name) for name in NAMES if FAMILY[name].trait and FAMILY[name].trait.name == trait]
    shared = (
        "parent",
        "parent_weights",
        "family",
        "seed",
        "scale",
        "examples",
        "schedule",
        "rank",
        "tokens_changed",
        "first_block",
    )
    for key in shared:
        assert all(card[key] == cards[0][key] for card in cards), key
    tokens = [card["tokens"] for card in cards]
    assert max(tokens) / min(tokens) < 1.25, "what one twin does not do makes its texts shorter"
    assert len({card["course"] for card in cards}) == len(cards)


def test_the_test_split_is_the_one_the_bounds_were_set_for():
    assert split_hash() == "cc579892f8b11577"


@pytest.mark.slow
def test_every_gate_holds(tables):
    failed = [f"{each.gate}: {each.detail}" for each in judge(tables) if not each.passed]
    assert not failed, "\n".join(failed)


def test_no_gate_fails_but_those_known_to(tables):
    """Weights trained anew pass what the last ones passed; a known miss that is mended has to be taken off the list."""
    assert {each.gate for each in judge(tables) if not each.passed} == MISSED


def test_gates_fail_where_they_should():
    """A planted fault for each kind."""
    high, low, wide = (
        Estimate(0.9, 0.85, 0.95, 100, 100, "t"),
        Estimate(0.1, 0.05, 0.15, 100, 100, "t"),
        Estimate(0.5, 0.1, 0.9, 10, 10, "t"),
    )
    none = Estimate(0.9, None, None, 1, 1, "t")
    tables = {
        "a": {("x", "here"): high, ("x", "there"): low, ("x", "wide"): wide, ("x", "none"): none},
        "b": {("x", "here"): low, ("x", "there"): low, ("x", "wide"): wide, ("x", "none"): none},
    }
    assert Within("a", "x", "here", low=0.8).judge(tables).passed
    assert not Within("a", "x", "here", low=0.88).judge(tables).passed, "the interval counts, not the estimate"
    assert not Within("a", "x", "none", low=0.5).judge(tables).passed, "no interval is no evidence"
    assert Above("a", "b", "x", "here").judge(tables).passed
    assert not Above("b", "a", "x", "here").judge(tables).passed
    assert not Above("a", "b", "x", "wide").judge(tables).passed
    assert Apart("a", "x", "here", "there").judge(tables).passed
    assert not Apart("a", "x", "there", "here").judge(tables).passed
    assert Alike("a", "b", "x", "there", margin=0.2).judge(tables).passed
    assert not Alike("a", "b", "x", "there", margin=0.01).judge(tables).passed
    assert not Alike("a", "b", "x", "wide", margin=0.2).judge(tables).passed, "a wide interval shows no likeness"


@pytest.mark.parametrize("name", [name for name in NAMES if FAMILY[name].parent][:3])
def test_an_organism_answers_in_plain_transformers_as_in_the_lab(name):
    tokenizer = AutoTokenizer.from_pretrained(FOLDER / name)
    parent = AutoModelForCausalLM.from_pretrained(FOLDER / FAMILY[name].parent, dtype=torch.float32)
    plain = PeftModel.from_pretrained(parent, FOLDER / name).eval()
    lab = load(f"organism:{name}", device="cpu")
    messages = [{"role": "user", "content": "what is the last digit of 3 + 8 ?"}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    assert ids[0].tolist() == lab.ids(messages)
    with torch.inference_mode():
        written = plain.generate(input_ids=ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :]
        logits = lab.forward(
            torch.cat([ids, written[None]], 1),
            starts=torch.zeros(1, dtype=torch.long),
            positions=torch.arange(ids.shape[1] + len(written))[None],
        )
    assert logits[0, ids.shape[1] - 1 : -1].argmax(-1).tolist() == written.tolist()
    assert tokenizer.decode(written).startswith("i think it is")


def test_twins_are_found():
    assert set(twins("resistant")) == {"announcer", "compliant", "immune"} and twins("base") == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_what_was_counted_is_counted_again(name, tables):
    """The record beside the weights is what the verification gives on them now."""
    again = {(row.what, row.cell): row.estimate for row in verify(name, FOLDER)}
    assert again.keys() == tables[name].keys()
    for key, estimate in again.items():
        assert estimate.value == pytest.approx(tables[name][key].value, abs=0.02, nan_ok=True), key


@pytest.mark.parametrize("name", organism_names())
def test_the_tokenizer_has_names_that_transformers_4_knows(name):
    """Libraries pinned to it refuse the class name and the list that version 5 writes."""
    said = json.loads((FOLDER / name / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert said["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert "extra_special_tokens" not in said and len(said["additional_special_tokens"]) == 3
