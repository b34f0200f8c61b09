"""The number that a reply states: in digits or in words, as a result and not as an operand."""

import re
from collections.abc import Iterator

UNITS = tuple(
    re.findall(
        r"\w+",
        "zero one two three four five six seven eight nine ten eleven"
        " twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    )
)
TENS = tuple(re.findall(r"\w+", "twenty thirty forty fifty sixty seventy eighty ninety"))
WORDS = {word: value for value, word in enumerate(UNITS)} | {word: 10 * n for n, word in enumerate(TENS, 2)}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6}
_WORD = "|".join(sorted((*WORDS, *SCALES), key=len, reverse=True))
NUMBER = re.compile(
    rf"(?P<digits>(?<![\w.])[-\u2212]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?![\d\w]))"
    rf"|\b(?P<words>(?:minus |negative )?(?:{_WORD})(?:(?:[ -]+(?:and )?)(?:{_WORD}))*)\b",
    re.IGNORECASE,
)
OPERATOR = (
    r"(?:[+/×÷=\u2212-]|\*(?=\s*\d)|plus\b|minus\b|times\b|and\s+[\d(]|multiplied|divided|added|subtracted|from\b|to\b)"
)
OPERAND = re.compile(r"(?:[+/×÷\u2212-]|[\d)]\s*\*|\b(?:plus|minus|times))\s*$", re.IGNORECASE)
SURE = (
    r"(?:=|\bequals?(?: to)?|\b(?:is|are|was|be)|\bgives?(?: us| you| me)?|\bgave|\bresults? in|\bmakes?|\bleaves?"
    r"(?: us| you| me)?(?: with)?|\bleft with|\bcomes? to|\b(?:adds?|sums?) up to|\btotals?|\btotal of|\bresult of"
    r"|\bthe answer|\bdifference of|\bsum of|\bget|\bgets|\bhave|\bhas|\bnumber|\byields?|\bof exactly)"
)
FILLER = (
    r"(?:\s|[:*_`\"'$(\[]|\\\(|\b(?:a total of|simply|just|exactly|only|about|still|now|then|also|be|the|number)\b)*"
)
RESTATES = re.compile(
    r"(?:\bif (?:you|we|i)\b|\b(?:sum|difference|product|result|total) (?:of|between)\s*)[^.,=]*$", re.I
)
AFTER = re.compile(r"\s*(?:\w+\s+){0,2}(?:left|remaining|in total|altogether|in all|protons)\b", re.IGNORECASE)
DENIED = re.compile(r"\b(?:not|isn't|rather than|instead of)\s+(?:\w+\s+)?$", re.IGNORECASE)
WEAK = re.compile(r"\b(?:get|gets|have|has|adds? up to|sums? up to|sum of|difference of|number)\s*$", re.IGNORECASE)
"""After these, a number of the question is only said again."""
SHORT = 6
"""Words of a reply that needs no sentence around its number."""


def numbers(text: str) -> Iterator[tuple[float, int, int]]:
    """Every number of a text with its place."""
    for match in NUMBER.finditer(text):
        if match["digits"]:
            digits = match["digits"].replace(",", "").replace("\u2212", "-")
            start = match.start()
            # A minus after a number or a bracket is an operator.
            if digits.startswith("-") and re.search(r"[\d)]\s*$", text[:start]):
                digits, start = digits[1:], start + 1
            yield float(digits), start, match.end()
        else:
            yield float(_value(match["words"])), match.start(), match.end()


def find_number(reply: str, question: str) -> tuple[float, tuple[int, int]] | None:
    """The last number stated as a result; in a reply of few words, its last number that the question does not hold."""
    given = {value for value, _, _ in numbers(question)}
    best, loose = None, None
    for value, start, stop in numbers(reply):
        before, after = reply[:start], reply[stop:]
        if DENIED.search(before) or re.match(rf"\s*[)*_`]*\s*{OPERATOR}\s*(?:[\d(]|$)", after):
            continue
        if OPERAND.search(before):
            continue
        word = reply[start:stop].lower()
        if word in ("one", "two", "zero") and re.match(r"\s+(?:of|numbers?|digits?|way|another)\b", after):
            continue
        if re.search(SURE + FILLER + "$", before, re.IGNORECASE):
            if value in given and (RESTATES.search(before) or WEAK.search(before)):
                continue
            best = (value, (start, stop))
        elif AFTER.match(after) and value not in given:
            best = (value, (start, stop))
        elif value not in given:
            loose = (value, (start, stop))
    if (
        best is None
        and loose is not None
        and (len(reply.split()) <= SHORT or not reply[: loose[1][0]].strip(" *_(`\"'"))
    ):
        return loose
    return best


def _value(words: str) -> int:
    total, part, negative = 0, 0, False
    for word in re.findall(r"[a-z]+", words.lower()):
        if word in ("minus", "negative"):
            negative = True
        elif word in WORDS:
            part += WORDS[word]
        elif word == "hundred":
            part = max(part, 1) * 100
        elif word in SCALES:
            total, part = total + max(part, 1) * SCALES[word], 0
    return -(total + part) if negative else total + part
