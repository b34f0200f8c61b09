"""Adapters that others trained: merged to peft's own logits, or refused by name."""

import json
import shutil
import warnings

import pytest
import torch
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_models import build
from transformers import AutoModelForCausalLM, AutoTokenizer

from introlab.errors import InputError
from introlab.network.lora import merged
from introlab.network.model import load

IDS = torch.tensor([[5, 17, 33, 8, 61, 90]])


def made(folder, *, tied=True, family="llama"):
    """A parent beside which adapters are saved; its embeddings are tied unless it is said otherwise."""
    place = build(family, folder / "parent")
    if tied:
        config = json.loads((place / "config.json").read_text())
        (place / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
        kept = {name: each for name, each in load_file(place / "model.safetensors").items() if "lm_head" not in name}
        save_file(kept, place / "model.safetensors", metadata={"format": "pt"})
    return place


def adapter(folder, config, *, grown=0, **saving):
    """An adapter with weights that matter, and peft's own logits with it."""
    network = AutoModelForCausalLM.from_pretrained(folder / "parent")
    if grown:
        network.resize_token_embeddings(network.config.vocab_size + grown, mean_resizing=False)
    adapted = get_peft_model(network, config)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(3)
        for name, weight in adapted.named_parameters():
            if "lora" in name or "modules_to_save" in name or "trainable_tokens" in name:
                weight += 0.3 * torch.randn(weight.shape, generator=generator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted.save_pretrained(folder / "adapter", **saving)
    stated = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    (folder / "adapter" / "adapter_config.json").write_text(
        json.dumps({**stated, "base_model_name_or_path": "../parent"})
    )
    with torch.inference_mode():
        return folder / "adapter", adapted.eval()(IDS).logits


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["lm_head"]},
        {"target_modules": ["embed_tokens"]},
        {"target_modules": ["embed_tokens", "lm_head", "q_proj"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
        {"target_modules": ["q_proj"], "trainable_token_indices": [5, 90]},
        {"target_modules": "all-linear", "use_dora": True},
    ],
    ids=str,
)
def test_tied_weights_take_what_peft_gives_each(settings, tmp_path):
    made(tmp_path)
    folder, expected = adapter(tmp_path, LoraConfig(r=4, lora_alpha=16, **settings))
    model = load(str(folder), device="cpu")
    logits = model.network(IDS).logits
    assert (logits - expected).abs().max() < 1e-4
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "parent")(IDS).logits
    assert (logits - plain).abs().max() > 0.1, "the adapter does something"
    bridged = model.through("bridge").forward(
        IDS, starts=torch.zeros(1, dtype=torch.long), positions=torch.arange(6)[None]
    )
    assert bridged is not None and (bridged - expected).abs().max() < 1e-3, "the bridge's copy keeps them apart"


def test_weights_that_stay_alike_stay_one(tmp_path):
    made(tmp_path)
    folder, _ = adapter(tmp_path, LoraConfig(r=4, target_modules=["q_proj"]))
    network = load(str(folder), device="cpu").network
    assert network.lm_head.weight is network.model.embed_tokens.weight


def test_a_merge_that_goes_astray_is_noticed(tmp_path, monkeypatch):
    """Planted fault: the copy is not made."""
    made(tmp_path)
    folder, _ = adapter(tmp_path, LoraConfig(r=4, lora_alpha=16, target_modules=["lm_head"]))
    monkeypatch.setattr("introlab.network.adapter_merge._untie", lambda _: None)
    with pytest.raises(InputError, match="not the same once it is merged"):
        load(str(folder), device="cpu")


def test_an_adapter_without_a_tokenizer_reads_with_its_parents(tmp_path):
    made(tmp_path)
    folder, _ = adapter(tmp_path, LoraConfig(r=4, target_modules=["q_proj"]))
    assert not list(folder.glob("tokenizer*"))
    model = load(str(folder), device="cpu")
    assert model.tokenizer.get_vocab() == AutoTokenizer.from_pretrained(tmp_path / "parent").get_vocab()
    assert model.chat.has_template


def test_a_grown_vocabulary(tmp_path):
    made(tmp_path)
    folder, expected = adapter(
        tmp_path, LoraConfig(r=4, target_modules=["q_proj"]), grown=3, save_embedding_layers=True
    )
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "parent")
    size = len(tokenizer)
    tokenizer.add_tokens(["new1", "new2", "new3"])
    tokenizer.save_pretrained(folder)
    model = load(str(folder), device="cpu")
    logits = model.network(IDS).logits
    assert logits.shape[-1] == size + 3 and (logits - expected).abs().max() < 1e-4


def test_a_grown_vocabulary_without_weights(tmp_path):
    made(tmp_path)
    folder, _ = adapter(tmp_path, LoraConfig(r=4, target_modules=["q_proj"]))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "parent")
    tokenizer.add_tokens(["new1"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(InputError, match="no weights"):
        load(str(folder), device="cpu")


@pytest.mark.parametrize(
    "config",
    [
        PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
        PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    ],
    ids=lambda config: config.peft_type.value,
)
def test_learned_prompts_are_refused_by_name(config, tmp_path):
    made(tmp_path)
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(tmp_path / "parent"), config)
    adapted.save_pretrained(tmp_path / "adapter")
    shutil.copy(tmp_path / "parent" / "tokenizer.json", tmp_path / "adapter")
    with pytest.raises(InputError, match=config.peft_type.value):
        merged(tmp_path / "adapter", dtype=torch.float32, device="cpu", trust_remote_code=False)
