"""What was written already: texts of a run that was interrupted are taken from its journal, not written again.

An experiment is a program: it asks for texts, fits something on them, asks for more. Interrupted and begun again, it
takes the same way - the same requests, in the same calls, in the same order - and finds its texts here. So nothing in
an experiment has to know about going on.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from introlab.errors import AlteredFile
from introlab.generation.requests import Generation, Request
from introlab.io.jsonl import Lines
from introlab.records.receipt import Receipt

Written = Iterator[tuple[Request, Generation]]


class CompletionCache:
    """Texts by what asked for them: model, call, place in the call, and the request itself."""

    def __init__(self, path: Path, model: str, *, must_be_sealed: bool = False):
        """Raises AlteredFile where a text was changed on the disk; `must_be_sealed` as of `Lines`."""
        self._lines, self._model, self._calls = Lines(path, must_be_sealed), model, 0
        self._known: dict[str, Generation] = {}
        for line in self._lines:
            try:
                key, raw = json.loads(line)
                self._known[key] = _generation(raw)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise AlteredFile(
                    "a line that is not a text",
                    given=f"{path}: {line[:80]}",
                    do="remove the file: texts are written anew",
                ) from error

    def __len__(self) -> int:
        return len(self._known)

    def call(self, stage: str, requests: Sequence[Request]) -> "Call":
        """What is known of these requests, the next call of this model."""
        self._calls += 1
        keys = [_key(self._model, self._calls, stage, index, request) for index, request in enumerate(requests)]
        return Call(self._lines, self._known, requests, keys)


class Call:
    """One call for texts: those that are there, those that are left, and where these are noted."""

    def __init__(self, lines: Lines, known: dict[str, Generation], requests: Sequence[Request], keys: Sequence[str]):
        self._lines = lines
        self.done: list[tuple[Request, Generation]] = []
        self.left: list[Request] = []
        self._keys: list[str] = []
        for key, request in zip(keys, requests, strict=True):
            if key in known:
                self.done.append((request, known[key]))
            else:
                # The caller's own note travels with the place at which it came.
                self.left.append(replace(request, note=(len(self._keys), request.note)))
                self._keys.append(key)

    def noted(self, written: Written) -> Written:
        """The texts as they come, each on disk before it is handed on."""
        with self._lines.appending() as add:
            for request, generation in written:
                index, note = request.note
                add(json.dumps([self._keys[index], _raw(generation)], separators=(",", ":")))
                yield replace(request, note=note), generation


def _key(model: str, call: int, stage: str, index: int, request: Request) -> str:
    """Edits are named by what they are and not by their numbers: fitted again they may differ in the last digit."""
    parts = (
        model,
        call,
        stage,
        index,
        request.item,
        request.replicate,
        request.prompt,
        request.max_new,
        request.sampling,
        [(str(one.site), str(one.span)) for one in request.interventions],
        request.stop,
    )
    return sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:24]


def _raw(generation: Generation) -> dict[str, Any]:
    return {**vars(generation), "receipts": [vars(each) for each in generation.receipts]}


def _generation(raw: dict[str, Any]) -> Generation:
    raw["tokens"], raw["logprobs"] = tuple(raw["tokens"]), tuple(raw["logprobs"])
    raw["readings"] = {name: tuple(values) for name, values in raw["readings"].items()}
    raw["receipts"] = tuple(Receipt.from_json(each) for each in raw["receipts"])
    raw["forks"] = {
        name: tuple((index, tuple(options)) for index, options in each) for name, each in raw["forks"].items()
    }
    return Generation(**raw)
