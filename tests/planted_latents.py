"""Activations made of known sparse features, models with coordinates written by hand, and autoencoders of both."""

import torch
from sae_lens import StandardSAE, StandardSAEConfig

from introlab.activations.extract import Activations
from introlab.activations.forward import Text
from introlab.network.model import load
from introlab.network.sites import Site
from probes.sae.latent_probes import Pooled, scrambled
from probes.sae.model import Sae

SITE = Site(1)
WIDTH = 48
BIAS = 0.5


def directions(count=WIDTH, *, seed=0):
    """Orthonormal rows."""
    draw = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=draw))[0][:count]


def autoencoder(rows):
    """A latent for each row: how far beyond BIAS the activation goes along it."""
    sae = StandardSAE(StandardSAEConfig(d_in=WIDTH, d_sae=len(rows), apply_b_dec_to_input=False))
    with torch.no_grad():
        sae.W_enc.copy_(rows.T)
        sae.W_dec.copy_(rows)
        sae.b_enc.fill_(-BIAS)
        sae.b_dec.zero_()
    return Sae(sae.eval().requires_grad_(False), SITE, "planted", "made")


def features(count, *, share=0.15, seed=0):
    """[row, WIDTH] sparse features: 0, or from 2 to 4."""
    draw = torch.Generator().manual_seed(seed)
    there = torch.rand(count, WIDTH, generator=draw) < share
    return there * (2 + 2 * torch.rand(count, WIDTH, generator=draw))


def read(values, sae, *, noise=0.15, seed=0):
    """What `pooled` gives, of residuals that are made and not read."""
    noisy = values + noise * torch.randn(values.shape, generator=torch.Generator().manual_seed(seed))
    dense = Activations(noisy, SITE, "made", tuple(map(str, range(len(values)))))
    return Pooled(dense, sae(dense), scrambled(sae)(dense))


def written_model(folder, family_folder, coordinates):
    """A tiny Llama in which coordinate `index` of the residual is `value` at every occurrence of a token, through all
    blocks, and 0 elsewhere: `coordinates[token] = {index: value}`."""
    model = load(str(family_folder("llama")), device="cpu")
    taken = sorted({index for written in coordinates.values() for index in written})
    with torch.no_grad():
        embedding = model.network.model.embed_tokens.weight
        embedding[:, taken] = 0.0
        for token, written in coordinates.items():
            for index, value in written.items():
                embedding[token, index] = value
        for block in model.network.model.layers:
            block.self_attn.o_proj.weight[taken] = 0.0
            block.mlp.down_proj.weight[taken] = 0.0
    model.network.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return load(str(folder), device="cpu")


def coordinate_reader(model, taken):
    """An autoencoder whose latents are these coordinates, one for one, and then noise."""
    width, draw = model.d_model, torch.Generator().manual_seed(0)
    sae = StandardSAE(StandardSAEConfig(d_in=width, d_sae=len(taken) + 20, apply_b_dec_to_input=False))
    rows = torch.randn(len(taken) + 20, width, generator=draw) / width**0.5
    rows[:, taken] = 0.0
    for at, index in enumerate(taken):
        rows[at] = torch.eye(width)[index]
    with torch.no_grad():
        sae.W_enc.copy_(rows.T)
        sae.W_dec.copy_(rows)
        sae.b_enc.zero_()
        sae.b_dec.zero_()
    sae.cfg.metadata.hook_name = SITE.hook_name
    return Sae(sae.eval().requires_grad_(False), SITE, "coordinates", model.fingerprint)


def random_texts(count, *, prompt=4, length=16, vocabulary=(10, 60), seed=0):
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(*vocabulary, (count, prompt + length), generator=draw).tolist()
    return [Text(tuple(each), prompt, f"text {seed} {row}") for row, each in enumerate(ids)]
