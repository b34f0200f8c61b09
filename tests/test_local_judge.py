"""A model as a judge: a network whose preference is planted, and plain arithmetic on random ones.

The shipped organisms cannot judge: here they show that the mechanism is deterministic and symmetric, and no more.
"""

import json
import math
from dataclasses import replace

import pytest
import tiny_models
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from introlab.errors import InputError
from introlab.judges.cache import judge_items
from introlab.judges.calibration import JudgeBelowFloor, calibrate
from introlab.judges.judgement import Missing, Verdict
from introlab.judges.local_model import ChoiceJudge, WritingJudge, label_forms
from introlab.judges.prompts import to_choose
from introlab.judges.rubric import Item, Rubric, Scale
from introlab.network.model import load

COLOUR = Rubric(
    name="colour",
    question="Is it that colour ?",
    labels={"yes": "it is", "no": "it is not"},
    evidence="The colour.",
    positive="yes",
)
TEMPLATE = (
    "{% for m in messages %}<s> {{ m['role'] }} {{ m['content'] }} </s>{% endfor %}"
    "{% if add_generation_prompt %}<s> assistant{% endif %}"
)
SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]


def planted(folder, vocabulary, biases, sees=None):
    """A network of one block that gives, after any text, each word of `biases` that logit and all others -20. Attention
    is even over the text: a word of `sees` in it raises the logit of `other` by `sees[word][other]` times about 11 over
    the number of tokens."""
    words = [*SPECIAL, *vocabulary]
    backend = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
    tokenizer.chat_template = TEMPLATE
    size, seen = 16, list(sees or {})
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=size, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, head_dim=size, max_position_embeddings=1024, tie_word_embeddings=False,
        bos_token_id=2, eos_token_id=3, pad_token_id=0, rms_norm_eps=1e-12,
    )  # fmt: skip
    network = LlamaForCausalLM(config)
    for name, weight in network.named_parameters():
        weight.data.fill_(1.0 if "norm" in name else 0.0)
    # Coordinate 0 is 1 for every word: after the last norm it is the constant that carries the biases.
    network.model.embed_tokens.weight.data[:, 0] = 1.0
    head = network.lm_head.weight.data
    scale = math.sqrt(size)  # a residual of (1, 0, ...) is scaled to (sqrt(size), 0, ...)
    head[:, 0] = -20.0 / scale
    for word, logit in biases.items():
        head[words.index(word), 0] = logit / scale
    attention = network.model.layers[0].self_attn
    for place, word in enumerate(seen, 1):
        network.model.embed_tokens.weight.data[words.index(word), place] = 1.0
        attention.v_proj.weight.data[place, place] = 1.0
        attention.o_proj.weight.data[place, place] = 1.0
        for other, slope in sees[word].items():
            head[words.index(other), place] = slope
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return load(str(folder), device="cpu")


def one_verdict(judge, rubric, text):
    ((_, verdict),) = judge(rubric, [Item(response=text)])
    return verdict


def shares(verdict):
    return json.loads(verdict.raw)


def test_a_planted_preference_is_read_to_the_digit(tmp_path):
    """P(yes) : P(no) is e^2 : e^1 whatever the text, and the rest of the vocabulary has about e^-20 each."""
    model = planted(tmp_path, ["yes", "no", "red", "text"], {"yes": 2.0, "no": 1.0})
    verdict = one_verdict(ChoiceJudge(model), COLOUR, "red text")
    assert verdict.value == "yes" and not verdict.quote
    found = shares(verdict)
    assert found["yes"] == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-4)
    assert found["probability on labels"] == pytest.approx(1, abs=1e-4)


