"""Autoencoders are opened as sae-lens opens them, whoever wrote them, and say where they do not belong."""

import copy
import json
import pickle
import warnings
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from sae_lens import (
    SAE,
    GatedSAE,
    GatedSAEConfig,
    JumpReLUSAE,
    JumpReLUSAEConfig,
    StandardSAE,
    StandardSAEConfig,
    TopKSAE,
    TopKSAEConfig,
    Transcoder,
    TranscoderConfig,
)
from safetensors.torch import save_file

from introlab.activations.extract import read
from introlab.activations.forward import Text
from introlab.errors import InputError, ModelMismatch
from introlab.network.sites import STREAMS, Site
from probes.sae.model import LINEAGE, Sae

WIDTH, LATENTS, SITE = 128, 40, Site(1)
KINDS = {
    "standard": (StandardSAE, StandardSAEConfig, {}),
    "topk": (TopKSAE, TopKSAEConfig, {"k": 5}),
    "jumprelu": (JumpReLUSAE, JumpReLUSAEConfig, {}),
    "gated": (GatedSAE, GatedSAEConfig, {}),
}


def written(folder, kind="standard", *, width=WIDTH, hook=SITE.hook_name, metadata=(), **more):
    """A random autoencoder as sae-lens writes it."""
    made, config, own = KINDS[kind]
    draw = torch.Generator().manual_seed(0)
    sae = made(config(d_in=width, d_sae=LATENTS, **own, **more))
    for parameter in sae.parameters():
        parameter.data.normal_(0, 0.3, generator=draw)
    for name, value in {"hook_name": hook, "model_name": "organism:base", **dict(metadata)}.items():
        setattr(sae.cfg.metadata, name, value)
    sae.save_model(folder)
    return folder


@pytest.fixture
def values():
    return torch.randn(30, WIDTH, generator=torch.Generator().manual_seed(1))


