"""The command line: `introlab demo`, `introlab run NAME`, and the rest.

Exit codes: 0 done; 1 a bug; 2 input that cannot be used; 3 a run that could not go on (disk, NaN, an edit that did
not land); 130 stopped with Ctrl-C.
"""

import sys

from introlab.errors import InputError, LabError

BUG, WRONG_INPUT, COULD_NOT_GO_ON, STOPPED = 1, 2, 3, 130


def main() -> None:
    """Run one command and exit with its code."""
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
        sys.stderr.write("stopped\n")
        return STOPPED
    except InputError as error:
        return _complain(error, WRONG_INPUT)
    except LabError as error:
        return _complain(error, COULD_NOT_GO_ON)


def _complain(error: LabError, code: int) -> int:
    sys.stderr.write(f"introlab: {error}\n")
    return code


if __name__ == "__main__":
    main()
