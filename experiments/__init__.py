"""Asking: one question, one file. Whatever experiment is in this folder is found; there is no list to keep."""

import importlib
import pkgutil

from introlab.errors import InputError
from introlab.experiment.base import Experiment


def discover() -> dict[str, type[Experiment]]:
    """Every experiment of this package by name. Modules that start with an underscore only help others."""
    found: dict[str, type[Experiment]] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for value in vars(loaded).values():
            if isinstance(value, type) and issubclass(value, Experiment) and value.__module__ == loaded.__name__:
                found[value.name()] = value
    return found


def find(name: str) -> type[Experiment]:
    """The experiment of this name (hyphens count as underscores). Raises InputError for any other."""
    known = discover()
    wanted = name.replace("-", "_")
    if wanted not in known:
        raise InputError(
            "unknown experiment",
            given=name,
            allowed=", ".join(sorted(known)),
            do="introlab list says what each one asks",
        )
    return known[wanted]
