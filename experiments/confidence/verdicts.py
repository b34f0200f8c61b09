"""What the rows come to, in words: a claim, its estimate, and *cannot tell* where too little was read."""

from collections.abc import Sequence

from experiments.confidence.labels import AUROC_OF, BASELINES, MAIN
from experiments.shared.answer_variation import constant_answers
from introlab.records.findings import Row
from introlab.records.trial import Trial
from introlab.stats.interval import Estimate, missing
from introlab.stats.power import beside

FEWEST = 20
"""Answers, or statements of confidence, below which nothing is concluded from them."""
IN_KIND = 0.5
"""Share of the answered questions of which its confidence must have been stated in the words asked for."""
_EXCERPT = 80


def verdict(tested: Sequence[Trial], rows: Sequence[Row]) -> str:
    """Whether what it says after answering discriminates right from wrong answers of equal difficulty."""
    if _unread(tested) is not None:
        return "cannot tell"
    within = _within(rows)
    if within.above(0.5):
        return "says when it is right"
    return "not found to say when it is right" if within.known else "cannot tell"


def sentence(model: str, tested: Sequence[Trial], rows: Sequence[Row]) -> str:
    """The answer for one model."""
    answered = [trial for trial in tested if trial.outcomes["right"] is not None]
    if (unread := _unparsed(tested, answered) or _constant(answered)) is not None:
        return f"{model}: cannot tell. {unread}"
    found = {row.measure: row.estimate for row in rows if row.measure in AUROC_OF}
    spoken, probe, token = (found[AUROC_OF(name)] for name in ("stated_after", MAIN, "token_probability"))
    return f"{model}: {_stated(answered, spoken, _within(rows))} {_probed(rows, probe, token)}{_carried(rows)}"


def _stated(answered: Sequence[Trial], spoken: Estimate, within: Estimate) -> str:
    if (unread := _not_in_kind(answered)) is not None:
        return f"cannot tell whether it says when it is right. {unread}"
    way = next((f"asked by {t.readings['stated_way']}; " for t in answered if t.readings.get("stated_way")), "")
    figures = f"{way}AUROC {beside(spoken, 0.5)}; difficulty-stratified {within}"
    if within.above(0.5):
        return f"stated confidence discriminates right from wrong answers ({figures})."
    if within.known:
        return (
            f"stated confidence was not found to discriminate right from wrong answers of equal difficulty ({figures})."
        )
    return f"cannot tell whether it says when it is right at equal difficulty ({figures})."


def _probed(rows: Sequence[Row], probe: Estimate, token: Estimate) -> str:
    over = next(r.estimate for r in rows if r.measure == "gain of the probe" and r.where["over"] == "token_probability")
    level = [BASELINES[name] for name in BASELINES if not _beaten(rows, name)]
    if not probe.known:
        return "No probe could be judged."
    knows = "can be read" if probe.above(0.5) else "was not found to be readable"
    more = "more than" if over.above(0) else "not shown to be more than"
    text = (
        f"Where it predicts its answer, being right {knows} by a probe (AUROC {beside(probe, 0.5)}), {more} what the "
        f"answer's own probability tells ({token})"
    )
    return f"{text}; at equal difficulty not shown to be more than the {', '.join(level)}." if level else f"{text}."


def _carried(rows: Sequence[Row]) -> str:
    """What becomes of the probe on kinds of question that it was not fitted on."""
    found = {r.where["probe fitted on"]: r.estimate for r in rows if r.measure == "auroc within kinds"}
    fresh = found.get("other kinds", missing("not measured"))
    if not fresh.known:
        return ""
    holds = "carries over" if fresh.above(0.5) else "is not shown to carry over"
    return (
        f" Fitted on other kinds of question, in other words, it {holds}: AUROC within kinds {beside(fresh, 0.5)}, "
        f"where one fitted on all kinds has {found['all kinds']}."
    )


def _unread(tested: Sequence[Trial]) -> str | None:
    answered = [trial for trial in tested if trial.outcomes["right"] is not None]
    return _unparsed(tested, answered) or _constant(answered) or _not_in_kind(answered)


def _unparsed(tested: Sequence[Trial], answered: Sequence[Trial]) -> str | None:
    """Why nothing is concluded from the answers; None where enough were read."""
    if len(answered) >= FEWEST:
        return None
    other = next((trial.text for trial in tested if trial.outcomes["right"] is None), "")
    shown = f' A typical reply: "{" ".join(other.split())[:_EXCERPT]}".' if other.strip() else ""
    return (
        f"{len(answered)} of {len(tested)} replies had an answer in the form asked for; {FEWEST} are needed.{shown} "
        "Change how answers are asked for or read (--materials), or ask more questions (--test)."
    )


def _constant(answered: Sequence[Trial]) -> str | None:
    """Why nothing is concluded from answers that are the same whatever is asked; None where they vary."""
    told = constant_answers(answered)
    if not told:
        return None
    return (
        f"It answered {'; '.join(told)}: which of these are right is the questions' doing. Ask in another form, or "
        "without options (--materials)."
    )


def _not_in_kind(answered: Sequence[Trial]) -> str | None:
    """Why nothing is concluded from what it says; None where enough was stated."""
    stated = sum(trial.readings.get("stated_after") is not None for trial in answered)
    if stated >= max(FEWEST, IN_KIND * len(answered)):
        return None
    way = next((str(trial.readings["stated_way"]) for trial in answered if trial.readings.get("stated_way")), None)
    best = "" if way is None else f" in the best way found ({way})"
    return (
        f"Asked how sure it was{best}, it put half of its probability on the words asked for in {stated} of "
        f'{len(answered)} replies. Change how confidence is asked for ("confidence" in wording.json).'
    )


def _within(rows: Sequence[Row]) -> Estimate:
    return next(
        (r.estimate for r in rows if r.measure == "within levels" and r.where["signal"] == "stated_after"),
        missing("not measured"),
    )


def _beaten(rows: Sequence[Row], name: str) -> bool:
    """Whether the probe tells more than this baseline among equally difficult questions."""
    return any(
        row.estimate.above(0) for row in rows if row.measure == "gain within levels" and row.where["over"] == name
    )
