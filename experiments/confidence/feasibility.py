"""What `confidence` can ask of a model that was checked, or which entry of the materials to change."""

from typing import TYPE_CHECKING

from experiments.confidence.verdicts import FEWEST, IN_KIND
from introlab.records.model_check import AnswersPart, Feasibility, ModelCheck, WaysPart, at_most, parsed, right

if TYPE_CHECKING:
    from experiments.confidence.experiment import Confidence

WELL_READ, WELL_IN_KIND = 0.8, 0.9
"""Shares from which on nothing has to be said about them."""
EASY, HARD = 0.85, 0.15
"""Shares of right answers within which a kind of question tells most."""


def feasible(experiment: "Confidence", check: ModelCheck) -> Feasibility:
    """From its answers, and what it said about them."""
    answers, ways = check.answers, check.ways
    if answers is None or ways is None:
        raise ValueError("a check without answers and ways")
    name = experiment.name()
    # Of a small run, too, it is asked whether the model could be decided on at all.
    test = max(experiment.test, type(experiment)().test)
    if (stop := _unread(answers, test)) or (stop := _one_sided(answers, test)):
        return Feasibility(name, "cannot be decided", *stop)
    best = next((way for way in ways.ways if way.name == ways.chosen), None)
    if best is None or at_most(best.in_kind, len(best.stated)) < IN_KIND:
        said = "nothing" if best is None else f"{best.in_kind} of {len(best.stated)} (asked by {best.name})"
        why = f"of replies to how sure it is, in kind: {said}; the verdict needs half of them"
        return Feasibility(name, "cannot be decided", why, "", '"confidence": {"ask_after": ...} in wording.json')
    total, read = len(answers.answers), parsed(answers.answers)
    why = f"{read} of {total} answers read, {right(answers.answers)} right; {_stated(ways)}"
    told = _telling(answers)
    settings = f"asked by {best.name}" + (f"; most telling: {', '.join(told)}" if told else "")
    poor = [kind for kind in answers.kinds if parsed(answers.of(kind)) < WELL_READ * len(answers.of(kind))]
    if poor or best.in_kind < WELL_IN_KIND * len(best.stated):
        change = f"questions of kind {', '.join(poor)} in questions.jsonl" if poor else '"ask_after" in wording.json'
        return Feasibility(name, "partly", why, settings, change)
    return Feasibility(name, "can be asked", why, settings)


def _unread(answers: AnswersPart, test: int) -> tuple[str, str, str] | None:
    """Why, with which settings (none), and what to change, where too few answers would be read."""
    total, read = len(answers.answers), parsed(answers.answers)
    if read and at_most(read, total) * test >= FEWEST:
        return None
    worst = min(answers.kinds, key=lambda kind: parsed(answers.of(kind)) / len(answers.of(kind)))
    reply = next((one.reply for one in answers.of(worst) if one.answer is None), "")
    why = f'{read} of {total} answers could be read; a typical reply: "{" ".join(reply.split())[:80]}"'
    room = f'"confidence": {{"settings": {{"room": {answers.room}}}}} in wording.json'
    return why, "", f"the wording of questions of kind {worst} in questions.jsonl, or {room}"


def _one_sided(answers: AnswersPart, test: int) -> tuple[str, str, str] | None:
    """The same, where nearly all of what would be read is right, or nearly all wrong."""
    read, good = parsed(answers.answers), right(answers.answers)
    fewer = min(good, read - good)
    if at_most(fewer, read) * read / len(answers.answers) * test >= FEWEST:
        return None
    which = "harder" if good > read - good else "easier"
    why = f"{good} of the {read} answers that could be read are right: right and wrong cannot be told apart"
    return why, "", f"questions.jsonl: {which} questions"


def _stated(ways: WaysPart) -> str:
    enough = [way for way in ways.ways if len(way.stated) and way.in_kind >= WELL_IN_KIND * len(way.stated)]
    return f"{len(enough)} of {len(ways.ways)} ways of asking how sure it is answered in kind"


def _telling(answers: AnswersPart) -> list[str]:
    """Kinds of questions of which it knows some and not others."""
    found = []
    for kind in answers.kinds:
        some = answers.of(kind)
        if (read := parsed(some)) >= WELL_READ * len(some) and HARD <= right(some) / read <= EASY:
            found.append(kind)
    return found
