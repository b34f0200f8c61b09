"""`introlab --completion SHELL`: the whole tree of commands and flags, as a script for the shell.

Commands are imported one at a time when they are given; here, once, all of them are.
"""

import importlib
from dataclasses import make_dataclass
from typing import Annotated, Any, Union

import tyro

from experiments import discover
from experiments.cli.commands import COMMANDS
from experiments.cli.models import Fetch, Listing
from experiments.cli.run import RunOptions, command_of
from introlab.errors import InputError

SHELLS = ("bash", "zsh", "tcsh")


def print_completion(arguments: list[str]) -> int:
    """Print the script. Raises InputError for a shell it cannot be written for."""
    _, equals, shell = arguments[0].partition("=")
    shell = shell if equals else (arguments[1] if len(arguments) > 1 else "")
    if shell not in SHELLS:
        raise InputError(
            "a completion for which shell?",
            given=shell or None,
            allowed=", ".join(SHELLS),
            do='eval "$(introlab --completion bash)" in ~/.bashrc; for zsh, a file _introlab in a folder of $fpath',
        )
    try:
        tyro.cli(tree(), args=["--tyro-print-completion", shell], prog="introlab")
    except SystemExit as left:  # the argument parser's own way out
        return int(left.code or 0)
    return 0


def tree() -> Any:
    """Every command as one type, those with commands of their own inside."""
    from experiments.cli.saes import Pages, Show, TrainSae
    from organisms.__main__ import SUBCOMMANDS

    nested: dict[str, Any] = {
        "run": _union(
            {name.replace("_", "-"): command_of(kind, RunOptions(), kind()) for name, kind in discover().items()}
        ),
        "models": _union({"list": Listing, "fetch": Fetch}),
        "saes": _union({"train": TrainSae, "show": Show, "pages": Pages}),
        "organisms": _union(SUBCOMMANDS),
    }
    kinds: dict[str, Any] = {}
    for name, entry in COMMANDS.items():
        if name in nested:
            chosen = Annotated[nested[name], tyro.conf.arg(name="")]
            kinds[name] = make_dataclass(f"Tree_{name}", [("chosen", tyro.conf.OmitSubcommandPrefixes[chosen])])
        else:
            kinds[name] = getattr(importlib.import_module(entry.module), entry.name)
    return _union(kinds)


def _union(kinds: dict[str, Any]) -> Any:
    return Union[  # noqa: UP007 (made at run time)
        tuple(Annotated[kind, tyro.conf.subcommand(name, prefix_name=False)] for name, kind in kinds.items())
    ]
