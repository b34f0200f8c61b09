"""Does what is read matter? The same scenes written again, the push still on, with a reading held at its usual level.

Two readings are ablated: the trace of the push (pushed or not, the same tokens), and what comes right before an
announcement (or does not, under the same push). The second is what should matter, if ablating here can do anything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from experiments.steering_mechanism.detectability import Traces
from experiments.steering_mechanism.replay import ReplayedText, basis_of, without
from introlab.activations.directions import Direction
from introlab.activations.extract import iter_activations, next_token_logprobs
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.generation.requests import Request
from introlab.interventions.interfaces import Intervention
from introlab.network.sites import Site
from introlab.network.spans import Span
from probes.linear import solvers
from probes.linear.dataset import ProbeDataset
from steering.edits import Clamp, ClampElsewhere

FEWEST = 3
"""Announcements, and tokens without one, below which no fit is made."""


@dataclass(frozen=True)
class AblationReading:
    """A direction for every fold, fitted without its topics and pushes, and the level it is held at."""

    bench: RunContext
    name: str
    directions: Sequence[Direction]
    levels: Sequence[float]
    span: Span

    def ablated(self, fold: int, draw: int | None) -> Intervention:
        """Holds it at its level; with a draw, moves as much, token by token, along a random direction."""
        direction, level = self.directions[fold], self.levels[fold]
        edit = Clamp(direction, level)
        if draw is not None:
            edit = ClampElsewhere(direction, level, self.bench.random_direction(direction, draw))
        return Intervention(edit, direction.site, self.span)


def readings(bench: RunContext, seen: Traces, site: Site) -> list[AblationReading]:
    """The trace of the push, and what comes before an announcement where there are enough of them."""
    known = seen.known["push"][:, None].expand(-1, 2, -1)
    scene = torch.arange(len(seen.found))[:, None, None].expand(known.shape)[known]
    pushed = torch.arange(2)[None, :, None].expand(known.shape)[known]
    values = seen.values[site, "push"][known]
    found = [_fitted(bench, "push", site, values, pushed > 0, seen.fold[scene], seen, Span.generated())]
    before = tokens_before(seen.found)
    texts = [scene.text("push", pushed=True) for scene in seen.found]
    rows = [
        (index, text.prompt_len - 1 + place, place == scene.restart)
        for index, (scene, text) in enumerate(zip(seen.found, texts, strict=True))
        for place in ends(scene.written["push"][1].tokens, before)
    ]
    here = torch.tensor([announces for *_, announces in rows], dtype=torch.bool)
    fold = seen.fold[[index for index, *_ in rows]] if rows else torch.zeros(0, dtype=torch.long)
    if not _enough(here, fold, seen.apart):
        return found
    held = {
        index: each
        for batch in iter_activations(bench.model, texts, site, batch_size=bench.batch_size)
        for index, each in batch
    }
    away = _away(bench, seen)
    values = without(torch.stack([held[index][at] for index, at, _ in rows]), away)
    span = Span.tokens(*before) - Span.prompt()
    return [*found, _fitted(bench, "announcement", site, values, here, fold, seen, span)]


def tokens_before(found: Sequence[ReplayedText]) -> tuple[int, ...]:
    """The tokens that announcements come right after, such as a full stop."""
    tokens = ((scene.written["push"][1].tokens, scene.restart) for scene in found)
    return tuple(sorted({each[restart - 1] for each, restart in tokens if restart}))


def ends(tokens: Sequence[int], before: Sequence[int]) -> list[int]:
    """Indices of new tokens that stand right after one of these."""
    return [index for index in range(1, len(tokens)) if tokens[index - 1] in before]


def _away(bench: RunContext, seen: Traces) -> Tensor:
    """All topics' directions, and the axis of the words that announcements begin with: an ablation must not merely
    forbid them."""
    pushes = {scene.push: scene.added("push").direction.vector for scene in seen.found}
    words = sorted({s.written["push"][1].tokens[s.restart] for s in seen.found if s.restart})
    return basis_of(torch.stack([*pushes.values(), bench.model.word_axis(words)]))


def _enough(labels: Bool[Tensor, " row"], fold: Int[Tensor, " row"], apart: Bool[Tensor, "fold fold"]) -> bool:
    return all(
        min(int((use[fold] & labels).sum()), int((use[fold] & ~labels).sum())) >= FEWEST for use in apart.unbind()
    )


def _fitted(
    bench: RunContext,
    name: str,
    site: Site,
    values: Float[Tensor, "row d"],
    labels: Bool[Tensor, " row"],
    fold: Int[Tensor, " row"],
    seen: Traces,
    span: Span,
) -> AblationReading:
    """Differences of means, and the mean projection of the rows without the label."""
    coef = solvers.difference_of_means(ProbeDataset(values, labels[:, None].double(), fold, seen.apart)).coef[:, 0, 0]
    directions, levels = [], []
    for one, use in zip(coef / coef.norm(dim=-1, keepdim=True), seen.apart, strict=True):
        allowed = use[fold]
        along = values.double() @ one
        directions.append(
            Direction(
                vector=one.float(),
                scale=float(along[allowed & labels].mean() - along[allowed & ~labels].mean()),
                site=site,
                model=bench.model.fingerprint,
                family=bench.model.family,
                method=f"difference of means ({name})",
                examples=tuple(
                    scene.name for scene, used in zip(seen.found, use[seen.fold].tolist(), strict=True) if used
                ),
            )
        )
        levels.append(float(along[allowed & ~labels].mean()))
    return AblationReading(bench, name, directions, levels, span)


def requests(seen: Traces, fitted: Sequence[AblationReading], draws: int) -> Iterator[Request]:
    """Every pushed scene with each reading ablated, and with as much moved along a random direction; these take turns.
    Raises SplitOverlap for a scene that was fitted on."""
    for reading in fitted:
        for index, (scene, fold) in enumerate(zip(seen.found, seen.fold.tolist(), strict=True)):
            reading.directions[fold].check_held_out([scene.name])
            for draw in (None, index % draws):
                condition = f"ablated {reading.name}" + ("" if draw is None else ", random")
                yield replace(
                    scene.request,
                    interventions=(*scene.request.interventions, reading.ablated(fold, draw)),
                    note={**scene.request.note, "condition": condition, "draw": draw},
                )


def restarts(
    bench: RunContext, seen: Traces, fitted: Sequence[AblationReading], draws: int
) -> Iterator[tuple[ReplayedText, dict[str, float]]]:
    """Of every scene that announces: how likely its announcement's first word is there - after its own tokens and after
    the clean text's, pushed, not pushed and pushed at random, and under each ablation."""
    before, asked = tokens_before(seen.found), list[tuple[int, str, Text]]()
    for index, (scene, fold) in enumerate(zip(seen.found, seen.fold.tolist(), strict=True)):
        if not scene.restart:
            continue
        own = scene.text("push", pushed=True, stop=scene.restart)
        arms: dict[str, tuple[Intervention, ...]] = {
            "own text, pushed": own.interventions,
            "own text": (),
            "own text, pushed at random": scene.interventions("random_direction"),
        }
        for reading in fitted:
            for draw in (None, index % draws):
                name = f"ablated {reading.name}" + ("" if draw is None else ", random")
                arms[name] = (*own.interventions, reading.ablated(fold, draw))
        asked += [(index, name, replace(own, interventions=each)) for name, each in arms.items()]
        places = ends(scene.written["baseline"][1].tokens, before)
        if places:
            stop = min(places, key=lambda place: (abs(place - scene.restart), place))  # type: ignore[operator]
            asked += [
                (index, f"clean text{', pushed' * pushed}", scene.text("baseline", pushed=pushed, stop=stop))
                for pushed in (False, True)
            ]
    if not asked:
        return
    after = next_token_logprobs(bench.model, [text for *_, text in asked], batch_size=bench.batch_size).exp()
    found: dict[int, dict[str, float]] = {}
    for row, (index, name, _) in zip(after, asked, strict=True):
        scene = seen.found[index]
        assert scene.restart is not None
        found.setdefault(index, {})[name] = float(row[scene.written["push"][1].tokens[scene.restart]])
    yield from ((seen.found[index], each) for index, each in found.items())
