"""Checks of what was read inside, and a sentence per model."""

from collections.abc import Iterator

from experiments.steering_mechanism.labels import HEAD
from introlab.records.findings import Check, Findings
from introlab.stats.interval import Estimate

LEAK = 0.1
"""Where nothing is left to read, a mean AUROC may be this far from .5."""
TAKES = 0.05
"""Of what was added: what a part must take away to count as pushing back."""


def checks(model: str, found: Findings, suffix: str) -> Iterator[Check]:
    """One for each of CONTROLS, from rows of this model; `suffix` ends each detail."""

    def of(measure: str, **where: str) -> Estimate:
        return found.estimate(measure, model=model, **where)

    dealt = of("AUROC of shuffled labels")
    yield Check(
        "shuffled_labels",
        _near(dealt, 0.5, LEAK),
        f"probes of labels dealt anew average AUROC {dealt}, which a leak moves beyond {0.5 + LEAK:g}{suffix}",
    )
    fall = of("fall by ablation beyond random", reading="announcement", outcome="announced")
    yield Check(
        "ablation",
        fall.above(0) if fall.known else None,
        f"an ablation that should matter does: without what comes before them there are {fall} fewer announcements "
        f"than with as much moved along random directions{suffix}",
    )


def receipts(model: str, found: Findings) -> str:
    """What comes out so whatever the model does, and would show a mistake in the arithmetic; no check of the model."""
    start = found.estimate("readable at the pushed block", model=model)
    left = found.estimate("left over by the parts", model=model, arm="push")
    return (
        f"Receipts of {model}, true by construction: at the pushed block, once what was added is taken out, the push "
        f"is read with AUROC {start}; heads and MLPs leave {left} of the change along the push unexplained."
    )


def _near(estimate: Estimate, value: float, distance: float) -> bool | None:
    """Where the whole interval is within the distance, or outside of it."""
    if estimate.above(value + distance) or estimate.below(value - distance):
        return False
    return True if estimate.above(value - distance) and estimate.below(value + distance) else None


def sentence(model: str, found: Findings) -> str:
    """What was read and whether it matters; empty where nothing was looked at."""

    def of(measure: str, **where: str) -> Estimate:
        return found.estimate(measure, model=model, **where)

    before, after = of("readable before it", arm="push"), of("readable after it", arm="push")
    if before.value is None:
        return ""
    said = [
        _readable(
            before, of("readable at the token before", arm="push"), after, of("readable after it", arm="clean text")
        )
    ]
    push, text = (
        of("rise of P(announcement)", by=name)
        for name in ("the push, after its own text", "its own text, without a push")
    )
    if push.value is not None:
        said.append(
            f"where it announces, its own text raises P(announcement) by {text} without any push, and the push, the "
            f"text being the same, by {push}"
        )
    said += [each for each in (_ablation(found, model, name) for name in ("push", "announcement")) if each]
    kept, stray = (of("projection left at the end", arm=arm) for arm in ("push", "random_direction"))
    if kept.value is not None:
        said.append(f"after the last block {kept} of the push is left along its direction (random ones: {stray})")
        said.append(_pushes_back(found, model))
    return f"Inside {model}: " + "; ".join(said) + "."


def _readable(before: Estimate, last: Estimate, after: Estimate, clean: Estimate) -> str:
    """Below .5 is not readable either: what is learnt of some pushes would be wrong of the next."""
    seen = "readable" if before.above(0.5) else "not shown to be readable"
    told = (
        f"without its direction the push is {seen} before the first word off topic (AUROC {before}; at the last token"
    )
    return (
        f"{told} {last}), and afterwards with AUROC {after} (clean text, as pushed: {clean}), which is not yet noticing"
    )


def _ablation(found: Findings, model: str, reading: str) -> str:
    fall = found.estimate("fall by ablation beyond random", model=model, reading=reading, outcome="announced")
    names = {"push": "that trace", "announcement": "what comes before announcements"}
    return f"ablating {names[reading]} takes {fall} off the share that announces, beyond random" if fall.known else ""


def _pushes_back(found: Findings, model: str) -> str:
    """By blocks' halves, so that heads are not counted twice."""
    halves = [
        row for row in found.select("added along the push", model=model, arm="push") if row.where["part"] not in HEAD
    ]
    against = sorted(str(row.where["part"]) for row in halves if row.estimate.below(-TAKES))
    return f"{', '.join(against)} write against it" if against else f"no half of a block takes {TAKES:g} of it away"
