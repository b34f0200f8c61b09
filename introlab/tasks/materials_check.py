"""Whether the files of a materials folder can be used, entry by entry, before any model is loaded.

What is told here by file, line and entry would otherwise show hours later, or never: a group in two splits leaks
what a probe was fitted on into its test; an answer that its pattern cannot read is marked wrong whatever is said.
"""

import re
import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from introlab.errors import InputError
from introlab.io.user_files import json_file, json_lines
from introlab.tasks.answer_numbers import find_number
from introlab.tasks.answer_texts import normal
from introlab.tasks.topic_words import folded

QUESTION_FORM = (
    '{"id": "1", "kind": "fact", "group": "France", "level": "1", "split": "test", "text": ..., "answer": ...}'
)
NAMES = ("id", "kind", "group", "level")
"""Entries of a question that may be numbers, too."""
WORDS = ("split", "text", "subject", "answer_type", "wording")
LISTS = ("aliases", "options")
FEWEST_TOPICS = 2
"""A push needs a topic that was asked about and another one."""


def question_entries(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The questions of a file as they stand there, each with its place; numbers as words. Raises InputError for a value
    of another type or none, an answer that could never be read, two questions of one id, or a group in two splits."""
    rows = [(where, _question(where, raw)) for where, raw in json_lines(path, form=QUESTION_FORM)]
    seen: dict[str, str] = {}
    split_of: dict[str, tuple[str, str]] = {}
    for where, raw in rows:
        if (name := raw.get("id")) in seen:
            _refuse("two questions of one id", f"{where}: id {name!r}, as in {seen[name]}", "give each its own")
        seen[raw.get("id", "")] = where
        group, split = raw.get("group", ""), raw.get("split", "")
        before, there = split_of.setdefault(group, (split, where))
        if before != split:
            _refuse(
                "a group in two splits: what is fitted on would be tested on",
                f"{where}: group {group!r} in {split!r}, in {there} in {before!r}",
                "keep all questions about one thing in one split",
            )
    if not rows:
        _refuse("no questions", str(path), f"write lines such as {QUESTION_FORM}")
    return rows


def topic_entries(path: Path) -> dict[str, Any]:
    """The topics of a file. Raises InputError for one without words of its own, a word of two topics, or fewer than two
    topics that experiments may push towards."""
    raw = json_file(path, form='{"oceans": {"words": ["reef", "tide"], "lab": true}}')
    owner: dict[str, str] = {}
    for name, topic in raw.items():
        where = f"{path}: {name}"
        if not isinstance(topic, dict) or set(topic) != {"words", "lab"} or not isinstance(topic["lab"], bool):
            _refuse("a topic that is not one", f"{where} = {str(topic)[:80]}", 'give {"words": [...], "lab": true}')
        _strings(where, "words", topic["words"])
        for word in topic["words"]:
            _topic_word(where, word, owner, name)
    if sum(topic["lab"] for topic in raw.values()) < FEWEST_TOPICS:
        count = sum(topic["lab"] for topic in raw.values())
        _refuse("too few topics", f'{path}: {count} with "lab": true', f"give {FEWEST_TOPICS} or more of them")
    return raw


def _topic_word(where: str, word: str, owner: dict[str, str], name: str) -> None:
    if (before := owner.setdefault(folded(word), name)) != name:
        _refuse("a word of two topics", f"{where}: {word!r} is of {before}, too", "leave it out of one of them")


def check_wording(path: Path, raw: Mapping[str, Any]) -> None:
    """Raises InputError naming an entry of another type, a pattern that cannot be used, a template without its
    `{topic}` or with a placeholder that nothing fills. Entries that are not given are not asked for."""
    checks: dict[str, Callable[[str, Any], None]] = {
        "answer": _answer_pattern,
        "answer_frame": _a_string,
        "reconsider_words": lambda where, value: _strings(where, "", value),
        "request_check": lambda where, value: _template(where, value, ()),
        "personas": _personas,
        "topic_templates": _templates,
        "request_topic": lambda where, value: _template(where, value, ("topic",)),
        "announcement": lambda where, value: _pattern(where, value, groups=0),
    }
    for name, value in raw.items():
        if name in checks:
            checks[name](f"{path}: {name}", value)


def check_answers(rows: Sequence[tuple[str, Mapping[str, Any]]], answer: str) -> None:
    """Raises InputError for a `word` question whose right answer the pattern `answer` could never read whole: it would
    be marked wrong whatever the model says."""
    pattern = re.compile(answer, re.IGNORECASE)
    openings = [
        each for each in ("i think it is ", "so it is ", "the answer is ", "") if pattern.search(f"{each}word .")
    ]
    for where, raw in rows:
        if raw.get("answer_type", "word") != "word" or not openings:
            continue
        found = pattern.search(f"{openings[0]}{raw['answer']} .")
        if found is None or normal(found[1]) != normal(raw["answer"]):
            _refuse(
                "an answer that would never be read",
                f"{where}: answer {raw['answer']!r} is read as {found[1] if found else None!r} by the pattern `answer`",
                'give the question "answer_type": "text" or "number", or mend the pattern in wording.json',
            )


def _question(where: str, raw: dict[str, Any]) -> dict[str, Any]:
    question = dict(raw)
    for name in (*NAMES, "answer"):
        if name in raw:
            question[name] = _word(where, name, raw[name])
    for name in WORDS:
        if name in raw and (not isinstance(raw[name], str) or (not raw[name].strip() and name != "wording")):
            _refuse(f"{name} is not a string with words", f"{where}: {name} = {str(raw[name])[:80]!r}")
    for name in LISTS:
        if name in raw:
            if not isinstance(raw[name], list):
                _refuse(f"{name} is not a list", f"{where}: {name} = {str(raw[name])[:80]!r}")
            question[name] = [_word(where, f"{name}[{index}]", each) for index, each in enumerate(raw[name])]
    if len(set(map(normal, question.get("options", ())))) < len(question.get("options", ())):
        _refuse("two options that read the same", f"{where}: options = {question['options']}")
    if question.get("answer_type") == "number" and find_number(question.get("answer", ""), "") is None:
        _refuse(
            "an answer that is no number", f"{where}: answer = {question.get('answer')!r}", 'such as "1,234" or 3.14'
        )
    return question


def _word(where: str, name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
        _refuse(f"{name} is neither words nor a number", f"{where}: {name} = {str(value)[:80]!r}")
    return str(value)


def _a_string(where: str, value: object) -> None:
    if not isinstance(value, str):
        _refuse("an entry that is not a string", f"{where} = {str(value)[:80]!r}")


def _strings(where: str, name: str, value: object) -> None:
    place = f"{where}: {name}" if name else where
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each.strip() for each in value):
        _refuse("an entry that is not a list of words", f"{place} = {str(value)[:80]!r}")


def _personas(where: str, value: object) -> None:
    if not isinstance(value, dict) or not all(isinstance(each, str) and each.strip() for each in value.values()):
        _refuse("personas that are not system turns by name", f"{where} = {str(value)[:80]!r}")


def _pattern(where: str, value: object, *, groups: int) -> None:
    _a_string(where, value)
    try:
        pattern = re.compile(str(value), re.IGNORECASE)
    except re.error as error:
        _refuse("a pattern that cannot be read", f"{where} = {str(value)!r}: {error}")
    if pattern.groups < groups:
        _refuse("a pattern without a group around what is read", f"{where} = {str(value)!r}", r"such as it is (\w+)")
    if pattern.search("") is not None:
        _refuse("a pattern that is found in every text, even an empty one", f"{where} = {str(value)!r}")


def _answer_pattern(where: str, value: object) -> None:
    _pattern(where, value, groups=1)


def _templates(where: str, value: object) -> None:
    if not isinstance(value, dict) or not {"extract", "test"} <= set(value) <= {"extract", "calibrate", "test"}:
        given = ", ".join(value) if isinstance(value, dict) else str(value)[:80]
        _refuse("templates of other splits", f"{where}: {given}", "give templates of extract and of test")
    for split, templates in value.items():
        _strings(f"{where}.{split}", "", templates)
        for template in templates:
            _template(f"{where}.{split}", template, ("topic",))
    twice = set(value["extract"]) & set(value["test"])
    if twice:
        _refuse("a template in two splits", f"{where}: {sorted(twice)[0]!r}", "test on another wording")


def _template(where: str, value: object, filled: Sequence[str]) -> None:
    _a_string(where, value)
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(str(value)) if name is not None]
    except ValueError as error:
        _refuse("a template that cannot be filled", f"{where} = {value!r}: {error}", "write a brace as {{ or }}")
    if set(names) != set(filled):
        wanted = ", ".join(f"{{{name}}}" for name in filled) or "no placeholder"
        _refuse("a template with other placeholders", f"{where} = {value!r}", f"use {wanted}")


def _refuse(what: str, given: str, do: str | None = None) -> NoReturn:
    raise InputError(what, given=given, do=do)
