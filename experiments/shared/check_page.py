"""The check of a model as one page of text: the answer on the first screen, then what it rests on."""

import textwrap
from collections.abc import Sequence

from introlab.records.model_check import AnswersPart, Feasibility, ModelCheck, RawExchange, WaysPart, parsed, right

WIDTH = 100
MOST_OF_A_TEXT = 300
"""Characters of a prompt or a reply."""
EXCHANGES_OF_A_KIND = 2


def check_text(check: ModelCheck, found: Sequence[Feasibility]) -> str:
    """Lines of at most WIDTH characters, but for a model's own words."""
    sections = [_head(check), "\n".join(map(_in_short, found)), _overview(check)]
    sections += [_of_experiment(each) for each in found if each.why or each.settings or each.change]
    if check.answers:
        sections += [_answers_table(check.answers)]
    if check.ways:
        sections += [_ways_table(check.ways)]
    sections += [_others(check)]
    if check.answers:
        sections += [_prompts(check.answers), _replies(check.answers)]
    for title, part in (("Asked to check", check.rechecks), ("About topics", check.topics)):
        if part:
            sections.append(f"{title}: raw texts\n{''.join(map(_exchange, part.exchanges))}")
    return "\n\n".join(section for section in sections if section).rstrip() + "\n"


def _head(check: ModelCheck) -> str:
    return (
        f"What can be asked of {check.model}\n"
        f"weights {check.fingerprint}, template {check.template}, materials {check.materials}; "
        f"asked in {sum(check.seconds.values()):.0f} s"
    )


def _in_short(found: Feasibility) -> str:
    """One line: whether it can be asked, and what to change where it cannot."""
    line = f"{found.experiment}: {found.possible.upper()}"
    return textwrap.shorten(f"{line}; change {found.change}" if found.change else line, WIDTH, placeholder=" ...")


def _of_experiment(found: Feasibility) -> str:
    lines = [f"{found.experiment}: {found.possible.upper()}"]
    for label, text in (("", found.why), ("settings: ", found.settings), ("change: ", found.change)):
        if text:
            lines += textwrap.wrap(label + text, WIDTH - 4, initial_indent="    ", subsequent_indent="      ")
    return "\n".join(lines)


def _overview(check: ModelCheck) -> str:
    """One line for what was read, and one for what was in kind."""
    told = []
    if check.answers and (total := len(check.answers.answers)):
        every = check.answers.answers
        told.append(f"answers: {_share(parsed(every), total)} read, {_share(right(every), total)} right")
    if check.ways:
        shares = [f"{way.name} {_share(way.in_kind, len(way.stated))}" for way in check.ways.ways]
        told += textwrap.wrap(f"confidence in kind: {', '.join(shares)}", WIDTH, subsequent_indent="    ")
    return "\n".join(told)


def _answers_table(answers: AnswersPart) -> str:
    table = [["kind", *answers.levels, "all"]]
    for kind in (*answers.kinds, None):
        cells = [answers.of(kind, level) for level in (*answers.levels, None)]
        counts = [f"{right(cell)}/{parsed(cell)}/{len(cell)}" if cell else "" for cell in cells]
        table.append([kind or "all", *counts])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            (row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)))
        )
        for row in table
    ]
    title = f"Right / read / asked, by level (1 is easiest; at most {answers.room} new tokens)"
    return "\n  ".join((title, *lines))


def _ways_table(ways: WaysPart) -> str:
    lines = ["How sure is it? Each way of asking, of the same answers (mass: probability on the words asked for)"]
    lines.append(f"  {'way':22}{'asked':>8}{'in kind':>12}{'mass':>8}{'spread':>8}  first reply")
    for way in ways.ways:
        spread = "" if way.spread is None else f"{way.spread:.3f}"
        counts = f"{way.in_kind} of {len(way.stated)}"
        reply = " ".join(way.example.reply.split())[:36]
        mark = "*" if way.name == ways.chosen else " "
        lines.append(f"{mark} {way.name:22}{way.when:>8}{counts:>12}{way.mean_mass:>8.2f}{spread:>8}  {reply!r}")
    lines.append("  * the way that would be used: in kind in nine of ten, and of these the greatest spread")
    return "\n".join(lines)


def _others(check: ModelCheck) -> str:
    lines = []
    if (found := check.rechecks) is not None:
        lines.append(
            f"Reconsiders: {found.reconsidered} of {found.decided} decided texts left alone ({found.asked} asked), "
            f"{found.reconsidered_on_request} of {found.decided_on_request} asked to check"
        )
        lines.append(f"Asked again in a turn of its own: {found.changed} of {found.asked_again} answers changed")
    if (topics := check.topics) is not None:
        lines.append(
            f"Unsteered texts: {topics.on_topic} of {topics.texts} on topic ({topics.with_words} have topic words), "
            f"{topics.coherent} coherent"
        )
        lines.append(f"  log-probability a token {topics.likelihood:.2f}, repeated triples {topics.repeated:.2f}")
    return "\n".join(lines)


def _prompts(answers: AnswersPart) -> str:
    shown = "".join(f"\n  {kind}: {_short(prompt)}" for kind, prompt in answers.prompts.items())
    return f"One prompt of each kind, as the model is given it{shown}"


def _replies(answers: AnswersPart) -> str:
    """Of each kind the first reply that was read and the first that was not, or two that were."""
    lines = ["Real replies"]
    for kind in answers.kinds:
        some = answers.of(kind)
        unread = [one for one in some if one.answer is None][:1]
        read = [one for one in some if one.answer is not None][: EXCHANGES_OF_A_KIND - len(unread)]
        for one in (*read, *unread):
            told = "unparsable" if one.answer is None else f"{one.answer} ({'right' if one.right else 'wrong'})"
            lines.append(f"  {kind}, level {one.level}: {_short(one.text)}\n    {_short(one.reply)!r} -> {told}")
    return "\n".join(lines)


def _exchange(one: RawExchange) -> str:
    return f"  {_short(one.prompt)}\n    {_short(one.reply)!r} -> {one.read}\n"


def _short(text: str) -> str:
    one_line = text.replace("\n", "\\n")
    return one_line if len(one_line) <= MOST_OF_A_TEXT else f"{one_line[:MOST_OF_A_TEXT]} …"


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.0f} %" if total else "none asked"
