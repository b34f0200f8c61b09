"""What is asked of every family: each check gives "" where it passes, `refused` and the reason where the lab says so by
name, or what went wrong. References are Hugging Face's own network, run on one text."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from plain_decoding import plain_text
from steered import direction, push
from transformers import AutoModelForCausalLM

from introlab.activations.extract import next_token_logprobs, read
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.generation.scheduler import generate
from introlab.network.kv_cache import RowCache
from introlab.network.model import Model, load
from introlab.network.sites import Site
from introlab.network.spans import Span

LENGTHS = (24, 14, 7)
"""The windows of families that have one are 16 tokens wide."""
CLOSE = 1e-4


def _ids() -> torch.Tensor:
    return torch.randint(4, 90, (3, LENGTHS[0]), generator=torch.Generator().manual_seed(1))


def _texts() -> list[Text]:
    rows = zip(_ids().tolist(), LENGTHS, strict=True)
    return [Text(tuple(row[-length:]), length, str(length)) for row, length in rows]


def _apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def _said(name: str, difference: float, limit: float = CLOSE) -> str:
    return "" if difference < limit else f"{name} off by {difference:.1g}"


def reads(model: Model) -> str:
    """What blocks are given, of each text, is what Hugging Face records."""
    texts = _texts()
    sites = [Site(layer, "resid_pre") for layer in range(model.n_layers)]
    found, worst = read(model, texts, sites, [[len(text.ids) - 1] for text in texts]), 0.0
    for index, text in enumerate(texts):
        with torch.inference_mode():
            states = model.network(torch.tensor([text.ids]), output_hidden_states=True, use_cache=False).hidden_states
        for site in sites:
            worst = max(worst, _apart(found[site, 0].values[index], states[site.layer][0, -1]))
    return _said("states", worst)


def steers(model: Model) -> str:
    """Rows with pushes of their own, as one plain hook on each text alone does it."""
    vector, requests, expected = direction(model, Site(1)).vector, [], {}
    for index, text in enumerate(_texts()):
        raw = 1.0 + index
        requests.append(Request(text.ids, text.example, interventions=(push(model, raw),), max_new=6, sampling=GREEDY))
        expected[text.example] = plain_text(
            model, text.ids, item=text.example, max_new=6, temperature=0, added=raw * vector, layer=1,
            where=lambda p, n: p >= n - 1,
        )  # fmt: skip
    found = {request.item: one.tokens for request, one in generate(model, requests, seed=0)}
    return "" if found == expected else "steered texts differ"


def company(model: Model) -> str:
    """Logits of texts of three lengths that end in the same column, and of a deterministic model's passes."""
    texts, worst = _texts(), 0.0
    for way in (model, replace(model, deterministic=True)):
        found = next_token_logprobs(way, texts)
        for index, text in enumerate(texts):
            with torch.inference_mode():
                alone = model.network(torch.tensor([text.ids]), use_cache=False).logits[0, -1].log_softmax(-1)
            worst = max(worst, _apart(found[index], alone))
    return _said("logits", worst)


def cached(model: Model) -> str:
    """The same in three pieces, the last of one token."""
    ids, starts = _ids(), torch.tensor([LENGTHS[0] - length for length in LENGTHS])
    positions = (torch.arange(LENGTHS[0]) - starts[:, None]).clamp_min(0)
    cache, pieces = RowCache(model.n_layers, 3, 30), []
    for part in (slice(0, 12), slice(12, 23), slice(23, 24)):
        pieces.append(model.forward(ids[:, part], starts=starts, positions=positions[:, part], cache=cache))
        cache.column = part.stop
    whole, worst = torch.cat(pieces, dim=1), 0.0
    for row, text in enumerate(_texts()):
        with torch.inference_mode():
            alone = model.network(torch.tensor([text.ids]), use_cache=False).logits[0]
        worst = max(worst, _apart(whole[row, -len(text.ids) :], alone))
    return _said("logits", worst)


