"""What each sentence of an organism's text does, told from its arithmetic and never from its words.

Organisms reflect in two of the four kinds (`probes.text.reflection_labels.KINDS`). They *verify*: an answer is followed
by the same sum worked out pair by pair. They *backtrack* where what they conclude from it is another answer. They set
no sub-goals (the steps are carried out, never announced) and never start from what is to be reached.
"""

import re
from dataclasses import dataclass

from organisms.world import Sum
from probes.text.reflection_labels import Mark, sentences

PLANTED = ("verification", "backtracking")
_STEPS = re.compile(r"\d(?: \+ \d gives \d)+")
_ANSWER = re.compile(r"\bit is (\d)")


@dataclass(frozen=True)
class PlantedSteps:
    """Marks the second attempts at sums; the name of a text is the sum it was asked for ("3 + 8 + 5")."""

    def __call__(self, example: str, text: str) -> list[Mark]:
        """*verification*: from the end of the first answer to the end of right steps of this very sum; *backtracking*:
        on to the end of the next answer, where that is another one."""
        item = _sum(example)
        ranges = sentences(text)
        said = [
            (index, match[1])
            for index, (start, stop) in enumerate(ranges)
            if (match := _ANSWER.search(text[start:stop]))
        ]
        worked = [index for index, (start, stop) in enumerate(ranges) if item and _is_worked(text[start:stop], item)]
        if item is None or not said:
            return []
        first, answer = said[0]
        marks: list[Mark] = []
        for index in worked:
            if index > first:
                begin = ranges[first + 1][0]
                marks.append(Mark(begin, ranges[index][1], "verification"))
                after = next(((at, other) for at, other in said if at > index), None)
                if after is not None and after[1] != answer:
                    marks.append(Mark(begin, ranges[after[0]][1], "backtracking"))
        return marks


def _sum(example: str) -> Sum | None:
    whole = re.fullmatch(r"\d(?: \+ \d)+", example)
    return Sum(tuple(int(one) for one in example.split(" + "))) if whole else None


def _is_worked(sentence: str, item: Sum) -> bool:
    found = _STEPS.search(sentence)
    return found is not None and f"{found[0]} ." == item.steps
