"""Asking: one question, one package or file. Experiments are found by being in this folder; there is no list."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator

from introlab.errors import InputError
from introlab.experiment.base import Experiment
from introlab.io.suggest import did_you_mean


def discover() -> dict[str, type[Experiment]]:
    """Every experiment of this package by name: declared in ``NAME/experiment.py``, or in ``NAME.py`` where one file is
    enough. No model's library is loaded by a declaration."""
    found: dict[str, type[Experiment]] = {}
    for module in _declarations():
        loaded = importlib.import_module(module)
        for value in vars(loaded).values():
            if isinstance(value, type) and issubclass(value, Experiment) and value.__module__ == module:
                found[value.name()] = value
    return found


def _declarations() -> Iterator[str]:
    for module in pkgutil.iter_modules(__path__):
        name = f"{__name__}.{module.name}"
        if not module.ispkg and not module.name.startswith("_"):
            yield name
        elif module.ispkg and importlib.util.find_spec(f"{name}.experiment"):
            yield f"{name}.experiment"


def find(name: str) -> type[Experiment]:
    """The experiment of this name, or that once had it (hyphens count as underscores). Raises InputError for any
    other."""
    known = discover()
    wanted = name.replace("-", "_")
    former = {old: kind for kind in known.values() for old in kind.former_names}
    if wanted not in known and wanted not in former:
        raise InputError(
            "unknown experiment",
            given=name,
            allowed=", ".join(sorted(known)),
            do=did_you_mean(name, known) or "introlab list says what each one asks",
        )
    return known.get(wanted) or former[wanted]