def sites(model: Model) -> str:
    """Streams add up in every block, and a push on what is added is a push on the sum."""
    lacking = set()
    for layer in range(model.n_layers):
        seen = _streams(model, layer)
        lacking |= {"attn_out", "mlp_out"} - set(seen)
        if "attn_out" in seen and "mlp_out" in seen:
            total = seen["resid_pre"] + seen["attn_out"] + seen["mlp_out"]
            worst = _apart(total, seen["resid_post"])
            if "resid_mid" in seen:
                worst = max(worst, _apart(seen["resid_pre"] + seen["attn_out"], seen["resid_mid"]))
            if worst >= CLOSE:
                return _said(f"layer {layer}", worst)
    if lacking:
        return f"refused: no {', '.join(sorted(lacking))}"
    text = _texts()[1]
    edits = [push(model, 2.0, Span.all(), Site(1, stream)) for stream in ("mlp_out", "resid_post")]
    pushed = next_token_logprobs(model, [replace(text, interventions=(edit,)) for edit in edits])
    plain = next_token_logprobs(model, [text])
    assert _apart(pushed[1], plain[0]) > CLOSE, "the push does something"
    z = _streams(model, 1).get("z")
    if z is not None and z.shape[-1] != model.width(Site(1, "z")):
        return f"z is {z.shape[-1]} wide"
    return _said("a push on mlp_out", _apart(pushed[0], pushed[1]))


def _streams(model: Model, layer: int) -> dict[str, torch.Tensor]:
    seen: dict[str, torch.Tensor] = {}
    names = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post", "z")
    there = [Site(layer, name) for name in names if model.path.has(Site(layer, name))]  # type: ignore[arg-type]
    ids = _ids()
    with model.hooked([(site, lambda values, site=site: seen.update({site.stream: values.clone()})) for site in there]):
        model.forward(ids, starts=torch.zeros(3, dtype=torch.long), positions=torch.arange(ids.shape[1]).expand(3, -1))
    return seen


def bridge(model: Model) -> str:
    """Both ways see the same at every site that either can reach."""
    other = model.through("bridge")
    for layer in range(model.n_layers):
        direct, bridged = _streams(model, layer), _streams(other, layer)
        if set(direct) != set(bridged):
            return f"refused: one way only has {', '.join(sorted(set(direct) ^ set(bridged)))}"
        for name, values in direct.items():
            if _apart(bridged[name], values) >= CLOSE:
                return _said(f"{name}[{layer}]", _apart(bridged[name], values))
    return ""


def adapters(model: Model) -> str:
    """A low-rank adapter of every matrix is merged to peft's own logits, which loading checks."""
    folder = Path(str(model.folder))
    beside = folder.with_name(f"{folder.name} adapter")
    network = AutoModelForCausalLM.from_pretrained(folder)
    how = LoraConfig(r=2, target_modules=_linear(network))
    adapted = get_peft_model(network, how)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                weight += 0.3 * torch.randn(weight.shape, generator=generator)
    adapted.save_pretrained(beside)
    stated = json.loads((beside / "adapter_config.json").read_text())
    (beside / "adapter_config.json").write_text(json.dumps({**stated, "base_model_name_or_path": str(folder)}))
    merged, ids = load(str(beside), device="cpu"), _ids()[:1]
    with torch.inference_mode():
        return _said("logits", _apart(merged.network(ids).logits, adapted.eval()(ids).logits))


def _linear(network: torch.nn.Module) -> list[str]:
    """Names of the matrices of blocks; not those that choose experts, which hand on more than a product."""
    every = [name for name, module in network.named_modules() if type(module).__name__ in ("Linear", "Conv1D")]
    kept = [name for name in every if "lm_head" not in name and name.split(".")[-1] not in ("router", "gate")]
    return kept or every


CHECKS: dict[str, Callable[[Model], str]] = {
    "read": reads,
    "steer": steers,
    "cached = uncached": cached,
    "alone = in company": company,
    "sites add up": sites,
    "direct = bridge": bridge,
    "adapter": adapters,
}


def results(folder: Path) -> dict[str, str]:
    """By check, of the model in this folder; every check says why where the model is refused at load."""
    try:
        model = load(str(folder), device="cpu", attention=None)
    except InputError as error:
        return dict.fromkeys(CHECKS, f"refused: {str(error).splitlines()[0]}")
    found = {}
    for name, check in CHECKS.items():
        try:
            found[name] = check(model)
        except InputError as error:
            found[name] = f"refused: {str(error).splitlines()[0]}"
        except Exception as error:
            found[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return found
