"""Whether answers vary with the question, and whether one place among the options is chosen whatever stands there."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from introlab.records.findings import Check, Row
from introlab.records.trial import Trial
from introlab.stats.estimates import proportion
from introlab.tasks.answers import ParsedAnswer
from introlab.tasks.materials import Question
from introlab.tasks.option_order import place_of

CONTROL = "answers_vary"
CONSTANT = 0.9
"""From this share of one answer, or of one place, on, answers are taken not to vary with the question."""
FEWEST = 10
"""Answered questions below which it cannot be told."""
_LETTERS = "ABCDEFGH"


def answer_given(question: Question, found: ParsedAnswer) -> dict[str, Any]:
    """For a trial's outcomes: what was answered, and of a choice its place, the right one's, and how many there are."""
    given: dict[str, Any] = {"answer": found.answer}
    if question.options:
        right = question.options.index(question.answer)
        given |= {"place": place_of(question, found.answer), "right place": right, "places": len(question.options)}
    return given


@dataclass(frozen=True)
class _Answers:
    """Of one kind of question: each answer, or the letter of its place, beside the right one where that is known."""

    kind: str
    given: tuple[str, ...]
    clusters: tuple[str, ...]
    places: int
    """0 where no options were offered."""

    @property
    def most(self) -> tuple[str, int]:
        return Counter(self.given).most_common(1)[0]

    @property
    def constant(self) -> bool | None:
        if len(self.given) < FEWEST:
            return None
        return self.most[1] >= CONSTANT * len(self.given)

    @property
    def told(self) -> str:
        answer, times = self.most
        return f"{answer} in {times} of {len(self.given)} {self.kind} questions"


def _by_kind(trials: Sequence[Trial]) -> list[_Answers]:
    kept: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for trial in trials:
        outcomes: Mapping[str, Any] = trial.outcomes
        places, place, answer = (outcomes.get(name) for name in ("places", "place", "answer"))
        given = answer if not places else None if place is None else _LETTERS[int(place)]
        if given is not None:
            kept.setdefault((str(outcomes.get("kind", "")), int(places or 0)), []).append((str(given), trial.cluster))
    return [
        _Answers(kind, tuple(one for one, _ in pairs), tuple(cluster for _, cluster in pairs), places)
        for (kind, places), pairs in sorted(kept.items())
    ]


def constant_answers(trials: Sequence[Trial]) -> list[str]:
    """In words, the kinds of question to which one answer was given whatever was asked: "A in 59 of 59 two-choice
    questions"."""
    return [each.told for each in _by_kind(trials) if each.constant]


def place_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """How often each place among the options was chosen, and how often the right one stood there."""
    rights: dict[tuple[str, int], list[tuple[int, str]]] = {}
    for trial in trials:
        if trial.outcomes.get("places"):
            key = str(trial.outcomes.get("kind", "")), int(trial.outcomes["places"])
            rights.setdefault(key, []).append((int(trial.outcomes["right place"]), trial.cluster))
    for each in _by_kind(trials):
        right = rights.get((each.kind, each.places), [])
        for index, letter in enumerate(_LETTERS[: each.places]):
            where = {"model": model, "kind": each.kind, "place": letter}
            yield Row("chosen place", where, proportion([one == letter for one in each.given], each.clusters), "detail")
            stood = proportion([place == index for place, _ in right], [cluster for _, cluster in right])
            yield Row("place of the right option", where, stood, "detail")


def varies(trials: Sequence[Trial], suffix: str) -> Check:
    """Fails where all questions of a kind got one answer, and says which; what is right there is the question's doing
    and not the model's."""
    kinds = _by_kind(trials)
    told = [each.told for each in kinds if each.constant]
    known = [each for each in kinds if each.constant is not None]
    if told:
        return Check(CONTROL, False, f"answers do not vary with the question: {'; '.join(told)}{suffix}")
    if not known:
        return Check(CONTROL, None, f"fewer than {FEWEST} answers of a kind are known{suffix}")
    most = max(known, key=lambda each: each.most[1] / len(each.given))
    return Check(CONTROL, True, f"answers vary with the question; the most frequent is {most.told}{suffix}")
