"""Run folders for tests, made without a model from what an experiment simulates."""

from pathlib import Path

from experiments import find
from introlab.experiment.conclude import conclude
from introlab.records.receipt import Receipt
from introlab.records.run import Run
from introlab.records.trial import Trial

KIND = find("steering_resistance")
HOSTILE = "<script>window.hacked = true</script><img src=x onerror='window.hacked = true'>"
RECEIPT = Receipt("resid_post[2]", "generated", {"edit": "add", "raw": 2.5}, ((6, 7),), ((7, 9),), 0.5, "applied")


def manifest(**changes):
    """As `execute` writes it."""
    stated = {
        "experiment": KIND.name(),
        "question": KIND.question(),
        "primary": KIND.primary,
        "parameters": KIND().parameters(),
        "passed": [],
        "specs": ["organism:resistant"],
        "models": {},
        "versions": {},
        "code": {"commit": None, "changed": None},
        "python": "3",
        "started": "2026-01-01T00:00:00+00:00",
        "expected": {"texts": 600, "tokens": 9000},
    }
    return {**stated, **changes}


def simulated(seed=0, effect=1.0):
    return KIND().simulate(effect, seed)


def trial(item="a", **changes):
    """One by hand; `HOSTILE` where nothing else is said."""
    entries = {
        "experiment": KIND.name(),
        "model": "organism:resistant",
        "item": item,
        "cluster": item,
        "split": "extract",
    }
    return Trial(**{**entries, "condition": "by hand", "prompt": HOSTILE, "text": HOSTILE, **changes})


def begun(folder: Path, trials=(), **changes) -> Run:
    """A run that was interrupted."""
    run = Run.create(folder, manifest(**changes))
    run.record(trials)
    return run


def finished(folder: Path, seed=0, effect=1.0, more=(), **changes) -> Run:
    """A complete run; `more` trials are of a split that the analysis leaves out."""
    run = begun(folder, [*simulated(seed, effect), *more], **changes)
    run.settle()
    conclude(run, KIND())
    return run
