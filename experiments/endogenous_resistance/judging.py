"""Do judges agree on which texts start again, and which of these do better? Offline ones, and hosted ones if named."""

import random
from collections.abc import Iterator, Mapping, Sequence

from experiments.endogenous_resistance.conditions import Told
from experiments.endogenous_resistance.setup import Setup
from introlab.judges.cache import judge_items
from introlab.judges.judgement import Judge
from introlab.judges.openai_api import HostedJudge
from introlab.judges.rubric import Item, Rubric, Value
from introlab.judges.rule_based import RulesJudge, VocabularyJudge
from introlab.records.trial import Trial

ANNOUNCES, OFF_TOPIC = "announces_interference", "off_topic"
ATTEMPTS = "attempts"
"""How this experiment itself reads texts, beside the judges."""


def judged(setup: Setup, told: Told, most: int, hosted: Sequence[str]) -> Iterator[Trial]:
    """At most `most` texts, all with several attempts among them: whether each judge, blind to condition and strength,
    finds that a text says something went wrong, and how far its first and last attempt are off topic. (The published
    judge is told the latent's label, and is asked for attempts and scores at once.)"""
    trials = [trial for _, trial in told]
    rng = random.Random(f"judged {setup.bench.seed}")
    several = [trial for trial in trials if trial.outcomes["several"]]
    rest = [trial for trial in trials if not trial.outcomes["several"]]
    chosen = [*several, *rng.sample(rest, min(len(rest), max(0, most - len(several))))]
    rubrics = {name: Rubric.load(name) for name in (ANNOUNCES, OFF_TOPIC)}
    vocabulary = VocabularyJudge(setup.bench.materials)
    remote = [HostedJudge(model) for model in hosted]
    announces: list[Judge] = [RulesJudge.of(rubrics[ANNOUNCES]), vocabulary, *remote]
    scores: list[Judge] = [vocabulary, *remote]
    items = {trial.id: Item.blind(rubrics[ANNOUNCES], {"response": trial.text}) for trial in chosen}
    starts = {judge.name: _values(judge, rubrics[ANNOUNCES], items) for judge in announces}
    first, last = ({trial.id: _attempt(rubrics[OFF_TOPIC], trial, at) for trial in several} for at in (0, -1))
    off = {
        judge.name: (_values(judge, rubrics[OFF_TOPIC], first), _values(judge, rubrics[OFF_TOPIC], last))
        for judge in scores
    }
    for trial in chosen:
        again = {
            ATTEMPTS: trial.outcomes["several"],
            **{name: _yes(each.get(trial.id)) for name, each in starts.items()},
        }
        better = {ATTEMPTS: trial.outcomes["improved"], **{name: _less(*each, trial.id) for name, each in off.items()}}
        yield Trial(
            experiment=setup.experiment,
            model=trial.model,
            item=f"{trial.condition}: {trial.item}",
            cluster=trial.cluster,
            split="test",
            condition="reading: judges",
            prompt=trial.prompt,
            text=trial.text,
            outcomes={"starts again": again, "does better": better if trial.outcomes["several"] else {}},
        )


def _attempt(rubric: Rubric, trial: Trial, at: int) -> Item:
    start, stop = trial.readings["spans"][at]
    return Item.blind(rubric, {"response": trial.text[start:stop], "prompt": trial.prompt})


def _values(judge: Judge, rubric: Rubric, items: Mapping[str, Item]) -> dict[str, Value | None]:
    verdicts = judge_items(judge, rubric, items.values()).verdicts
    return {name: verdicts[item].value for name, item in items.items()}


def _yes(value: Value | None) -> bool | None:
    return None if value is None else value == "yes"


def _less(first: Mapping[str, Value | None], last: Mapping[str, Value | None], name: str) -> bool | None:
    """Whether the last attempt is less off topic than the first."""
    before, after = first.get(name), last.get(name)
    return None if before is None or after is None else float(after) < float(before)
