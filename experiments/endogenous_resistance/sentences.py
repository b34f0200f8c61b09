"""A verdict as a sentence: the claim, its estimates with intervals, and the minimum detectable effect."""

from collections.abc import Sequence

from experiments.endogenous_resistance.verdicts import UNKNOWN, AttemptEvidence, detectable
from introlab.records.findings import Check
from introlab.stats.interval import Estimate
from introlab.stats.power import minimum_detectable


def sentence(
    model: str,
    word: str,
    kept: str,
    found: AttemptEvidence,
    first: Estimate,
    checks: Sequence[Check],
    apart: Sequence[str],
) -> str:
    """The answer for one model. `kept` is the word with incoherent texts kept, `first` the score of first attempts,
    `apart` the arms that were not pushed alike."""
    claim = f"{model} {word}"
    if word.startswith(UNKNOWN):
        claim = f"{model}: {UNKNOWN} whether it shows ESR{word.removeprefix(UNKNOWN)}"
    text = (
        f"{claim}. Of all pushed texts {found.rate} start again and do better, incoherent ones counted as not improved "
        f"({detectable(found)}). Beyond no steering: {_told(found.beyond_none)}. Beyond random directions: "
        f"{_told(found.beyond_random)}. Better minus worse: {_told(found.net)}. Restarts beyond no steering: "
        f"{_told(found.restarts)}. First attempts score {first}. "
    )
    same = "the verdict is the same" if kept == word else f"the verdict is *{kept}*"
    text += f"With incoherent texts kept, whatever their number, {same}."
    failed = [check.control for check in checks if check.passed is False]
    if failed:
        text += f" Checks that failed: {', '.join(failed)}."
    return text + (f" Not pushed alike, and not to be compared: {', '.join(apart)}." if apart else "")


def _told(estimate: Estimate) -> str:
    return str(estimate) if estimate.above(0) else f"{estimate} ({minimum_detectable(estimate)})"
