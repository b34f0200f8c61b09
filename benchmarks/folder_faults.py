"""Kills, failures and interruptions at the n-th call of a process that changes a folder: a library in C, loaded before
all others (LD_PRELOAD), counts them below Python, so that what Rust and C++ write counts too.

Needs Linux and a C compiler (`cc`). Each attempt is a fork of this process, which has loaded everything already.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from tempfile import mkdtemp

from introlab.errors import Interrupted, LabError

SOURCE = Path(__file__).with_name("folder_faults.c")
_LIBRARY = "INTROLAB_FOLDER_FAULTS"


class Fault(IntEnum):
    """What happens at the n-th call; the numbers are those of the C source."""

    NONE = 1
    KILL = 2
    TEAR = 3
    """Half of a write, then killed."""
    FULL = 4
    """From there on nothing can be created or written; half of the first write is."""
    FAIL = 5
    """That one call fails."""
    INTERRUPT = 6
    INTERRUPT_TWICE = 7


@dataclass(frozen=True)
class Outcome:
    """Of a process: `code` is its exit status as the command line would give it, negative for a signal."""

    code: int
    calls: str
    """The kind of every call, a letter each: create, write, rename, unlink, directory, truncate, sync."""
    said: str

    @property
    def traceback(self) -> bool:
        """Whether it ended in an error that nobody put into words."""
        return self.code == 1


def available() -> str | None:
    """Why it cannot be used here; None where it can."""
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    return None if shutil.which("cc") else "needs a C compiler (cc)"


def preload(arguments: list[str]) -> None:
    """Start this Python program anew under the library, unless it is there already. Raises RuntimeError where it cannot
    be used."""
    if _LIBRARY in os.environ:
        return
    if reason := available():
        raise RuntimeError(reason)
    library = Path(mkdtemp()) / "folder_faults.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    os.environ |= {_LIBRARY: str(library), "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    os.execv(sys.executable, [sys.executable, *arguments])


def library_folder() -> Path:
    """Where `preload` put the library; to be removed at the end."""
    return Path(os.environ[_LIBRARY]).parent


def attempt(act: Callable[[], object], folder: Path, fault: Fault = Fault.NONE, n: int = 0) -> Outcome:
    """Let a child process do something, with a fault at its n-th call that changes `folder`."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(act, folder, fault, n, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    calls, said = json.loads(told) if told else ("", "")
    return Outcome(code, calls, said)


def _child(act: Callable[[], object], folder: Path, fault: Fault, n: int, pipe: int) -> None:
    library = ctypes.CDLL(os.environ[_LIBRARY])
    library.faults_seen.restype = ctypes.c_char_p
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code, said = 0, ""
    library.faults_arm(str(folder).encode(), n, int(fault))
    try:
        act()
    except (Interrupted, KeyboardInterrupt) as error:
        code, said = 130, str(error)
    except LabError as error:
        code, said = 3, str(error)
    except BaseException:
        code, said = 1, traceback.format_exc()
    calls = library.faults_seen().decode()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.write(pipe, json.dumps([calls, said]).encode())
    os._exit(code)
