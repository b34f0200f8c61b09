"""What the rows come to, in words: a claim, its estimate, and *cannot tell* where too little was read."""

from collections.abc import Mapping, Sequence

from experiments.confidence.beyond_difficulty import GAIN, JudgedSignal, grounds, judged
from experiments.confidence.labels import MAIN
from experiments.shared.answer_variation import constant_answers
from introlab.records.findings import Answer, Ground, Row
from introlab.records.trial import Trial
from introlab.stats.interval import missing
from introlab.stats.power import beside, visible

FEWEST = 20
"""Answers, or statements of confidence, below which nothing is concluded from them."""
IN_KIND = 0.5
"""Share of the answered questions of which its confidence must have been stated in the words asked for."""
VERDICTS: Mapping[Answer, str] = {
    "yes": "stated confidence discriminates beyond difficulty",
    "no": "stated confidence not found to discriminate beyond difficulty",
    "cannot tell": "cannot tell",
}
DISCRIMINATES: Mapping[Answer, str] = {
    "yes": "{what} discriminates correct from incorrect answers",
    "no": "{what} was not found to discriminate correct from incorrect answers of equal difficulty",
    "cannot tell": "cannot tell whether {what} discriminates correct from incorrect answers of equal difficulty",
}
MORE: Mapping[Answer, str] = {
    "yes": "tells more than {best}",
    "no": "was not found to tell more than {best}",
    "cannot tell": "it cannot be told whether it tells more than {best}",
}
_OWN = "what the answer's own probability tells there"
_EXCERPT = 80


def verdict(tested: Sequence[Trial], rows: Sequence[Row]) -> str:
    """Whether what it says after answering discriminates correct from incorrect answers of equal difficulty."""
    if _unread(tested) is not None:
        return "cannot tell"
    return VERDICTS[judged(rows, "stated_after").beyond]


def grounds_of(tested: Sequence[Trial], rows: Sequence[Row]) -> tuple[Ground, ...]:
    """The same question to every signal; none where nothing is concluded from the answers."""
    answered = [trial for trial in tested if trial.outcomes["right"] is not None]
    if _unparsed(tested, answered) or _constant(answered):
        return ()
    return grounds(rows, left_out=["stated_after"] if _not_in_kind(answered) else [])


def sentence(model: str, tested: Sequence[Trial], rows: Sequence[Row]) -> str:
    """The answer for one model."""
    answered = [trial for trial in tested if trial.outcomes["right"] is not None]
    if (unread := _unparsed(tested, answered) or _constant(answered)) is not None:
        return f"{model}: cannot tell. {unread}"
    spoken, probe = judged(rows, "stated_after"), judged(rows, MAIN)
    return f"{model}: {_stated(answered, spoken)} {_probed(rows, probe)}{_carried(rows)}"


def _stated(answered: Sequence[Trial], spoken: JudgedSignal) -> str:
    if (unread := _not_in_kind(answered)) is not None:
        return f"cannot tell whether stated confidence discriminates correct from incorrect answers. {unread}"
    way = next((f"asked by {t.readings['stated_way']}; " for t in answered if t.readings.get("stated_way")), "")
    return f"{DISCRIMINATES[spoken.discriminates].format(what='stated confidence')} ({way}{_figures(spoken)})."


def _probed(rows: Sequence[Row], probe: JudgedSignal) -> str:
    if not probe.pooled.known:
        return "No probe could be judged."
    told = f"{DISCRIMINATES[probe.discriminates].format(what='the probe before the answer')} ({_figures(probe)})"
    if probe.discriminates != "yes":
        return f"{told[0].upper()}{told[1:]}."
    effect = visible(probe.gain)
    least = "" if effect is None or probe.more == "yes" else f"; minimum detectable gain {effect:.2f}"
    more = MORE[probe.more].format(best=f"the best baseline, {probe.best},")
    over = next((r.estimate for r in rows if r.measure == GAIN and r.where["over"] == "token_probability"), None)
    own = "" if over is None else f"; {'more' if over.above(0) else 'not shown to be more'} than {_OWN} ({over})"
    return f"{told[0].upper()}{told[1:]} and {more} among equally difficult questions (gain {probe.gain}{least}){own}."


def _figures(signal: JudgedSignal) -> str:
    return f"AUROC {signal.pooled}; difficulty-stratified {beside(signal.within, 0.5)}"


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