def test_a_judge_that_looks_finds_the_word(tmp_path):
    """Attention carries a word of the text to the answer: right for texts with it and without."""
    model = planted(tmp_path, ["yes", "no", "red", "text"], {"yes": 0.0, "no": 1.0}, {"red": {"yes": 400.0}})
    judge = ChoiceJudge(model, batch_size=3)
    texts = {"text red text": "yes", "text text": "no", "red": "yes", "text": "no", "text text text red": "yes"}
    found = {item.response: verdict.value for item, verdict in judge(COLOUR, [Item(response=each) for each in texts])}
    assert found == texts


def test_variants_of_a_label_are_added_up(tmp_path):
    """`Yes` and `yes` are each less probable than `no`, together more."""
    model = planted(tmp_path, ["yes", "Yes", "no"], {"yes": 1.0, "Yes": 1.0, "no": 1.5})
    found = shares(one_verdict(ChoiceJudge(model), COLOUR, "text"))
    both = 2 * math.exp(1.0)
    assert found["yes"] == pytest.approx(both / (both + math.exp(1.5)), abs=1e-4)


def test_labels_of_several_tokens(tmp_path):
    """Every word is followed by the same distribution: a label of two words has the product."""
    rubric = replace(COLOUR, labels={"all red": "", "blue": ""}, positive="blue")
    model = planted(tmp_path, ["all", "red", "blue"], {"all": 2.0, "red": 2.0, "blue": 1.0})
    total = 2 * math.exp(2.0) + math.exp(1.0)
    p_all_red, p_blue = (math.exp(2.0) / total) ** 2, math.exp(1.0) / total
    found = shares(one_verdict(ChoiceJudge(model), rubric, "text"))
    assert found["probability on labels"] == pytest.approx(p_all_red + p_blue, abs=1e-4)
    assert found["blue"] == pytest.approx(p_blue / (p_all_red + p_blue), abs=1e-4)


def test_a_tie_and_a_model_that_talks_of_something_else_are_missing(tmp_path):
    tie = planted(tmp_path / "tie", ["yes", "no"], {"yes": 1.0, "no": 1.0})
    assert one_verdict(ChoiceJudge(tie), COLOUR, "text").missing is Missing.UNDECIDED
    other = planted(tmp_path / "other", ["yes", "no", "cheese"], {"yes": 1.0, "no": 0.0, "cheese": 4.0})
    assert one_verdict(ChoiceJudge(other), COLOUR, "text").missing is Missing.NOT_IN_KIND
    assert one_verdict(ChoiceJudge(other, least_mass=0.01), COLOUR, "text").value == "yes"


def test_a_scale_is_the_mean_over_digits(tmp_path):
    """Only 2 and 8 are probable, 3 : 1: the mean digit is 3.5 of 9."""
    rubric = replace(COLOUR, labels={}, scale=Scale(0, 90, "not", "wholly", 5), positive=50)
    model = planted(tmp_path, list("0123456789"), {"2": math.log(3), "8": 0.0})
    assert one_verdict(ChoiceJudge(model), rubric, "text").value == pytest.approx(35, abs=1e-3)


def test_labels_that_cannot_be_told_apart_are_refused(tmp_path):
    model = planted(tmp_path, ["yes", "no", "not"], {})
    with pytest.raises(InputError, match="begins another"):
        label_forms(model, ["no", "no yes"])
    with pytest.raises(InputError, match="no tokens for a label"):
        label_forms(model, ["yes", "unheard"])
    assert label_forms(model, ["no", "not"])


def test_a_text_too_long_is_missing_alone(tmp_path):
    model = planted(tmp_path, ["yes", "no", "text"], {"yes": 2.0})
    found = judge_items(ChoiceJudge(model), COLOUR, [Item(response="text " * 2000), Item(response="text")])
    assert found.missing == {"too long for the judge": 1}
    assert found.verdicts[Item(response="text")].value == "yes"
    assert judge_items(WritingJudge(model, max_new=8), COLOUR, [Item(response="text " * 2000)]).missing.total() == 1


