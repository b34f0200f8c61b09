"""Any spec loads to the same network Hugging Face would run, or fails with one clear message."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from tiny_models import FAMILIES, build
from transformers import AutoModelForCausalLM

from introlab.errors import ContextOverflow, InputError
from introlab.network.kv_cache import RowCache
from introlab.network.model import load
from introlab.network.sites import STREAMS, Site
from introlab.network.specs import organism_folder, organism_names


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("path", ["direct", "bridge"])
def test_logits_equal_hugging_face(path, family, family_folder, family_model):
    model = family_model(family).through(path)
    reference = AutoModelForCausalLM.from_pretrained(family_folder(family), attn_implementation="eager").eval()
    ids = torch.randint(4, 90, (3, 20), generator=torch.Generator().manual_seed(0))
    logits = model.forward(ids, starts=torch.zeros(3, dtype=torch.long), positions=torch.arange(20).expand(3, 20))
    with torch.inference_mode():
        expected = reference(ids).logits
    assert (logits - expected).abs().max() < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("path", ["direct", "bridge"])
def test_padded_and_cached_steps_equal_one_pass_of_each_text(path, family, family_model):
    """Texts of 20, 14 and 7 tokens that end in the same column, read in three pieces; the window of the family that has
    one is 16."""
    model, lengths = family_model(family).through(path), (20, 14, 7)
    ids = torch.randint(4, 90, (3, 20), generator=torch.Generator().manual_seed(1))
    starts = torch.tensor([20 - length for length in lengths])
    positions = (torch.arange(20) - starts[:, None]).clamp_min(0)
    cache, pieces = RowCache(model.n_layers, 3, 30), []
    for start, stop in ((0, 12), (12, 19), (19, 20)):
        part = slice(start, stop)
        pieces.append(model.forward(ids[:, part], starts=starts, positions=positions[:, part], cache=cache))
        cache.column = stop
    together = torch.cat(pieces, dim=1)
    for row, length in enumerate(lengths):
        alone = model.forward(
            ids[row : row + 1, 20 - length :],
            starts=torch.zeros(1, dtype=torch.long),
            positions=torch.arange(length)[None],
        )
        assert (together[row, 20 - length :] - alone[0]).abs().max() < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_two_paths_see_the_same_activations(family, family_folder):
    """At every site either can reach, with the same attention: to 1e-5, relative."""
    model = load(str(family_folder(family)), attention="eager")
    ids, found = torch.randint(4, 90, (2, 12), generator=torch.Generator().manual_seed(2)), []
    for path in ("direct", "bridge"):
        way, seen = model.through(path), {}
        sites = [Site(layer, stream) for layer in range(3) for stream in STREAMS if way.path.has(Site(layer, stream))]
        sites += [Site(1, "z", 2)]

        def keep(site, seen=seen):
            return lambda values: seen.update({site: values.clone()})

        with way.hooked([(site, keep(site)) for site in sites]):
            way.forward(ids, starts=torch.zeros(2, dtype=torch.long), positions=torch.arange(12).expand(2, 12))
        found.append(seen)
    direct, bridge = found
    assert set(direct) == set(bridge) and Site(2, "z") in direct
    for site, values in direct.items():
        assert (values - bridge[site]).norm() <= 1e-5 * values.norm(), site


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("organism:nobody", "unknown organism"),
        ("./no/such/folder", "no model folder"),
        ("/nowhere/at/all", "no model folder"),
        ("nobody/not-a-model-of-the-hub", "could not be loaded"),
    ],
)
def test_a_spec_that_names_nothing(spec, says):
    with pytest.raises(InputError, match=says) as caught:
        load(spec)
    assert "allowed:" in str(caught.value)


def test_a_folder_that_is_not_a_model(tmp_path):
    with pytest.raises(InputError, match="not a model"):
        load(str(tmp_path))


def test_a_broken_model_folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="could not be loaded"):
        load(str(tmp_path))


def test_a_folder_with_weights_cut_short(family_folder, tmp_path):
    """A download that stopped half way."""
    shutil.copytree(family_folder("llama"), tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="could not be loaded"):
        load(str(tmp_path / "cut"))


def test_an_adapter_whose_parent_is_gone(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "../nobody"}')
    shutil.copy(organism_folder() / "base" / "tokenizer.json", tmp_path)
    shutil.copy(organism_folder() / "base" / "tokenizer_config.json", tmp_path)
    with pytest.raises(InputError, match="parent is not there") as caught:
        load(str(tmp_path))
    assert "do:" in str(caught.value)


def test_unknown_dtype():
    with pytest.raises(InputError, match="unknown dtype"):
        load("organism:base", dtype="int3")


@pytest.mark.parametrize("path", ["direct", "bridge"])
def test_nothing_stays_hooked_after_an_error(path, family_model):
    model = family_model("llama").through(path)
    ids = torch.arange(4, 10)[None]

    def forward():
        return model.forward(ids, starts=torch.zeros(1, dtype=torch.long), positions=torch.arange(6)[None])

    before = forward()

    def explode(values):
        raise RuntimeError("inside a hook")

    with pytest.raises(RuntimeError, match="inside a hook"), model.hooked([(Site(1), explode)]):
        forward()
    assert torch.equal(forward(), before)
    assert not any(point.fwd_hooks for point in model.bridge.bridge.hook_dict.values())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.network.modules())


def test_fingerprint_tells_weights_and_dtype_apart(tmp_path):
    one = build("llama", tmp_path / "one", seed=1)
    other = build("llama", tmp_path / "other", seed=2)
    prints = [
        load(str(one)).fingerprint,
        load(str(one)).fingerprint,
        load(str(other)).fingerprint,
        load(str(one), dtype="float64").fingerprint,
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_unknown_layer_and_site(family_model):
    model = family_model("neox")
    with pytest.raises(InputError, match="no layer 7"):
        model.check_site(Site(7))
    with pytest.raises(InputError, match="read but not written"):
        family_model("llama").check_site(Site(0, "resid_mid"), write=True)


def test_a_prompt_longer_than_the_context(family_model):
    model = family_model("llama")
    with pytest.raises(ContextOverflow, match="does not fit"):
        model.ids([{"role": "user", "content": "w1 " * 200}])


def test_organisms_load_offline_and_share_a_family(organism):
    families = {organism(name).family for name in organism_names()}
    assert len(families) == 1 and None not in families


def test_organism_opens_in_plain_transformers_and_answers_the_same(organism):
    model = organism("base")
    reference = AutoModelForCausalLM.from_pretrained(model.folder, dtype=torch.float32)
    ids = torch.tensor([model.ids([{"role": "user", "content": "what is the last digit of 3 + 8 ?"}])])
    written = reference.generate(ids, max_new_tokens=10, do_sample=False)[0, ids.shape[1] :].tolist()
    from introlab.generation.requests import Request
    from introlab.generation.sampling import GREEDY
    from introlab.generation.scheduler import generate

    ((_, generation),) = generate(model, [Request(tuple(ids[0].tolist()), "one", max_new=10, sampling=GREEDY)], seed=0)
    assert list(generation.tokens) == written[: len(generation.tokens)]


@pytest.mark.network
def test_a_hub_model_loads():
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        pytest.skip("needs the hub: run with HF_HUB_OFFLINE=0")
    assert load("sshleifer/tiny-gpt2").n_layers == 2


def test_hub_spec_reaches_the_real_loader(monkeypatch):
    """A hub id goes to transformers unchanged, without remote code."""
    seen = {}

    def from_pretrained(name, **kwargs):
        seen.update(name=name, **kwargs)
        raise OSError("offline")

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", from_pretrained)
    monkeypatch.setattr("introlab.network.model.hub_source", lambda spec, revision: spec)  # it is reached
    with pytest.raises(InputError, match="could not be loaded"):
        load("Qwen/Qwen3-0.6B", revision="abc")
    assert seen == {"name": "Qwen/Qwen3-0.6B", "revision": "abc", "trust_remote_code": False}


def test_path_with_a_space(tmp_path):
    folder = build("gpt2", Path(tmp_path) / "a folder")
    assert load(str(folder)).n_layers == 3
