"""Workers of a Ray cluster, or of a Ray of this machine. Needs the extra `ray`."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from introlab.errors import InputError
from introlab.generation.requests import Generation
from introlab.generation.workers import Distributed, Share, Writer


@contextmanager
def ray_workers(count: int, loading: dict[str, Any], address: str | None = None) -> Generator[Writer]:
    """`count` actors that each load the model that `loading` names, one to a GPU where the cluster has some. Without an
    address a Ray is started here, and stopped afterwards. Raises InputError where Ray is not installed."""
    try:
        import ray
    except ImportError as error:
        raise InputError(
            "Ray is not installed", do='pip install "introspection-lab[ray]", or leave out --engine'
        ) from error
    ours = not ray.is_initialized()
    if ours:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        yield Distributed(RayPool(count, loading))
    finally:
        if ours:
            ray.shutdown()


class _Actor:
    """Loads the model once."""

    def __init__(self, loading: dict[str, Any]):
        from introlab.network.model import load

        self._model = load(**loading)

    def written(self, share: Share) -> list[tuple[int, Generation]]:
        return share.written(self._model)


class RayPool:
    """Actors, each with the share it is busy with."""

    def __init__(self, size: int, loading: dict[str, Any]):
        import ray

        self.size, self._ray, self._loading = size, ray, loading
        self._gpus = 1 if ray.cluster_resources().get("GPU") else 0
        self.actors = [self._start() for _ in range(size)]
        self._asked: dict[Any, int] = {}

    def _start(self) -> Any:
        actor: Any = self._ray.remote(num_gpus=self._gpus, num_cpus=1)(_Actor)
        return actor.remote(self._loading)

    def give(self, worker: int, share: Share) -> None:
        self._asked[self.actors[worker].written.remote(share)] = worker

    def answers(self, busy: Sequence[int]) -> Iterator[tuple[int, list[tuple[int, Generation]] | Exception | None]]:
        ready, _ = self._ray.wait(list(self._asked))
        for one in ready:
            worker = self._asked.pop(one)
            try:
                answer = self._ray.get(one)
            except self._ray.exceptions.RayTaskError as error:  # its own error, as a local worker's would be
                answer = error.cause
            except self._ray.exceptions.RayActorError:
                self.actors[worker], answer = self._start(), None
            yield worker, answer