def test_weights_that_are_not_finite_are_missing(tmp_path):
    model = planted(tmp_path, ["yes", "no"], {"yes": 2.0})
    model.network.lm_head.weight.data[0, 0] = math.nan
    assert one_verdict(ChoiceJudge(model), COLOUR, "text").missing is Missing.NOT_FINITE


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2", "gpt2"])
def test_the_average_over_orders_is_that_of_plain_transformers(tmp_path, family):
    """Random networks, whose answers depend on the order: each order by hand, and then the mean. `qwen2` needs several
    tokens a word, `gpt2` has no chat template."""
    model = load(str(tiny_models.build(family, tmp_path, context=512)), device="cpu")
    rubric, item = (
        replace(COLOUR, question="w1 ?", labels={"red": "w2", "blue": "w3"}, positive="red"),
        Item(response="w4 w5"),
    )
    forms = label_forms(model, ("red", "blue"))
    by_order = []
    for order in (("red", "blue"), ("blue", "red")):
        prompt = model.ids(to_choose(rubric, item, order))
        p = {}
        for label, ways in forms.items():
            p[label] = 0.0
            for form in ways:
                with torch.no_grad():
                    log_p = model.network(torch.tensor([[*prompt, *form]])).logits[0].double().log_softmax(-1)
                p[label] += math.exp(sum(float(log_p[len(prompt) - 1 + n, token]) for n, token in enumerate(form)))
        by_order.append(p["red"] / (p["red"] + p["blue"]))
    found = shares(one_verdict(ChoiceJudge(model, least_mass=0.0), rubric, item.response))
    assert found["red"] == pytest.approx(sum(by_order) / 2, abs=5e-5)
    assert abs(by_order[0] - by_order[1]) > (
        0 if family == "qwen2" else 1e-3
    )  # which is sure of itself in either order


def test_the_order_in_which_labels_are_listed_changes_nothing(organism):
    """The base organism is no judge - it has hardly any probability on the labels - but what it gives is symmetric."""
    model = organism("base")
    labels = {"yes": "it is", "no": "it is not", "unsure": "cannot tell"}
    rubric = replace(COLOUR, labels=labels)
    turned = replace(COLOUR, labels=dict([*list(labels.items())[1:], *list(labels.items())[:1]]))
    texts = [Item(response=text) for text in ("the king rules .", "i think it is red .", "the cook stirs the dough .")]
    found, other = (dict(ChoiceJudge(model, least_mass=0.0)(each, texts)) for each in (rubric, turned))
    for item in texts:
        assert found[item].value == other[item].value
        one, two = shares(found[item]), shares(other[item])
        assert {name: one[name] for name in labels} == pytest.approx({name: two[name] for name in labels}, abs=2e-4)
    again = dict(ChoiceJudge(model, batch_size=1, least_mass=0.0)(rubric, texts[::-1]))
    assert all(again[item].value == found[item].value for item in texts)


def test_an_organism_is_stopped_by_its_calibration(organism):
    """It is not made to judge. That its calibration says so is what is shown here."""
    rubric = Rubric.load("announces_interference")
    for judge in (ChoiceJudge(organism("base")), WritingJudge(organism("base"), max_new=16)):
        with pytest.raises(JudgeBelowFloor, match="organism:base"):
            calibrate(judge, rubric, "organism").check()


def test_what_a_model_writes_is_read_like_a_hosted_reply(monkeypatch, organism):
    """The base organism writes what it writes; its words are replaced by a judge's."""
    model = organism("base")
    judge = WritingJudge(model, max_new=16)
    assert one_verdict(judge, COLOUR, "it is red .").missing in (Missing.UNREADABLE, Missing.CUT_OFF)
    monkeypatch.setattr(type(model), "text", lambda self, ids: '{"evidence": "red", "answer": "yes"}')
    assert one_verdict(judge, COLOUR, "it is red .") == Verdict(
        value="yes", quote="red", start=6, raw='{"evidence": "red", "answer": "yes"}'
    )
