"""From the trials of a run to its findings, figures and report. Needs no model."""

from introlab.experiment.base import Experiment
from introlab.records.findings import Findings
from introlab.records.run import Run
from introlab.reporting.html import Chapter, render


def conclude(run: Run, experiment: Experiment) -> Findings:
    """Everything right of the trials: findings, figures, report, COMPLETE. Needs no model; the caller holds the lock.
    Nothing is written where the analysis fails."""
    trials = list(run.trials())
    findings = experiment.analyze(trials)
    drawn = experiment.draw(findings)
    html = render([Chapter(type(experiment), run.manifest, findings, drawn, trials)])
    run.conclude(findings, drawn, html)
    return findings
