"""The instruments, and the front door to the lab: ``import introlab as lab`` offers the names below and nothing else.

What every experiment needs, and nothing about any one of them, lies in the rooms of this package. Imports point one way
through these: errors, io, {stats, network}, {tasks, records}, interventions, {reporting, generation, activations},
{experiment, judges}. The names of the front door come from any package; each is imported when it is first used, so
that the import itself takes no time and loads no torch (PEP 562). docs/front_door.md shows them at work.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

# Two threads of OpenMP that wait actively starve each other, and everybody else, on a busy machine. It is read when
# torch loads its runtime, and every part of the lab imports this package before torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:  # for editors and type checkers; a test compares these with `_PUBLIC`
    from experiments.api.completion import Completion
    from experiments.api.contrasts import contrast, evaluate_probe, fit_probe, random_direction
    from experiments.api.generating import generate
    from experiments.api.reading import read, show_tokens
    from experiments.api.results import RunResults
    from experiments.api.running import run
    from experiments.api.steering_experiment import SteeringExperiment
    from introlab.activations.directions import Direction
    from introlab.activations.steering_terms import Steering
    from introlab.errors import LabError
    from introlab.network.model import Model, load
    from introlab.records.findings import Findings
    from introlab.records.receipt import Receipt
    from introlab.stats.interval import Estimate
    from probes.linear.probe import Probe

_PUBLIC = {
    "load": "introlab.network.model",
    "contrast": "experiments.api.contrasts",
    "random_direction": "experiments.api.contrasts",
    "generate": "experiments.api.generating",
    "read": "experiments.api.reading",
    "show_tokens": "experiments.api.reading",
    "fit_probe": "experiments.api.contrasts",
    "evaluate_probe": "experiments.api.contrasts",
    "run": "experiments.api.running",
    "SteeringExperiment": "experiments.api.steering_experiment",
    "Model": "introlab.network.model",
    "Direction": "introlab.activations.directions",
    "Steering": "introlab.activations.steering_terms",
    "Probe": "probes.linear.probe",
    "Completion": "experiments.api.completion",
    "Receipt": "introlab.records.receipt",
    "Estimate": "introlab.stats.interval",
    "Findings": "introlab.records.findings",
    "RunResults": "experiments.api.results",
    "LabError": "introlab.errors",
}
"""Where each public name is."""

__all__ = [
    "Completion",
    "Direction",
    "Estimate",
    "Findings",
    "LabError",
    "Model",
    "Probe",
    "Receipt",
    "RunResults",
    "Steering",
    "SteeringExperiment",
    "contrast",
    "evaluate_probe",
    "fit_probe",
    "generate",
    "load",
    "random_direction",
    "read",
    "run",
    "show_tokens",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
