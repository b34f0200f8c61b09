"""The command line: `introlab demo`, `introlab run NAME`, and the rest.

Exit codes: 0 done; 1 a bug; 2 input that cannot be used; 3 a run that could not go on (disk, NaN, an edit that did
not land); 130 stopped with Ctrl-C.
"""

import sys
import warnings

from safetensors import SafetensorError

from introlab.errors import InputError, LabError, RunFolderError
from introlab.io.terminal import tell, told_warning

BUG, WRONG_INPUT, COULD_NOT_GO_ON, STOPPED = 1, 2, 3, 130


def main() -> None:
    """Run one command and exit with its code."""
    warnings.formatwarning = told_warning
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command line; returns its exit code. Errors a user can mend go to stderr as one message."""
    from experiments.cli.commands import dispatch  # imported late, so that --help is instant
    from introlab.errors import Interrupted

    try:
        return dispatch(arguments)
    except Interrupted as error:
        return _complain(error, STOPPED)
    except KeyboardInterrupt:
        tell("stopped")
        return STOPPED
    except InputError as error:
        return _complain(error, WRONG_INPUT)
    except LabError as error:
        return _complain(error, COULD_NOT_GO_ON)
    except SafetensorError as error:
        return _complain(RunFolderError("a file cannot be read or written", given=str(error)), COULD_NOT_GO_ON)
    except OSError as error:  # of a disk, a mount or a permission: nothing that a line of the lab could mend
        return _complain(_refused_by_the_system(error), COULD_NOT_GO_ON)
    except (MemoryError, RecursionError) as error:
        return _complain(_too_large(error), COULD_NOT_GO_ON)


def _refused_by_the_system(error: OSError) -> LabError:
    return RunFolderError(
        "a file cannot be read or written",
        given=f"{error.filename or 'unknown file'} ({error.strerror or error})",
        do="look at its permissions, its mount and the free space, or name another place",
    )


def _too_large(error: Exception) -> LabError:
    return RunFolderError(
        "what was read is too large or too deeply nested to be held",
        given=f"{type(error).__name__}: {error}",
        do="look for a damaged file among those named, or free memory",
    )


def _complain(error: LabError, code: int) -> int:
    tell(f"introlab: {error}", "error")
    return code


if __name__ == "__main__":
    main()
