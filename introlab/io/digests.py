"""Digests of files: one inside the file it is of, or a list beside the files it is of. A changed byte is noticed.

A sealed file holds ``introlab-sha256:`` and 64 digits: the SHA-256 of the whole file with these digits as zeros. A
folder whose files others write (autoencoders, organisms) holds SHA256SUMS, as `sha256sum -c` reads it.
"""

import hashlib
import mmap
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from introlab.errors import InputError
from introlab.io.atomic import write_whole

MARK = "introlab-sha256:"
_DIGITS = 64
BLANK = MARK + "0" * _DIGITS
"""Stands where the digest will, until the file is sealed."""
SUMS = "SHA256SUMS"
_LINE = re.compile(rb"([0-9a-f]{64})  ([A-Za-z0-9_.-]+)")
_LOADED = {".json", ".jinja", ".safetensors", ".model", ".txt", ".py", ".bin", ".pt"}
"""Endings of what loading a folder may read; notes and cards beside them are not listed."""


def seal(path: Path) -> None:
    """Put the digest in the place of `BLANK`. Raises InputError where the file does not hold exactly one."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as held:
        at = held.find(BLANK.encode())
        if at < 0 or held.find(MARK.encode()) != at or held.find(MARK.encode(), at + 1) >= 0:
            raise InputError("a file that cannot be sealed", given=path, do=f"keep {MARK} out of names and texts")
        start = at + len(MARK)
        held[start : start + _DIGITS] = _digest(held, start).encode()


def check_seal(path: Path) -> bool:
    """Whether the file holds a digest. Raises InputError where that is another than the file's. OSError and ValueError
    for what is no file, or an empty one."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        at = held.find(MARK.encode())
        if at < 0:
            return False
        start = at + len(MARK)
        if held[start : start + _DIGITS] != _digest(held, start).encode():
            raise altered(path)
        return True


def _digest(held: mmap.mmap, start: int) -> str:
    """Of all bytes, those from `start` on taken as zeros."""
    digest = hashlib.sha256()
    with memoryview(held) as view:
        digest.update(view[:start])
        digest.update(b"0" * _DIGITS)
        digest.update(view[start + _DIGITS :])
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in 64 digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def altered(path: Path, named: object = None) -> InputError:
    """The error of a file whose bytes are others than its digest is of."""
    return InputError(
        "the file is not what was written",
        given=f"{path}: other bytes than its digest is of{f' ({named})' if named else ''}",
        allowed="the file as it was written",
        do="copy it again from where it was made, or make it anew",
    )


def write_sums(folder: Path, *, apart_from: Sequence[str] = (), coming: Mapping[str, str] | None = None) -> Path:
    """List the digest of every file in the folder that loading may read, and of texts that are `coming` there."""
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in (coming or {}).items()}
    digests |= {name: file_digest(folder / name) for name in _loaded(folder, apart_from)}
    return _write(folder / SUMS, digests)


def _loaded(folder: Path, apart_from: Sequence[str]) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix in _LOADED and path.name not in apart_from)


def list_digests(path: Path, names: Sequence[str]) -> Path:
    """Write the digests of these files beside `path` into it."""
    return _write(path, {name: file_digest(path.with_name(name)) for name in names})


def _write(path: Path, digests: Mapping[str, str]) -> Path:
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))
    return path


def listed_digests(path: Path) -> dict[str, str]:
    """By file name. Raises InputError where it is no such list, to the last byte; OSError where it is not there."""
    *lines, rest = path.read_bytes().split(b"\n")
    found = [match for line in lines if (match := _LINE.fullmatch(line)) is not None]
    if rest or not lines or len(found) != len(lines):
        raise altered(path)
    return {match[2].decode(): match[1].decode() for match in found}


def check_sums(folder: Path, *, apart_from: Sequence[str] = ()) -> bool:
    """Whether the folder has a list. Raises InputError where a file is not as it is listed, is not listed though
    loading may read it, or is not there; `apart_from` names files that are not loaded."""
    if not (folder / SUMS).exists():
        return False
    listed = listed_digests(folder / SUMS)
    if strange := sorted(set(_loaded(folder, apart_from)) ^ set(listed)):
        raise InputError(
            "a folder with other files than were written",
            given=f"{folder}: {', '.join(strange)}",
            allowed=f"what {SUMS} lists",
            do="copy the folder again from where it was made",
        )
    for name, digest in listed.items():
        if file_digest(folder / name) != digest:
            raise altered(folder / name, SUMS)
    return True
