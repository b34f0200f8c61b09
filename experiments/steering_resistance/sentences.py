"""A verdict as a sentence: the claim, what it rests on with its interval, and the minimum detectable effect."""

from experiments.steering_resistance.prefill_analysis import AFTER_RESTART, BY_TEXT, MOVES, ON_MINUS_OFF
from experiments.steering_resistance.recovery_gain import BEYOND_WORDS
from experiments.steering_resistance.trajectories import told_at
from introlab.records.findings import Check, Findings
from introlab.stats.interval import Estimate
from introlab.stats.power import minimum_detectable


def sentence(model: str, verdict: str, counted: str, found: Findings, at: float, failed: list[Check]) -> str:
    """The answer for one model. `counted` is the verdict with incoherent texts counted; `found` has the rows over
    others like these directions; `failed` are its checks that failed."""
    moved = found.estimate(MOVES, strength=at)
    parts = [
        f"{model} {verdict}: at strength {at:g}, {_told(moved)} more of its texts leave the topic than without a push"
    ]
    told, back = (told_at(found, f"{name} of intruded", "push", at) for name in ("announced", "returned"))
    if told.value is not None and not verdict.startswith(("is not", "is only")):
        parts.append(
            f"of these {told} announce it and {back} end mostly on topic, the share off topic having fallen by "
            f"{told_at(found, BEYOND_WORDS, 'push', at)} more than by luck"
        )
    more, text = found.estimate(ON_MINUS_OFF, strength=at), found.estimate(BY_TEXT, strength=at)
    if more.value is not None:
        adds = "the push adds" if more.above(0) else "the push was not found to add announcements,"
        parts.append(
            f"prefilled off-topic text adds {text} announcements without a push, and to these {adds} {_told(more)}"
        )
        after = found.estimate(AFTER_RESTART)
        if after.known:
            parts.append(f"after a restart the push still puts {after} more of the words off topic")
    same = "the verdict is the same" if counted == verdict else f"it {counted}"
    counting = f"Counting incoherent texts, {same}"
    if failed:
        counting += f"; checks that failed: {', '.join(check.control for check in failed)}"
    return f"{'; '.join(parts)}. {counting}."


def _told(estimate: Estimate) -> str:
    return f"{estimate} ({minimum_detectable(estimate)})"
