"""How much more a score tells than a baseline, where no baseline is worth less than chance."""

from collections.abc import Sequence
from dataclasses import replace

from introlab.stats.discrimination import auroc_difference, stratified_auroc
from introlab.stats.interval import Estimate


def gain_over(
    scores: Sequence[float],
    baseline: Sequence[float],
    labels: Sequence[bool],
    clusters: Sequence[str],
    *,
    levels: Sequence[object] | None = None,
    fitted: bool = True,
) -> Estimate:
    """AUROC of a score minus that of a baseline on the same trials, or minus 0.5, whichever is less.

    A fitted baseline that comes out below 0.5 on held-out examples has learnt nothing, and is no easier to beat than
    chance. One that is not `fitted` (a probability, as it stands) could be read the other way round, and counts as one
    minus itself there. So an interval above 0 says that the score is shown to beat the baseline and 0.5, too. `levels`
    and errors are as in `auroc_difference`.
    """
    pairs = [auroc_difference(scores, baseline, labels, clusters, levels=levels)]
    if not fitted:
        pairs.append(auroc_difference(scores, [-value for value in baseline], labels, clusters, levels=levels))
    inside = [0] * len(scores) if levels is None else levels
    return smallest_gain(*pairs, over_chance(stratified_auroc(scores, labels, inside, clusters)))


def over_chance(auroc: Estimate) -> Estimate:
    """An AUROC less the 0.5 of chance, with its interval."""
    value, low, high = (None if bound is None else bound - 0.5 for bound in (auroc.value, auroc.low, auroc.high))
    return replace(auroc, value=value, low=low, high=high, kind="paired difference")


def smallest_gain(first: Estimate, *others: Estimate) -> Estimate:
    """What a score has over the best of several others: value and bounds are the least of each gain.

    It lies above 0 where every one does (an intersection-union test, which needs no correction). Without a value or an
    interval where one gain has none.
    """
    gains = (first, *others)
    unknown = next((gain for gain in gains if gain.value is None), None)
    if unknown is not None:
        return unknown
    least = min(gain.value for gain in gains if gain.value is not None)
    lows = [gain.low for gain in gains if gain.low is not None]
    highs = [gain.high for gain in gains if gain.high is not None]
    whole = len(lows) == len(highs) == len(gains)
    method = first.method if whole else next((gain.method for gain in gains if not gain.known), first.method)
    low, high = (min(lows), min(highs)) if whole else (None, None)
    return replace(first, value=least, low=low, high=high, method=method)
