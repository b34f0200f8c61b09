"""Raw exchanges and how much could be read, beside the answer of a report: prompt, reply, and how it was read.

All of it comes from the trials alone, so a report of a stored run, however old, has it too.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from introlab.records.trial import Trial
from introlab.reporting.tables import by_name
from introlab.stats.estimates import proportion

SHOWN = 12
UNREAD = 3
"""Of these, as many as there are up to so many are ones that could not be read."""
MOST_CHARACTERS, MOST_OF_A_READING = 700, 400
_NOT = "not "


def shares_html(trials: Sequence[Trial], readable: Mapping[str, str]) -> str:
    """By model, the share of unsteered test replies of which each thing could be had. `readable` says by what is
    counted, in words, and the outcome or reading that is None where it could not be read; `not NAME`: that is False."""
    rows = [
        f"<tr><td>{escape(model)}</td><td>{escape(words)}</td><td>{told}</td></tr>"
        for model in sorted({trial.model for trial in trials})
        for words, name in readable.items()
        if (told := _share([trial for trial in _unsteered(trials) if trial.model == model], name))
    ]
    if not rows:
        return ""
    head = "<tr><th>model</th><th>of its unsteered replies</th><th>share</th></tr>"
    return f"<div class='scroll'><table class='read'>{head}{''.join(rows)}</table></div>"


def _unsteered(trials: Sequence[Trial]) -> list[Trial]:
    tests = [trial for trial in trials if trial.split == "test" and trial.text]
    return [trial for trial in tests if trial.condition == "baseline"] or tests


def _share(trials: Sequence[Trial], name: str) -> str:
    """Of the trials that have this outcome or reading at all; empty where none has."""
    had = [found for trial in trials if (found := could_be_read(trial, name)) is not None]
    if not had:
        return ""
    clusters = [trial.cluster for trial in trials if could_be_read(trial, name) is not None]
    share = proportion(had, clusters)
    return f"<strong>{share.percent}</strong> ({sum(had)} of {len(had)})"


def could_be_read(trial: Trial, name: str) -> bool | None:
    """Whether a trial has a value there (of `not NAME`: the value False); None where nothing of the kind was looked
    for."""
    plain = name.removeprefix(_NOT)
    values = {**trial.readings, **trial.outcomes}
    if plain not in values:
        return None
    return values[plain] is False if name.startswith(_NOT) else values[plain] is not None


def exchanges_html(trials: Sequence[Trial], readable: Mapping[str, str]) -> str:
    """Up to a dozen exchanges, word for word; all of it escaped."""
    picked = picked_exchanges(trials, readable)
    if not picked:
        return ""
    name = next(iter(readable.values()), "")
    unread = sum(could_be_read(trial, name) is False for trial in picked)
    told = f"{len(picked)} raw exchanges, of which {unread} could not be read"
    conditions = len({(trial.model, trial.condition) for trial in trials if trial.split == "test" and trial.text})
    note = (
        f"Drawn with a fixed seed, condition by condition ({conditions} in all), with up to {UNREAD} that could not be "
        "read."
    )
    return (
        f"<details class='raw'><summary>{told}: prompt, reply, and how it was read</summary>"
        f"<p class='where'>{note}</p>{''.join(_exchange(trial, readable) for trial in picked)}</details>"
    )


def picked_exchanges(trials: Sequence[Trial], readable: Mapping[str, str]) -> list[Trial]:
    """SHOWN test texts, or all there are, the same for the same trials in any order: some that could not be read, the
    others from condition after condition."""
    known = sorted((trial for trial in trials if trial.split == "test" and trial.text), key=lambda trial: trial.id)
    name = next(iter(readable.values()), "")
    order = random.Random(0).sample(known, len(known))
    unread = [trial for trial in order if could_be_read(trial, name) is False][:UNREAD]
    taken = {trial.id for trial in unread}
    turns: Counter[tuple[str, str]] = Counter()
    ranked: list[tuple[int, int, Trial]] = []
    for index, trial in enumerate(trial for trial in order if trial.id not in taken):
        cell = trial.model, trial.condition
        ranked.append((turns[cell], index, trial))
        turns[cell] += 1
    ranked.sort(key=lambda one: one[:2])
    return [*(trial for _, _, trial in ranked[: SHOWN - len(unread)]), *unread]


def _exchange(trial: Trial, readable: Mapping[str, str]) -> str:
    name = next(iter(readable.values()), "")
    read = trial.outcomes | {each: trial.readings[each] for each in readable.values() if each in trial.readings}
    of = f"{trial.model}, {trial.condition}" + (f", strength {trial.strength:g}" if trial.strength else "")
    unread = "<strong class='unread'>could not be read</strong>; " if could_be_read(trial, name) is False else ""
    return (
        f"<div class='example'><p class='where'><strong>{escape(of)}</strong> {escape(trial.item)}</p>"
        f"<p class='prompt'>{escape(_cut(trial.prompt))}</p><p class='text'>{escape(_cut(trial.text))}</p>"
        f"<p class='where'>read as: {unread}{escape(_cut(by_name(read), MOST_OF_A_READING))}</p></div>"
    )


def _cut(text: str, most: int = MOST_CHARACTERS) -> str:
    return text if len(text) <= most else f"{text[:most]} …"
