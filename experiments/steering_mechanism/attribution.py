"""Where a push fades with depth, which heads and MLPs push back, and which of them lead to the announcement."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from experiments.shared.generations import Written
from experiments.steering_mechanism.detectability import MOST_BLOCKS
from experiments.steering_mechanism.detection_trials import trial_of
from experiments.steering_mechanism.labels import HEAD
from experiments.steering_mechanism.replay import KINDS, Kind, ReplayedText, replayed, scenes
from introlab.activations.extract import next_token_logprobs, read
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.records.trial import Trial
from probes.logit_lens import lens
from steering.patching import patches, path_patch

TEXTS = 24
"""That announce, and are asked what leads to it: every other one chooses components, the others judge them."""
CHOSEN = 2
"""Components of either role, and random ones in the place of each sender."""
MOST_COMPONENTS = 64
"""With more of them, attention is taken by blocks and not by heads, and blocks evenly spaced."""


def trials(bench: RunContext, written: Sequence[Written], *, experiment: str, at: float) -> Iterator[Trial]:
    """Replays at strength `at`. Conditions: `source push`, `source random_direction` and `source baseline` (one a text,
    the clean one under the push: projection and norm of the change after every block, and what each head and MLP adds
    along the push, as multiples of what was added) and `restart` (one a text that announces, up to TEXTS: effects of
    components on its announcement's first word). `split="test"`."""
    found = scenes(bench, written, at)
    if not found:
        return
    layer = found[0].added("push").direction.site.layer
    for scene, kind, readings in faded(bench, found, layer):
        yield trial_of(bench, scene, experiment, f"source {kind}", at, readings, kind == "random_direction")
    for scene, readings in restarts(bench, found, layer):
        yield trial_of(bench, scene, experiment, "restart", at, readings)


def faded(
    bench: RunContext, found: Sequence[ReplayedText], layer: int
) -> Iterator[tuple[ReplayedText, Kind, dict[str, object]]]:
    """What the push has become after every block: the change between replays of the same tokens, meant over tokens.

    `projection` (on the direction added) begins at 1, and its change from block to block is what the parts add; `left
    over` is what of it they leave unexplained, and should be 0 but for rounding.
    """
    model = bench.model
    after = range(layer + 1, model.n_layers)
    residual = [Site(each) for each in range(layer, model.n_layers)]
    outputs = {f"{stream} {each}": Site(each, stream) for each in after for stream in ("attn_out", "mlp_out")}
    matrices = {each: model.output_matrix(each) for each in after}
    heads = [Site(each, "z") for each, matrix in matrices.items() if matrix is not None]
    for scene, kind, known, here in replayed(bench, found, KINDS, [*residual, *outputs.values(), *heads]):
        edit = scene.added(kind)
        unit, raw = edit.direction.vector, edit.dose.raw
        change = {site: (values[1] - values[0])[known] for site, values in here.items()}

        def along(values: Tensor, axis: Tensor = unit, size: float = raw) -> float:
            return float((values @ axis).mean() / size)

        projection = [along(change[site]) for site in residual]
        parts = {name: along(change[site]) for name, site in outputs.items()}
        left = projection[-1] - projection[0] - sum(parts.values())
        for site in heads:
            matrix = matrices[site.layer]
            assert matrix is not None
            each = torch.einsum("ohd,hdm,m->oh", change[site].unflatten(1, matrix.shape[:2]), matrix, unit).mean(0)
            parts |= {HEAD(f"{site.layer}.{head}"): value / raw for head, value in enumerate(each.tolist())}
        norms = [float(change[site].norm(dim=-1).mean() / abs(raw)) for site in residual]
        layers = [site.layer for site in residual]
        readings = {"layers": layers, "projection": projection, "norm": norms, "parts": parts, "left_over": left}
        yield scene, kind, dict(readings)


@dataclass(frozen=True)
class SteeredPair:
    """A text up to its announcement, and the same tokens after a prompt that asks for the topic they went to: nothing
    is off topic there. Both under the push."""

    scene: ReplayedText
    clean: Text
    other: Text
    token: int


def pairs(found: Sequence[ReplayedText]) -> list[SteeredPair]:
    """Of texts that announce, evenly over the scenes and TEXTS at most; both prompts are equally long."""
    prompts = {(scene.topic, scene.request.replicate): scene.request.prompt for scene in found}
    every: list[SteeredPair] = []
    for scene in found:
        prompt = prompts.get((scene.push, scene.request.replicate))
        if scene.restart and prompt is not None and len(prompt) == len(scene.request.prompt):
            clean = scene.text("push", pushed=True, stop=scene.restart)
            other = Text(
                (*prompt, *clean.ids[len(prompt) :]), len(prompt), f"{clean.example}, asked", clean.interventions
            )
            every.append(SteeredPair(scene, clean, other, scene.written["push"][1].tokens[scene.restart]))
    return [every[round(at)] for at in torch.linspace(0, len(every) - 1, min(TEXTS, len(every))).tolist()]


def components(model: Model, layer: int) -> list[Site]:
    """Heads and MLPs of the blocks after this one; MLPs and whole attentions where heads do not add up or are many."""
    after = list(range(layer + 1, model.n_layers))
    by_head = all(model.output_matrix(each) is not None for each in after)
    if by_head and len(after) * (model.n_heads + 1) <= MOST_COMPONENTS:
        heads = [Site(each, "z", head) for each in after for head in range(model.n_heads)]
    else:
        after = [after[round(at)] for at in torch.linspace(0, len(after) - 1, min(MOST_BLOCKS, len(after))).tolist()]
        heads = [Site(each, "attn_out") for each in after]
    return sorted([*heads, *(Site(each, "mlp_out") for each in after)], key=lambda site: (site.rank, site.head or 0))


def restarts(
    bench: RunContext, found: Sequence[ReplayedText], layer: int
) -> Iterator[tuple[ReplayedText, dict[str, object]]]:
    """Falls of the log-odds of the announcement's first word when a component says what it says after the other prompt:
    `direct` (heard by the last norm alone), `total` (by everybody), and `paths` from the components with the largest
    total effect to those with the largest direct one, beside `random paths` from others to the same receivers.

    Components are chosen on every other text, and judged on the rest.
    """
    asked, every = pairs(found), components(bench.model, layer)
    if len(asked) < 2:
        return
    plain = _log_odds(bench, [each for pair in asked for each in (pair.clean, pair.other)], asked, 2)
    direct, total = _direct(bench.model, asked, every), _total(bench, asked, every)
    choose = range(0, len(asked), 2)
    senders = _largest({site: sum(total[index][site] for index in choose) for site in every[:-1]})
    later = [site for site in every if any(sender.rank < site.rank for sender in senders)]
    receivers = _largest({site: sum(direct[index][site] for index in choose) for site in later})
    rng = random.Random("components in the place of senders")
    ways = [(sender, receiver) for sender in senders for receiver in receivers if sender.rank < receiver.rank]
    others = [site for site in every if site not in senders]
    strays = [
        (rng.choice(free), receiver)
        for _, receiver in ways
        for free in [[site for site in others if site.rank < receiver.rank]]
        if free
    ]
    for index, pair in enumerate(asked):
        paths = {} if index in choose else _paths(bench, pair, [*ways, *strays])
        readings: dict[str, object] = {
            "chooses": index in choose,
            "clean": plain[index][0],
            "other": plain[index][1],
            "direct": {str(site): plain[index][0] - value for site, value in direct[index].items()},
            "total": {str(site): plain[index][0] - value for site, value in total[index].items()},
            "senders": [str(site) for site in senders],
            "receivers": [str(site) for site in receivers],
            "paths": {_way(way): plain[index][0] - paths[way] for way in ways if way in paths},
            "random paths": {_way(way): plain[index][0] - paths[way] for way in strays if way in paths},
        }
        yield pair.scene, readings


def _way(way: tuple[Site, Site]) -> str:
    return f"{way[0]} > {way[1]}"


def _largest(effects: dict[Site, float]) -> list[Site]:
    """Those after whose replacement least is left."""
    return sorted(effects, key=lambda site: (round(effects[site], 4), site.rank, site.head or 0))[:CHOSEN]


def _odds(log_p: Float[Tensor, "row vocab"], tokens: Sequence[int]) -> list[float]:
    p = log_p.double()[torch.arange(len(tokens)), list(tokens)]
    return (p - torch.log1p(-p.exp().clamp_max(1 - 1e-12))).tolist()


def _log_odds(bench: RunContext, texts: Sequence[Text], asked: Sequence[SteeredPair], each: int) -> list[list[float]]:
    """Of the announcement's first word after these texts, `each` of them for every pair."""
    log_p = next_token_logprobs(bench.model, texts, batch_size=bench.batch_size)
    odds = _odds(log_p, [pair.token for pair in asked for _ in range(each)])
    return [odds[start : start + each] for start in range(0, len(odds), each)]


def _direct(model: Model, asked: Sequence[SteeredPair], every: Sequence[Site]) -> list[dict[Site, float]]:
    """Log-odds, had the last norm alone heard the other text's component."""
    last, matrices = Site(model.n_layers - 1), {site.layer: model.output_matrix(site.layer) for site in every}
    found = []
    for pair in asked:
        end = [[len(pair.clean.ids) - 1]]
        clean, other = (read(model, [text], [last, *every], end) for text in (pair.clean, pair.other))
        rows = []
        for site in every:
            change = other[site, 0].values - clean[site, 0].values
            matrix = matrices[site.layer]
            if site.head is not None:
                assert matrix is not None
                change = change @ matrix[site.head]
            rows.append(clean[last, 0].values + change)
        odds = _odds(lens(model, torch.cat(rows)), [pair.token] * len(every))
        found.append(dict(zip(every, odds, strict=True)))
    return found


def _total(bench: RunContext, asked: Sequence[SteeredPair], every: Sequence[Site]) -> list[dict[Site, float]]:
    """Log-odds, had everybody heard it."""
    texts = []
    for pair in asked:
        told = patches(bench.model, pair.other, every)
        texts += [_under(pair.clean, told[site]) for site in every]
    return [dict(zip(every, odds, strict=True)) for odds in _log_odds(bench, texts, asked, len(every))]


def _paths(bench: RunContext, pair: SteeredPair, ways: Sequence[tuple[Site, Site]]) -> dict[tuple[Site, Site], float]:
    ways = sorted(set(ways), key=str)
    texts = [_under(pair.clean, path_patch(bench.model, pair.clean, pair.other, *way)) for way in ways]
    return dict(zip(ways, _log_odds(bench, texts, [pair], len(ways))[0], strict=True)) if ways else {}


def _under(text: Text, more: object) -> Text:
    return Text(text.ids, text.prompt_len, text.example, (*text.interventions, more))  # type: ignore[arg-type]
