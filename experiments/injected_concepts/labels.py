"""Names of what is asked, of arms and of places, as trials carry them."""

from collections.abc import Iterable, Sequence

from experiments.shared.condition_families import ConditionFamily

DETECT, UNRELATED, MATCH, OWN = "detect", "always no", "match", "own words"
"""Answered by yes or no: is there a thought; an unrelated question whose answer is no; is it about this word; did you
mean to say that."""
NAME, CHOOSE, CHOOSE_UNRELATED = "name", "choose", "choose, always no"
"""Named freely; chosen among ten, by the mass of the word that follows a begun answer; the same answer begun after an
unrelated question."""
LOCALISE, COMPARE, REGULATE = "localise", "compare", "regulate"

BASELINE, TARGET, OTHER, FLIPPED, RANDOM = "baseline", "target", "another concept", "sign flipped", "random_direction"
WITHOUT_YES, YES_PUSH, WRITTEN = "without yes", "yes direction", "prompting"
"""A concept's direction without its part that promotes *yes* (v_perp); that part alone, at equal norm (v_parallel); the
concept as text."""
INFORMED = ConditionFamily("informed", ": ")
"""Arms, where the prompt explains what an injected thought is."""

PROMPT, ANSWER, BOTH, CACHE = "prompt", "answer", "both", "cache"
"""Where it is injected: the words of the question; where new tokens are predicted; both; an earlier turn alone, so that
the question itself is read clean and only keys and values of past tokens carry it."""
PLACES = {PROMPT: "the question", ANSWER: "new tokens", BOTH: "both", CACHE: "an earlier turn (cache alone)"}

QUESTIONS = {
    "detect_calibrate": "whether there is a thought, to choose layer and strength on",
    "detect": "whether there is a thought",
    "unrelated_calibrate": "always no, to choose layer and strength on",
    "unrelated": "always no",
    "name": "what the thought is about",
}
"""Questions a user may bring, as a file."""


def condition_of(asked: str, arm: str, place: str, informed: bool = False) -> str:
    """The condition of a trial: the arm alone where it is asked whether there is a thought, and injected there."""
    name = INFORMED(arm) if informed else arm
    return name if (asked, place) == (DETECT, PROMPT) else f"{asked}, {place}: {name}"


def in_order(models: Iterable[str], declared: Sequence[str]) -> list[str]:
    """Those that were declared first, in their order, then the others by name."""
    return sorted(set(models), key=lambda name: (declared.index(name) if name in declared else len(declared), name))
