"""An experiment's own prompts: data beside it, entry by entry overridden by what a model's materials say of it."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from introlab.errors import InputError
from introlab.io.user_files import json_file
from introlab.tasks.materials import Materials

P = TypeVar("P")


def prompts_of(kind: type[P], file: Path, materials: Materials, experiment: str) -> P:
    """`kind` is a frozen dataclass of strings, tuples of strings and tables of strings; `file` holds all of its entries
    as JSON, in the words a general chat model is asked in. The entry `experiment` of a materials folder's
    wording.json takes the place of those it names.

    Raises InputError for an entry that is missing, unknown or of another type, naming the file.
    """
    raw = json_file(file, form="an object of prompts")
    wanted = get_type_hints(kind)
    own = {name: value for name, value in materials.own.get(experiment, {}).items() if name != SETTINGS}
    place = materials.folder / "wording.json"
    for given, where in ((raw, file), (own, place)):
        if unknown := sorted(set(given) - set(wanted)):
            raise InputError(
                f"prompts that {experiment} does not ask",
                given=f"{where}: {', '.join(unknown)}",
                allowed=", ".join(sorted(wanted)),
            )
    if missing := sorted(set(wanted) - set(raw)):
        raise InputError(f"prompts of {experiment} are missing", given=f"{file}: {', '.join(missing)}")
    entries = {**raw, **own}
    return kind(
        **{
            one.name: _checked(entries[one.name], wanted[one.name], one.name, place if one.name in own else file)
            for one in fields(kind)  # type: ignore[arg-type]
        }
    )


SETTINGS = "settings"
"""The entry, among an experiment's own, that holds values of parameters which its user left open."""


def setting(materials: Materials, experiment: str, name: str) -> Any:
    """What the materials choose for a parameter that the user left open (a layer, a kind of question); None where they
    choose nothing."""
    chosen: Mapping[str, Any] = materials.own.get(experiment, {}).get(SETTINGS, {})
    return chosen.get(name)


def _checked(value: Any, wanted: Any, name: str, where: Path) -> Any:
    if wanted is str and isinstance(value, str):
        return value
    if get_origin(wanted) is tuple and isinstance(value, list) and all(isinstance(each, str) for each in value):
        length = None if Ellipsis in get_args(wanted) else len(get_args(wanted))
        if value and length in (None, len(value)):
            return tuple(value)
    if get_origin(wanted) is dict and isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
        return dict(value)
    raise InputError("a prompt of another type", given=f"{where}: {name} = {str(value)[:80]!r}", allowed=str(wanted))