def quietly(spec, model, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Sae.load(str(spec), model=model, **more)


@pytest.mark.parametrize("normalised", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("subtracts", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_latents_and_reconstructions_are_those_of_sae_lens(organism, tmp_path, values, kind, normalised, subtracts):
    folder = written(tmp_path, kind, normalize_activations=normalised, apply_b_dec_to_input=subtracts)
    theirs, ours = SAE.load_from_disk(folder).eval(), quietly(folder, organism("base"))
    latents = theirs.encode(values)
    made, found = ours.reconstructed(values)
    assert torch.equal(found, latents) and torch.equal(made, theirs.decode(latents))
    assert ours.site == SITE and (ours.width, ours.latents) == (WIDTH, LATENTS) and not ours.sae.training


def test_latents_of_activations_are_those_of_their_values(organism, tmp_path):
    model = organism("base")
    sae = quietly(written(tmp_path), model)
    texts = [Text((2, 5, 40 + index, 60), 4, f"t{index}") for index in range(5)]
    there = read(model, texts, [SITE, Site(2)], [[3]] * 5)
    assert torch.equal(sae(there[SITE, 0]), SAE.load_from_disk(tmp_path).encode(there[SITE, 0].values))
    with pytest.raises(ModelMismatch, match=r"resid_post\[2\]"):
        sae(there[Site(2), 0])
    other = read(organism("reflective"), texts, [SITE], [[3]] * 5)[SITE, 0]
    with pytest.raises(ModelMismatch, match="load it for this model"):
        sae(other)


def by_hand(values, parts, threshold=None, *, centred=False):
    before = (values - parts["b_dec"] if centred else values) @ parts["W_enc"] + parts["b_enc"]
    active = before.relu() if threshold is None else before * (before > threshold)
    return active, active @ parts["W_dec"] + parts["b_dec"]


def drawn():
    draw = torch.Generator().manual_seed(2)
    shapes = {"W_enc": (WIDTH, LATENTS), "W_dec": (LATENTS, WIDTH), "b_enc": (LATENTS,), "b_dec": (WIDTH,)}
    parts = {name: torch.randn(*shape, generator=draw) * 0.3 for name, shape in shapes.items()}
    return {**parts, "threshold": torch.rand(LATENTS, generator=draw)}


def dictionary_learning(folder, parts):
    trainer = {"dict_class": "AutoEncoder", "layer": 1, "activation_dim": WIDTH, "dict_size": LATENTS}
    said = {"trainer": {**trainer, "lm_name": "organism:base"}, "buffer": {"ctx_len": 64}}
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(said))
    names = {"encoder.weight": "W_enc", "decoder.weight": "W_dec", "encoder.bias": "b_enc", "bias": "b_dec"}
    torch.save({name: parts[ours].T.contiguous() for name, ours in names.items()}, folder / "ae.pt")
    return by_hand, {"centred": True}


def gemma_scope(folder, parts):
    folder.mkdir(parents=True)
    arrays = {name.replace("W_", "w_"): tensor.numpy() for name, tensor in parts.items()}
    np.savez(folder / "params.npz", **arrays)
    return by_hand, {"threshold": parts["threshold"]}


def gemma_scope_2(folder, parts):
    folder.mkdir(parents=True)
    save_file({name.lower(): tensor for name, tensor in parts.items()}, folder / "params.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "jump_relu", "model_name": "organism:base"}))
    return by_hand, {"threshold": parts["threshold"]}


def sparsify(folder, parts):
    folder.mkdir(parents=True)
    said = {"d_in": WIDTH, "num_latents": LATENTS, "k": LATENTS, "expansion_factor": 1, "normalize_decoder": True}
    (folder / "cfg.json").write_text(json.dumps(said))
    names = {"encoder.weight": parts["W_enc"].T, "W_dec": parts["W_dec"].T, "encoder.bias": parts["b_enc"]}
    named = {**names, "b_dec": parts["b_dec"]}
    save_file({name: tensor.contiguous() for name, tensor in named.items()}, folder / "sae.safetensors")
    return by_hand, {}


FOREIGN = {
    "dictionary": dictionary_learning,
    "gemma-scope-2b-pt-res/layer_1/width_16k/average_l0_7": gemma_scope,
    "gemma-scope-2-1b-it/resid_post/layer_1_width_16k_l0_small": gemma_scope_2,
    "organism:base/layers.1": sparsify,
}


@pytest.mark.parametrize("place", FOREIGN)
def test_foreign_formats_on_disk_are_read(organism, tmp_path, values, place):
    """Against the formula of each format, written out; and nothing of sae-lens is left changed."""
    from sae_lens.loading import pretrained_sae_loaders as loaders

    parts, before = drawn(), loaders.hf_hub_download
    formula, how = FOREIGN[place](tmp_path / place, parts)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        sae = Sae.load(str(tmp_path / place), model=organism("base"))
    assert sae.site == SITE and loaders.hf_hub_download is before
    names = [str(each.message) for each in said if "was trained on" in str(each.message)]
    assert len(names) == ("gemma-scope-2b" in place), "whose model has another name, and both are said"
    assert all("gemma-2-2b" in text and "organism:base" in text for text in names)
    latents, made = formula(values, parts, **how)
    found = sae.reconstructed(values)
    assert torch.allclose(found[1], latents, atol=1e-5) and torch.allclose(found[0], made, atol=1e-4)


def test_a_pickle_is_not_opened(organism, tmp_path, monkeypatch):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    dictionary_learning(tmp_path / "sae", drawn())
    torch.save({"encoder.weight": Trap()}, tmp_path / "sae" / "ae.pt")
    with pytest.raises(InputError, match="could not be loaded"):
        Sae.load(str(tmp_path / "sae"), model=organism("base"))
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(InputError, match="unpickle"):
        Sae.load(str(tmp_path / "sae"), model=organism("base"))
    assert not (tmp_path / "sprung").exists()


def test_another_width_is_refused_with_both_names(organism, tmp_path):
    written(tmp_path, width=64, metadata={"model_name": "gpt2-tiny"})
    with pytest.raises(InputError) as refused:
        Sae.load(str(tmp_path), model=organism("base"))
    assert all(fact in str(refused.value) for fact in ("64", "gpt2-tiny", "128", "resid_post[1]", "organism:base"))


def test_another_site_or_model_of_the_width_is_warned_of_with_both_names(organism, tmp_path):
    base, reflective = organism("base"), organism("reflective")
    written(tmp_path, metadata={LINEAGE: base.fingerprint})
    assert quietly(tmp_path, base).site == SITE
    with pytest.warns(UserWarning, match="organism:base") as warned:
        assert Sae.load(str(tmp_path), model=base, site=Site(4)).site == Site(4)
    assert any("resid_post[1]" in str(each.message) and "resid_post[4]" in str(each.message) for each in warned)
    with pytest.warns(UserWarning, match="trained on organism:base .* read in organism:reflective"):
        assert Sae.load(str(tmp_path), model=reflective).model == reflective.fingerprint


def test_a_place_that_is_no_site_is_said(organism, tmp_path):
    written(tmp_path, hook="hook_embed")
    with pytest.raises(InputError, match=r"(?s)no site of the lab.*hook_embed.*site="):
        Sae.load(str(tmp_path), model=organism("base"))
    with pytest.warns(UserWarning, match="at hook_embed"):
        Sae.load(str(tmp_path), model=organism("base"), site=SITE)
    written(tmp_path, hook="blocks.9.hook_resid_post")
    with pytest.raises(InputError, match="no layer 9"):
        Sae.load(str(tmp_path), model=organism("base"))


def test_a_transcoder_is_refused(organism, tmp_path):
    Transcoder(TranscoderConfig(d_in=WIDTH, d_out=WIDTH, d_sae=LATENTS, apply_b_dec_to_input=False)).save_model(
        tmp_path
    )
    with pytest.raises(InputError, match="transcoder"):
        Sae.load(str(tmp_path), model=organism("base"))


def test_heads_lie_side_by_side(organism, tmp_path):
    """sae-lens gives such an autoencoder [head, d_head]; the lab's activations of z have all heads in one row."""
    model, at = organism("base"), Site(1, "z")
    written(tmp_path, hook=at.hook_name, reshape_activations="hook_z")
    sae, texts = quietly(tmp_path, model), [Text((2, 5, 40, 60), 4, "t")]
    there = read(model, texts, [at], [[3]])[at, 0]
    theirs = SAE.load_from_disk(tmp_path).encode(there.values.view(1, model.n_heads, -1))
    assert sae.site == at and torch.allclose(sae(there), theirs, atol=1e-6)
    written(tmp_path, width=32, hook=at.hook_name, metadata={"hook_head_index": 2})
    assert quietly(tmp_path, model).site == Site(1, "z", 2)


def test_a_scale_that_is_lost_is_warned_of(organism, tmp_path):
    written(tmp_path, normalize_activations="expected_average_only_in")
    with pytest.warns(UserWarning, match="the scale is not in its file"):
        Sae.load(str(tmp_path), model=organism("base"))


@pytest.mark.parametrize(
    "spec",
    ["nonesuch", "nonesuch:3", "gemma-scope-2b-pt-res-canonical:nonesuch", "organism:nonesuch", "organism:blind"],
)
def test_what_is_not_there_is_said(organism, spec):
    with pytest.raises(InputError, match="allowed"):
        Sae.load(spec, model=organism("base"))


def test_a_folder_that_holds_none_or_a_broken_one_is_said(organism, tmp_path):
    with pytest.raises(InputError, match="no autoencoder in the folder"):
        Sae.load(str(tmp_path), model=organism("base"))
    written(tmp_path)
    (tmp_path / "sae_weights.safetensors").write_bytes(b"broken")
    with pytest.raises(InputError, match="could not be loaded"):
        Sae.load(str(tmp_path), model=organism("base"))


@pytest.mark.parametrize("stream", STREAMS)
def test_hook_names_are_read_as_they_are_written(stream):
    assert Site.of_hook(Site(7, stream).hook_name) == Site(7, stream)


@pytest.mark.parametrize(
    "name", ["hook_embed", "blocks.1.attn.hook_q", "blocks.1.hook_z", "blocks.1.attn.hook_resid_post", ""]
)
def test_other_hook_names_are_no_sites(name):
    assert Site.of_hook(name) is None


@pytest.mark.parametrize("kind", KINDS)
def test_one_can_be_sent_to_a_worker(organism, tmp_path, values, kind):
    sae = quietly(written(tmp_path, kind, normalize_activations="layer_norm"), organism("base"))
    again = pickle.loads(bytes(ForkingPickler.dumps(sae.sae)))
    assert torch.equal(again.encode(values), sae.sae.encode(values)) and not again.training
    assert torch.equal(copy.deepcopy(sae.sae).encode(values), sae.sae.encode(values))


def test_what_a_latent_writes_is_a_direction(organism, tmp_path):
    model = organism("base")
    sae = quietly(written(tmp_path / "plain"), model)
    found, row = sae.written_by(7, model), sae.sae.W_dec[7].detach()
    assert torch.allclose(found.vector * found.scale, row, atol=1e-5) and found.site == SITE
    found.check_model(model)
    with pytest.raises(InputError, match="without a direction"):
        sae.written_by(LATENTS, model)
    scaled = quietly(written(tmp_path / "scaled", normalize_activations="layer_norm"), model)
    with pytest.raises(InputError, match="without a direction"):
        scaled.written_by(7, model)


@pytest.mark.parametrize("stored", ["bfloat16", "float16"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_stored_in_half_precision(stored, dtype, organism, tmp_path):
    """Read, added and clamped in a model of either precision."""
    from steering.sae_edits import Latent

    made = StandardSAE(StandardSAEConfig(d_in=WIDTH, d_sae=LATENTS, dtype=stored))
    made.cfg.metadata.hook_name, made.cfg.metadata.model_name = SITE.hook_name, "organism:base"
    made.save_model(tmp_path / "sae")
    model = organism("base", dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sae = Sae.load(str(tmp_path / "sae"), model=model)
    text = Text((2, 5, 9, 12), 4, "one")
    found = sae(read(model, [text], [SITE], [[3]])[SITE, 0])
    assert found.dtype == torch.float32 and torch.isfinite(found).all()
    values = torch.randn(1, 2, WIDTH).to(model.dtype)
    for mode in ("add", "clamp", "zero"):
        change = Latent.stacked([Latent(sae.sae, 3, mode, 2.0)], values)
        changed = change(values, torch.ones(1, 2).to(values), torch.arange(2)[None])
        assert changed.dtype == model.dtype and torch.isfinite(changed).all()
    assert sae.reconstructed(values)[0].shape == values.shape


def test_an_organisms_autoencoder_stays_with_organisms(organism, family_folder, tmp_path):
    """Wherever its file lies: refused by a model of none of their family, of the same width."""
    from dataclasses import replace

    foreign = replace(organism("base"), name="a stranger", fingerprint="0" * 16, family=None)
    with pytest.raises(ModelMismatch, match="none of its family"):
        Sae.load("organism:base", model=foreign)
