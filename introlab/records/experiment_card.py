"""What a report must know of an experiment. Classes of experiments have it, so that reports import none of them."""

from collections.abc import Mapping
from typing import Protocol


class ExperimentCard(Protocol):
    """A question and how its answer is read."""

    __doc__: str | None
    """The question on its first line, how it is asked below."""

    @property
    def primary(self) -> str: ...

    @property
    def null(self) -> float: ...

    @property
    def rank_texts_by(self) -> str | None: ...

    @property
    def readable(self) -> Mapping[str, str]: ...

    @property
    def per_token(self) -> tuple[str, ...]: ...

    def name(self) -> str: ...

    def question(self) -> str: ...
