"""Parameters that a user left open: what the model's materials choose, or what suits its depth."""

from typing import Any

from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.network.sites import Site
from introlab.tasks.prompts import setting


def chosen(bench: RunContext, experiment: str, name: str, given: Any) -> Any:
    """The given value, or what the materials choose; None where neither says anything."""
    return setting(bench.materials, experiment, name) if given is None else given


def question_kind(bench: RunContext, experiment: str, given: str | None) -> str | None:
    """The kind of question that is asked; None for any. Raises InputError for one that the materials do not have."""
    kind, known = chosen(bench, experiment, "kind", given), {question.kind for question in bench.materials.questions}
    if kind is not None and kind not in known:
        raise InputError(
            "questions of a kind that the materials do not have",
            given=kind,
            allowed=", ".join(sorted(known)),
            do=f"choose --kind, or see {bench.materials.folder / 'questions.jsonl'}",
        )
    return kind


def block(bench: RunContext, given: int | None, *, depth: float) -> int:
    """The given block, or the one at this share of the depth. Raises InputError where there is no such block."""
    layer = round(depth * bench.model.n_layers) if given is None else given
    bench.model.check_site(Site(layer))
    return layer
