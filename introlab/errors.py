"""Every error a user can mend says four things: what is wrong, what was given, what is allowed, what to do.

LabError
├── InputError            a name, path or value that cannot be used
│   ├── ModelUnavailable  a model that cannot be fetched, or is not what it should be
│   ├── ModelMismatch     an artefact made for another model or site
│   ├── SplitOverlap      the same items used to fit and to test
│   ├── AlteredFile       bytes that are not those that the lab wrote
│   └── ContextOverflow   a prompt longer than the model can read
├── NotFinite             NaN or infinity in activations or logits
├── EditNotApplied        an intervention that did not land as planned
├── CacheError            a cache of models that cannot be written (disk)
└── RunFolderError        a run folder that cannot be written or read
"""


class LabError(Exception):
    """Base of the lab's errors: `what` is wrong, `given`, `allowed`, and what to `do`."""

    def __init__(self, what: str, *, given: object = None, allowed: object = None, do: str | None = None):
        lines = [what]
        if given is not None:
            lines.append(f"given: {given}")
        if allowed is not None:
            lines.append(f"allowed: {allowed}")
        if do is not None:
            lines.append(f"do: {do}")
        super().__init__("\n  ".join(lines))


class InputError(LabError):
    """A name, path or value that cannot be used."""


class ModelUnavailable(InputError):
    """A model that cannot be fetched, or is not what it should be."""


class ModelMismatch(InputError):
    """An artefact made for another model or site."""


class SplitOverlap(InputError):
    """The same items used to fit and to test."""


class AlteredFile(InputError, ValueError):
    """Bytes that are not those that the lab wrote."""


class ContextOverflow(InputError):
    """A prompt longer than the model can read."""


class NotFinite(LabError):
    """NaN or infinity in activations or logits."""


class EditNotApplied(LabError):
    """An intervention that did not land as planned."""


class CacheError(LabError):
    """A cache of models that cannot be written: no space, no permission."""


class RunFolderError(LabError):
    """A run folder that cannot be written or read."""


class Interrupted(LabError):
    """Stopped by the user; what was done stays."""


UNREADABLE = (ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
"""What reading a file raises that is not what the lab wrote there: RecursionError is a RuntimeError, JSON that is none
and text that is no UTF-8 are ValueErrors."""
