"""What the estimates come to: the checks of the controls, how early it can be read, and the answer in words."""

from collections.abc import Iterator, Sequence

from introlab.records.findings import Check, Findings
from introlab.stats.interval import Estimate
from introlab.stats.power import beside
from probes.text.horizons import LEADS

PRIMARY = "about to reconsider, within levels"
MUST_BEAT = {
    "p_reconsider": "P(reconsider) at the same token",
    "text_only": "the words so far",
    "length": "the length of the prompt",
    "position": "the position",
    "embedding": "the embeddings of the text so far",
    "untrained_network": "a probe of an untrained network",
}
OF_THE_TEXT = ("text_only", "embedding", "untrained_network")
"""Of these, what knows nothing of what the model makes of the text."""
LEAK = 0.1
"""Shuffled labels may average this far from .5."""


def checks(found: Findings, suffix: str) -> Iterator[Check]:
    """One for each control of one model."""
    rate = found.estimate("reconsiders")
    room = None if rate.value is None else 0.02 < rate.value < 0.98
    yield Check("baseline", room, f"left alone it reconsiders {rate.percent} of its answers: there are both{suffix}")
    dealt = found.estimate("probes of shuffled labels")
    passed = None if dealt.value is None else abs(dealt.value - 0.5) < LEAK
    leak = f"probes of shuffled labels average AUROC {dealt}; more than {LEAK} from 0.5 would be a leak{suffix}"
    yield Check("shuffled_labels", passed, leak)
    for name, label in MUST_BEAT.items():
        gap = found.estimate("gain within levels", over=name)
        detail = f"at equal difficulty the probe beats {label} by {gap} AUROC{suffix}"
        yield Check(name, gap.above(0) if gap.known else None, detail, gap)
    beyond, rank = _effect(found, "sufficiency")
    detail = f"added, its direction raises P(reconsider) by {beyond} more than random ones, {rank}{suffix}"
    yield Check("random_direction", _used(found, "sufficiency"), detail)
    asked = found.estimate("asked in words to check")
    detail = f"asked in words to check, P(reconsider) rises by {asked}{suffix}"
    yield Check("prompting", asked.above(0) if asked.known else None, detail, asked)


def earliest(found: Findings) -> int:
    """The most tokens ahead to which it can be read without a gap, from one on; 0 where it cannot."""
    return _reached(
        [found.estimate("probe", **{"AUROC within levels at lead": float(lead)}).above(0.5) for lead in LEADS]
    )


def earliest_beyond_text(found: Findings) -> int:
    """The same, better than each of OF_THE_TEXT."""
    return _reached(
        [
            all(
                found.estimate("gain ahead", lead=float(lead), **{"gain within levels over": name}).above(0)
                for name in OF_THE_TEXT
            )
            for lead in LEADS
        ]
    )


def _reached(passed: Sequence[bool]) -> int:
    """Leads are tested in this order until one fails, so that all of them together keep the level of one."""
    return next((index for index, each in enumerate(passed) if not each), len(passed))


def sentence(model: str, found: Findings) -> str:
    """The answer for one model; where nothing was read, why."""
    (primary,) = found.primary
    within, where = primary.estimate, primary.where
    if within.value is None:
        return f"{model}: cannot tell; too few of its answers are reconsidered, or too few let stand."
    place = f"after block {where['layer']:g}, {where['lead']:g} tokens ahead"
    if not within.above(0.5):
        return (
            f"{model}: at equal difficulty, that it will reconsider could not be read ahead of time ({place}: AUROC "
            f"{beside(within, 0.5)}), though it reconsiders {found.estimate('reconsiders').percent} of its answers"
            f"{_error(found)}."
        )
    unbeaten = [
        label for name, label in MUST_BEAT.items() if not found.estimate("gain within levels", over=name).above(0)
    ]
    more = f"not shown to be more than {_listed(unbeaten)}" if unbeaten else "more than all it was compared with"
    return (
        f"{model}: at equal difficulty, that it will reconsider can be read {_early(found)} (chosen place: {place}, "
        f"AUROC {within}, {more}); {_transfers(found)}; {_causes(found)}{_error(found)}."
    )


def _early(found: Findings) -> str:
    reached, beyond = earliest(found), earliest_beyond_text(found)
    if not reached:
        return "there, but not one token ahead"
    than = "better than the words, their embeddings and an untrained network tell"
    return f"up to {_tokens(reached)} ahead, and up to {_tokens(beyond)} ahead {than}"


def _tokens(count: int) -> str:
    return f"{count} token{'' if count == 1 else 's'}"


def _error(found: Findings) -> str:
    """Of the errors that were prefilled."""
    read, moves = (
        found.estimate(measure, whose="own") for measure in ("error read", "P(reconsider), wrong less right")
    )
    if read.value is None or moves.value is None:
        return ""
    told = "is told" if read.above(0.5) else "is not told"
    more = "more often" if moves.above(0) else "no more often"
    return f"; a prefilled wrong answer {told} from a right one (AUROC {read}) and reconsidered {more} ({moves})"


def _transfers(found: Findings) -> str:
    pairs = (("easy", "hard"), ("hard", "easy"))
    there, back = (found.estimate("within levels", **{"fitted on": one, "tested on": other}) for one, other in pairs)
    return f"fitted on easy questions it tells on hard ones with {there}, the other way round with {back}"


def _causes(found: Findings) -> str:
    return ", ".join(
        f"{doing} {_verdict(found, name)}"
        for name, doing in (("sufficiency", "adding its direction"), ("necessity", "removing it"))
    )


def _verdict(found: Findings, name: str) -> str:
    beyond, rank = _effect(found, name)
    verb, used = {"sufficiency": "raise", "necessity": "lower"}[name], _used(found, name)
    if used is None:
        return "has an unknown effect"
    return f"{f'{verb}s' if used else f'is not shown to {verb}'} P(reconsider) ({beyond} more than random ones, {rank})"


def _effect(found: Findings, name: str) -> tuple[Estimate, str]:
    beyond, share = (
        found.estimate(measure, effect=name) for measure in ("beyond random", "share of random that do as much")
    )
    rank = "no random ones" if share.value is None else f"{round(share.value * share.n)} of {share.n} do as much"
    return beyond, rank


def _used(found: Findings, name: str) -> bool | None:
    """Beyond the mean of random directions, and more than every one of them; None where it was not measured."""
    beyond, share = (
        found.estimate(measure, effect=name) for measure in ("beyond random", "share of random that do as much")
    )
    return None if not beyond.known or share.value is None else beyond.above(0) and share.value == 0


def _listed(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} or {labels[-1]}"
