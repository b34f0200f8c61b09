"""The commands of `introlab`: where each is, and how one is found and run.

A command is a dataclass, whose fields are its flags and whose call runs it, or a function of the arguments.
"""

import importlib
from typing import Any, NamedTuple

import tyro

from introlab.errors import InputError
from introlab.io.environment import installed_version
from introlab.io.suggest import did_you_mean
from introlab.io.terminal import say


def organisms(arguments: list[str]) -> int:
    """Train organisms, write their cards, write the materials."""
    from organisms.__main__ import organisms_command

    return organisms_command(arguments)


class CommandEntry(NamedTuple):
    """Where a command is, so that only the one that is given is imported."""

    module: str
    name: str
    summary: str
    """The first line of its docstring, for `introlab --help`; a test compares them."""


_CLI = "experiments.cli"
COMMANDS = {
    "demo": CommandEntry(
        f"{_CLI}.demo",
        "Demo",
        "Every experiment in five minutes, on organisms and on a real chat model, and one report of it all.",
    ),
    "list": CommandEntry(f"{_CLI}.listing", "List", "The experiments and what each one asks."),
    "run": CommandEntry(f"{_CLI}.run", "run", "Run one experiment."),
    "report": CommandEntry(
        f"{_CLI}.report",
        "Report",
        "Write a run's findings, figures and report anew from its trials. Needs no model.",
    ),
    "export": CommandEntry(
        f"{_CLI}.export",
        "Export",
        "The trials of a run as one flat table (.csv, .parquet), or as a log that inspect_ai reads (.json).",
    ),
    "judge": CommandEntry(
        f"{_CLI}.judge",
        "JudgeRun",
        "Judge the texts of a finished run, or of a file of your own, by a rubric that the judge first gets right.",
    ),
    "runs": CommandEntry(
        f"{_CLI}.runs",
        "Runs",
        "The runs in a folder, newest first: state, trials, disk use. --prune removes those that are listed.",
    ),
    "compare": CommandEntry(
        f"{_CLI}.compare", "Compare", "Finished runs side by side: each later one against the first. Needs no model."
    ),
    "dashboard": CommandEntry(
        f"{_CLI}.dashboard",
        "Dashboard",
        "Runs in the browser: figures, tables, trials, two side by side, those still going (docs/dashboard.md).",
    ),
    "check": CommandEntry(
        f"{_CLI}.check",
        "CheckModel",
        "What can be asked of a model: replies, shares read, ways of asking how sure it is. Two minutes; kept.",
    ),
    "models": CommandEntry(
        f"{_CLI}.models",
        "models",
        "The models there are: organisms, those that can be fetched by name, and how to fetch them.",
    ),
    "read": CommandEntry(
        f"{_CLI}.own_texts", "Read", "Read activations of your own texts at the last token, into a safetensors file."
    ),
    "fit": CommandEntry(
        f"{_CLI}.own_fit",
        "Fit",
        "Fit a direction on your own labelled texts, and say how well it generalises beside a text-only baseline.",
    ),
    "steer": CommandEntry(
        f"{_CLI}.own_texts",
        "Steer",
        "Write continuations of your own texts with and without a push, beside a random direction of equal norm.",
    ),
    "saes": CommandEntry(
        f"{_CLI}.saes", "saes", "Train sparse autoencoders, see what one is worth and what its latents stand for."
    ),
    "fidelity": CommandEntry(
        f"{_CLI}.replications",
        "Fidelity",
        "Published numbers of the protocols: those that need no weights recomputed, and what to run for the others.",
    ),
    "doctor": CommandEntry(
        f"{_CLI}.doctor",
        "Doctor",
        "Look at the installation: versions, devices, organisms, disk; say what would fail and how to mend it.",
    ),
    "organisms": CommandEntry(
        f"{_CLI}.commands", "organisms", "Train organisms, write their cards, write the materials."
    ),
}


def dispatch(arguments: list[str]) -> int:
    """Find the command and run it. Raises InputError for an unknown one."""
    if not arguments or arguments[0] in ("-h", "--help"):
        say("usage: introlab COMMAND ...\n")
        for name, entry in COMMANDS.items():
            say(f"  {name:12}{entry.summary}")
        say("\nintrolab COMMAND --help says more; introlab run NAME --help lists an experiment's own fields.")
        say("introlab --version; introlab --completion bash (zsh, tcsh) prints a script for the shell.")
        return 0
    if arguments[0] in ("-V", "--version"):
        say(f"introlab {installed_version()}")
        return 0
    if arguments[0].partition("=")[0] == "--completion":
        from experiments.cli.completion import print_completion

        return print_completion(arguments)
    name, rest = arguments[0].replace("_", "-"), arguments[1:]
    if name not in COMMANDS:
        raise InputError(
            "unknown command",
            given=name,
            allowed=", ".join(COMMANDS),
            do=did_you_mean(name, COMMANDS) or "introlab --help says what each one does",
        )
    entry = COMMANDS[name]
    command: Any = getattr(importlib.import_module(entry.module), entry.name)
    return tyro.cli(command, args=rest, prog=f"introlab {name}")() if isinstance(command, type) else command(rest)
