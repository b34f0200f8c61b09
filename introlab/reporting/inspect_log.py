"""A run as a log of Inspect (https://inspect.aisi.org.uk), version 2 of its format: what its viewer opens.

Written as plain JSON: Inspect itself is needed to look at it (extra `inspect`), not to write it.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from introlab.records.export import check_target, write_export
from introlab.records.findings import Findings
from introlab.records.run import Run
from introlab.records.trial import Trial
from introlab.reporting.tables import place

ENDINGS = (".json",)


def export_inspect(run: Run, path: Path) -> int:
    """Write the trials of a run as an Inspect log outside of it; returns how many. A trial is a sample, its known
    outcomes are scores: one that could not be had has none. Raises InputError as `exports.export` does."""
    check_target(run, path, ENDINGS)
    log = inspect_log(run)
    text = json.dumps(log, allow_nan=False)
    write_export(path, lambda beside: beside.write_text(text, encoding="utf-8"))
    return len(log["samples"])


def inspect_log(run: Run) -> dict[str, Any]:
    """The fields of an EvalLog: those it requires, and those in which a run has something to say."""
    manifest = run.manifest
    findings = run.findings if run.complete and (run.folder / "findings.json").exists() else None
    samples = [_sample(trial) for trial in run.trials()]
    started = str(manifest.get("started", ""))
    return {
        "version": 2,
        "status": "success" if run.complete else "started",
        "eval": _spec(manifest, findings, [sample["id"] for sample in samples]),
        "plan": {"name": str(manifest.get("experiment", ""))},
        "results": {
            "total_samples": len(samples),
            "completed_samples": len(samples),
            "scores": list(_scores(findings)) if findings else [],
        },
        "stats": {"started_at": started, "completed_at": ""},
        "samples": samples,
    }


def _spec(manifest: Mapping[str, Any], findings: Findings | None, ids: list[str]) -> dict[str, Any]:
    told = ("question", "primary", "parameters", "specs", "models", "code", "python")
    return {
        "created": str(manifest.get("started", "")),
        "task": str(manifest.get("experiment", "")),
        "dataset": {"name": str(manifest.get("materials") or "the lab's"), "samples": len(ids), "sample_ids": ids},
        "model": ", ".join(manifest.get("specs", ())),
        "task_args": dict(manifest.get("parameters", {})),
        "config": {},
        "packages": {name: str(value) for name, value in manifest.get("versions", {}).items()},
        "metadata": {name: manifest[name] for name in told if name in manifest}
        | ({"answer": findings.answer, "checks": findings.as_json()["checks"]} if findings else {}),
    }


def _scores(findings: Findings) -> Iterator[dict[str, Any]]:
    """The primary outcome, of each model that has a value: everything else is in the report, beside its controls."""
    for measure in dict.fromkeys(row.measure for row in findings.primary):
        metrics = {
            place(row.where): {
                "name": place(row.where),
                "value": row.estimate.value,
                "metadata": row.estimate.as_json(),
            }
            for row in findings.primary
            if row.measure == measure and row.estimate.value is not None
        }
        yield {"name": measure, "scorer": measure, "metrics": metrics}


def _sample(trial: Trial) -> dict[str, Any]:
    told = ("experiment", "model", "item", "cluster", "split", "condition", "strength", "draw", "replicate")
    entries = {name: getattr(trial, name) for name in told}
    answer = {"role": "assistant", "content": trial.text}
    return {
        "id": trial.id,
        "epoch": 1,
        "input": trial.prompt,
        "target": "",
        "messages": [{"role": "user", "content": trial.prompt}, answer],
        "output": {"model": trial.model, "choices": [{"message": answer, "stop_reason": "unknown"}]},
        "scores": {name: {"value": _value(value)} for name, value in trial.outcomes.items() if value is not None},
        "metadata": {**entries, "readings": trial.readings, "receipts": [vars(each) for each in trial.receipts]},
    }


def _value(value: Any) -> Any:
    """A score is a word, a number or a truth value; anything else is told as JSON."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)
