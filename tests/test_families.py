"""The matrix of families: whatever the lab does with one is right, or refused by name; nothing is silently wrong."""

import copy

import pytest
import torch
from family_checks import CHECKS, results
from tiny_families import EVERY, build

from introlab.errors import InputError
from introlab.network.block_places import places
from introlab.network.model import load
from introlab.network.sites import Site

REFUSED = ("falcon_alibi", "qwen3_next", "mamba", "jamba", "falcon_h1", "llama4", "rwkv")
"""Attention that is none, biased by distance in a way that takes no mask per query, or in chunks."""
NO_BRIDGE = (
    *("cohere", "cohere2", "hunyuan"),  # TransformerLens computes something else
    *("falcon_two_norms", "phimoe", "minicpm3", "helium", "persimmon", "biogpt", "ministral", "dbrx"),
)
FEW = ("granite", "glm4", "cohere", "falcon", "bloom", "mpt", "opt", "deepseek_v3", "falcon_alibi", "rwkv")
"""Post-block norms, a residual multiplier, parallel halves, biases by distance, rows that run into one another, head
widths of their own, and two kinds that are refused."""
CASES = [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in EVERY]


@pytest.mark.parametrize("family", CASES)
@pytest.mark.filterwarnings("ignore")
def test_family(family, tmp_path):
    found = results(build(family, tmp_path / family))
    assert len(found) == len(CHECKS)
    if family in REFUSED:
        assert all(one.startswith("refused: ") for one in found.values()), found
        return
    bridged = found.pop("direct = bridge")
    assert bridged.startswith("refused: TransformerLens") if family in NO_BRIDGE else bridged == "", bridged
    assert set(found.values()) == {""}, found


def test_the_matrix_is_as_large_as_it_says():
    assert len(EVERY) - len(REFUSED) >= 25 and len(CHECKS) == 7


def test_refusals_name_the_family(tmp_path):
    with pytest.raises(InputError, match="FalconForCausalLM cannot be read in batches") as caught:
        load(str(build("falcon_alibi", tmp_path)), device="cpu")
    assert "families.md" in str(caught.value)


def test_head_widths_are_the_projections_own(tmp_path):
    """Four heads whose values are 6 wide, while keys are 12 and the model 32."""
    model = load(str(build("deepseek_v3", tmp_path)), device="cpu")
    assert model.width(Site(1, "z")) == 24 and model.width(Site(1, "z", 2)) == 6
    matrix = model.output_matrix(1)
    assert matrix is not None and matrix.shape == (4, 6, 32)


def test_a_multiplier_is_part_of_what_heads_add(tmp_path):
    """The residual gets .3 of what the projection returns: heads add up to `attn_out`, but for a bias."""
    model = load(str(build("granite", tmp_path)), device="cpu")
    seen = {}
    sites = [Site(1, "z"), Site(1, "attn_out")]
    with model.hooked([(site, lambda values, site=site: seen.update({site: values.clone()})) for site in sites]):
        model.forward(
            torch.tensor([[5, 9, 31, 60]]), starts=torch.zeros(1, dtype=torch.long), positions=torch.arange(4)[None]
        )
    heads = seen[sites[0]].unflatten(-1, (4, 8))
    added = torch.einsum("rphd,hdm->rpm", heads, model.output_matrix(1))
    assert torch.allclose(added, seen[sites[1]], atol=1e-5)


def test_no_heads_add_up_where_a_norm_follows(tmp_path):
    assert load(str(build("glm4", tmp_path)), device="cpu").output_matrix(1) is None


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("family", ["granite", "glm4", "bloom", "cohere"])
def test_the_same_places_in_half_precision(family, dtype, tmp_path):
    """Rounding does not hide which module is added, nor its multiplier."""
    folder = build(family, tmp_path)
    single, half = (load(str(folder), device="cpu", dtype=one) for one in ("float32", dtype))

    def named(model):
        blocks = model.path.blocks
        modules = [{module: name for name, module in block.named_modules()} for block in blocks]
        found = places(model.network, blocks)
        return [
            {stream: (names[place.module], place.given, place.scale) for stream, place in each.items()}
            for names, each in zip(modules, found, strict=True)
        ]

    assert named(half) == named(single)


def test_a_block_that_adds_up_to_nothing_has_no_such_sites(tmp_path):
    """Planted fault: a block that squares what it hands on. It is read and steered at its ends; its halves are no
    sites."""
    model = load(str(build("olmo", tmp_path)), device="cpu")
    model.path.blocks[1].register_forward_hook(lambda _module, _args, output: output**2)
    fresh = model.through("direct")
    assert not any(fresh.path.has(Site(1, stream)) for stream in ("attn_out", "mlp_out", "resid_mid"))
    assert fresh.path.has(Site(1, "z")) and fresh.path.has(Site(0, "attn_out"))
    with pytest.raises(InputError, match="have no attn_out"):
        fresh.check_site(Site(1, "attn_out"))


def test_what_an_edit_leaves_alone_stays_to_the_last_bit(tmp_path):
    """At a site with a multiplier, in half precision."""
    model = load(str(build("granite", tmp_path)), device="cpu", dtype="bfloat16")
    ids = torch.tensor([[5, 9, 31, 60]])
    how = {"starts": torch.zeros(1, dtype=torch.long), "positions": torch.arange(4)[None]}
    plain = model.forward(ids, **how)
    with model.hooked([(Site(1, "attn_out"), copy.copy)]):
        assert torch.equal(model.forward(ids, **how), plain)
