"""Workers of other libraries, in environments of their own: their pins clash with the lab's."""

import json
import subprocess
from pathlib import Path

import torch


class Outside:
    """A script beside this file, run by another environment's interpreter with the threads of this process: it says the
    versions it has, then answers a line of JSON, a job, with another."""

    def __init__(self, python: Path, script: str, *given: object):
        self._script = script
        self._process = subprocess.Popen(
            [str(python), str(Path(__file__).with_name(script)), *map(str, given), str(torch.get_num_threads())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.versions: dict[str, str] = self._line()

    def seconds(self, **job: object) -> float:
        """How long the job took there."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return self._line()["seconds"]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _line(self) -> dict:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker of the peers has ended; run benchmarks/{self._script} by hand to see why")
        return json.loads(line)
