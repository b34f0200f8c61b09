"""Texts that end at once, are one token long or hold white space only: every experiment goes through all its stages
with some and with nothing but such texts, and what it says can be written."""

import json
import warnings

import pytest
import torch

from experiments import discover
from introlab.errors import LabError
from introlab.experiment.context import RunContext
from introlab.generation.decode import DecodingBatch
from introlab.network.model import load
from introlab.tasks.materials import materials_for

EXPERIMENTS = sorted(discover().values(), key=lambda kind: kind.name())
SOME, ALL, PUSHED = 3, 1, 0
"""Every third text, every text, or those that are written under a push."""


@pytest.fixture
def ends_early(monkeypatch):
    """`ends_early(tokens, every)`: every so many texts have these first tokens, and end after them."""

    def make(tokens, every):
        honest = DecodingBatch._choose

        def choose(self, mine, logits, log_p):
            chosen, rows = honest(self, mine, logits, log_p), self.rows[mine]
            for index, row in enumerate(rows):
                if row is None:
                    continue
                turn = sum(row.request.item.encode()) + row.request.replicate
                if row.request.interventions if every == PUSHED else turn % every == 0:
                    written = [*tokens, self.model.end_ids[0]]
                    chosen[index] = written[min(row.index, len(written) - 1)]
            return chosen

        monkeypatch.setattr(DecodingBatch, "_choose", choose)

    return make


@pytest.mark.parametrize("every", [SOME, ALL, PUSHED], ids=["some", "all", "pushed"])
@pytest.mark.parametrize("kind", EXPERIMENTS, ids=lambda kind: kind.name())
def test_every_stage_with_empty_texts(kind, every, ends_early):
    ends_early((), every)
    _through_all_stages(kind)


@pytest.mark.slow
@pytest.mark.parametrize("tokens", ["one word", "white space"])
@pytest.mark.parametrize("kind", EXPERIMENTS, ids=lambda kind: kind.name())
def test_every_stage_with_one_token(kind, tokens, ends_early):
    model = load(kind.models[0], device="cpu")
    blank = [index for index in range(len(model.tokenizer)) if not model.text([index]).strip()]
    word = model.tokenizer.get_vocab()["wait"]
    ends_early((word,) if tokens == "one word" else (next(one for one in blank if one not in model.end_ids),), ALL)
    _through_all_stages(kind)


def _through_all_stages(kind):
    """Written as JSON without NaN; or refused in words, where nothing is left to ask about."""
    model = load(kind.models[0], device="cpu")
    torch.manual_seed(0)
    experiment = kind.debug_size()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            trials = list(experiment.trials(RunContext(model, materials_for(model))))
            findings = experiment.analyze(trials)
        except LabError as error:
            assert len(str(error).splitlines()) >= 2, error
            return
        for trial in trials:
            trial.to_line()
        json.dumps(findings.as_json(), allow_nan=False)
        experiment.draw(findings)
