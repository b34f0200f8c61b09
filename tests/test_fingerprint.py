"""Whatever changes a number of a forward pass changes the fingerprint; nothing else does."""

import json
import shutil

import pytest
import tiny_families
import torch
from tiny_models import build

from introlab.activations.collect import Reading, Sample, collect
from introlab.activations.forward import Text
from introlab.errors import ModelMismatch
from introlab.network.fingerprint import fingerprint_of, settings_of
from introlab.network.model import load
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.network.specs import organism_folder, organism_names

SHIPPED = {"base": "dc45551f9be4ed74", "abstaining": "1e439b19422b729f", "blind": "4a3d2bff9e6a3494"}
"""In float32, as artefacts that were fitted before settings counted carry them."""
YARN = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0, "original_max_position_embeddings": 32}


def edited(source, folder, **settings):
    """The same weights with other settings."""
    shutil.copytree(source, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **settings}))
    (folder / "SHA256SUMS").unlink(missing_ok=True)  # it would be refused as another file than was written
    return load(str(folder), device="cpu")


@pytest.mark.parametrize("name", SHIPPED)
def test_what_was_fitted_on_organisms_still_matches(name, organism):
    assert organism(name).fingerprint == SHIPPED[name]


def test_all_organisms_have_the_settings_that_add_nothing(organism):
    assert {settings_of(organism(name).network) for name in organism_names()} == {settings_of(organism("base").network)}


def test_an_organism_with_other_settings_is_another_model(organism, tmp_path):
    changed = edited(organism_folder() / "base", tmp_path / "base", rms_norm_eps=1e-3)
    assert changed.fingerprint != organism("base").fingerprint


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("llama", {"rope_parameters": YARN}),
        ("llama", {"rms_norm_eps": 1e-3}),
        ("gemma2", {"final_logit_softcapping": 5.0}),
        ("gemma2", {"attn_logit_softcapping": None}),
        ("gemma2", {"sliding_window": 8}),
        ("gemma2", {"query_pre_attn_scalar": 32}),
        ("mistral", {"sliding_window": None}),
        ("granite", {"residual_multiplier": 0.5}),
        ("granite", {"logits_scaling": 1.0}),
    ],
)
def test_a_setting_that_matters(family, settings, tmp_path):
    make = tiny_families.build if family in tiny_families.FAMILIES else build
    place = make(family, tmp_path / "plain")
    assert edited(place, tmp_path / "edited", **settings).fingerprint != load(str(place), device="cpu").fingerprint


def test_alibi_matters_though_it_cannot_be_loaded(tmp_path):
    place = tiny_families.build("falcon", tmp_path / "plain")
    without, with_it = (_print_of(place, tmp_path / str(each), {"alibi": each}) for each in (False, True))
    assert without != with_it


def _print_of(source, folder, settings):
    from transformers import AutoModelForCausalLM

    shutil.copytree(source, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **settings}))
    (folder / "SHA256SUMS").unlink(missing_ok=True)  # it would be refused as another file than was written
    return fingerprint_of(AutoModelForCausalLM.from_pretrained(folder))


def test_what_changes_no_number_is_left_out(tmp_path):
    """Positive control of the above: names, dropout, special tokens, a setting stated at its usual value."""
    place = build("llama", tmp_path / "plain")
    same = edited(
        place,
        tmp_path / "same",
        transformers_version="4.40.0",
        initializer_range=0.5,
        attention_dropout=0.2,
        eos_token_id=[3, 1],
        use_cache=False,
        attention_bias=False,
        max_position_embeddings=128,
    )
    assert same.fingerprint == load(str(place), device="cpu").fingerprint


def test_buffers_that_are_saved_count(tmp_path):
    place = tiny_families.build("deepseek_v3", tmp_path / "plain")
    network = load(str(place), device="cpu").network
    before = fingerprint_of(network)
    name, bias = next((n, b) for n, b in network.named_buffers() if "correction_bias" in n)
    assert name in network.state_dict()
    bias.copy_(torch.ones_like(bias))
    assert fingerprint_of(network) != before


def test_a_store_is_not_read_with_other_settings(tmp_path):
    place = build("gemma2", tmp_path / "plain")
    asked = [Reading(Site(1), Span.all(), "last")], tmp_path / "store"
    samples = [Sample(Text((2, 5, 9, 12), 4, "one"))]
    collect(load(str(place), device="cpu"), samples, *asked)
    with pytest.raises(ModelMismatch, match="something else"):
        collect(edited(place, tmp_path / "edited", attn_logit_softcapping=1.0), samples, *asked)
