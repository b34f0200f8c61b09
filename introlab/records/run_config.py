"""The file that repeats a run: what was asked for, without what it was done with. Every run writes its own.

A manifest says as much, and is taken as well: runs of before this file are repeated from theirs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from introlab.errors import InputError
from introlab.io.suggest import did_you_mean

CONFIG = "config.json"
HOW = ("batch_size", "deterministic", "dtype", "device", "materials", "trust_remote_code", "raw", "date")
"""Settings of a manifest that a repetition is given."""


@dataclass(frozen=True)
class RunConfig:
    """An experiment, its parameters, its models, and how it is to be run."""

    experiment: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    models: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Self:
        """What a manifest says was asked for."""
        settings = {name: manifest[name] for name in HOW if manifest.get(name) is not None}
        return cls(manifest["experiment"], manifest["parameters"], tuple(manifest["specs"]), settings)

    def to_json(self) -> str:
        """As the file holds it."""
        return json.dumps({**vars(self), "models": list(self.models)}, indent=2)

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file, or from the one in a run folder. Raises InputError where it is not what a run writes."""
        file = path / CONFIG if path.is_dir() and (path / CONFIG).is_file() else path
        file = path / "manifest.json" if file.is_dir() else file
        try:
            raw: Any = json.loads(file.read_text(encoding="utf-8"))
            config = cls.of(raw) if "specs" in raw else cls._parse(raw)
        except (OSError, AttributeError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputError(
                "not a configuration of a run",
                given=f"{file} ({type(error).__name__}: {' '.join(str(error).split())[:120]})",
                allowed=f"the {CONFIG} of a run folder: experiment, parameters, models, settings",
                do="copy it from a run, and change it",
            ) from error
        unknown = sorted(set(config.settings) - set(HOW))
        if unknown:
            raise InputError(
                "unknown settings",
                given=f"{', '.join(unknown)} in {file}",
                allowed=", ".join(HOW),
                do=did_you_mean(unknown[0], HOW) or "leave them out",
            )
        return config

    @classmethod
    def _parse(cls, raw: Any) -> Self:
        """Of the entries of a file. Raises TypeError or ValueError where one is unknown, or of another kind."""
        entries: dict[str, Any] = {**raw, "models": tuple(raw.get("models", ()))}
        kinds = {"experiment": str, "parameters": dict, "settings": dict}
        wrong = [name for name, kind in kinds.items() if name in entries and not isinstance(entries[name], kind)]
        wrong += ["models" for spec in entries["models"] if not isinstance(spec, str)]
        if wrong:
            raise ValueError(f"{wrong[0]} is of another kind")
        return cls(**entries)
