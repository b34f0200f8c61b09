"""Whoever writes a text, and whatever happens to who does, the text is the same."""

import os
import signal
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from introlab.activations.directions import Direction, random_control
from introlab.errors import ContextOverflow
from introlab.generation.process_pool import LocalPool, local_workers
from introlab.generation.requests import Generation, Request
from introlab.generation.scheduler import generate
from introlab.generation.workers import TRIES, Distributed, WorkersLost, shares
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from introlab.network.sites import Site
from introlab.network.spans import Span
from probes.online import TokenProbability
from steering.edits import Add
from steering.strength import Dose

READING = TokenProbability("p", (5, 6))
LOADING = {"spec": "organism:base", "device": "cpu", "deterministic": True}


@pytest.fixture(scope="module")
def asked(bench):
    """The model and 200 requests, every second one under a push of its own; notes that cannot be sent anywhere."""
    at = bench("base")
    model = replace(at.model, deterministic=True)
    like = Direction(torch.eye(model.d_model)[0], 12.0, Site(3), model.fingerprint, model.family, "random", ())
    made = []
    for index, question in enumerate(at.materials.pick("test", limit=200)):
        push = Intervention(Add(random_control(like, index), Dose(12.0, 1.0, 0.5)), Site(3), Span.generated())
        prompt = tuple(model.ids([user(question.text)], room=12))
        edits = (push,) if index % 2 else ()
        made.append(Request(prompt, question.id, interventions=edits, max_new=12, note=lambda index=index: index))
    return model, made


def texts(written):
    return {request.item: (generation, request.note) for request, generation in written}


@pytest.fixture(scope="module")
def alone(asked):
    model, requests = asked
    return texts(generate(model, requests, seed=0, readouts=[READING]))


def with_pool(asked, write, on_first=None):
    model, requests = asked
    written = write(model, requests, seed=0, batch_size=8, readouts=[READING])
    found = []
    for pair in written:
        found.append(pair)
        if on_first:
            on_first()
            on_first = None
    assert len(found) == len(requests)
    return texts(found)


def test_two_processes_write_what_one_writes(asked, alone):
    with local_workers(2, LOADING) as write:
        assert with_pool(asked, write) == alone


def test_a_process_killed_in_the_middle_costs_nothing(asked, alone):
    pool = LocalPool(2, LOADING)
    try:
        before = pool.processes()
        found = with_pool(asked, Distributed(pool), lambda: os.kill(before[0], signal.SIGKILL))
        assert found == alone
        assert pool.processes()[0] != before[0] and pool.processes()[1] == before[1]
    finally:
        pool.stop()


def test_an_error_of_a_worker_is_the_error_it_had(asked):
    model, requests = asked
    with local_workers(1, LOADING) as write, pytest.raises(ContextOverflow, match="does not fit"):
        list(write(model, [replace(requests[0], max_new=10_000)], seed=0))


def test_ray_writes_what_one_process_writes_and_survives_a_lost_actor(asked, alone):
    ray = pytest.importorskip("ray")
    from introlab.generation.ray_pool import RayPool

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        pool = RayPool(2, LOADING)
        first = pool.actors[0]
        assert with_pool(asked, Distributed(pool), lambda: ray.kill(first)) == alone
        assert pool.actors[0] is not first
    finally:
        ray.shutdown()


class Unreliable:
    """A pool that loses workers as a list of flags says."""

    def __init__(self, size, losses):
        self.size, self.losses, self.given = size, list(losses), {}

    def give(self, worker, share):
        assert worker not in self.given
        self.given[worker] = share

    def answers(self, busy):
        for worker in sorted(busy)[: 1 + len(busy) // 2]:
            share = self.given.pop(worker)
            lost = bool(self.losses) and self.losses.pop()
            text = Generation((1,), (0.0,), {}, ())
            yield worker, None if lost else [(index, text) for index in share.indices]


def requests_of(count):
    return [Request((1, 2, index % 3), f"item {index}", max_new=1 + index % 2) for index in range(count)]


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 5), st.integers(1, 4), st.sets(st.integers(0, 30), max_size=2))
def test_every_text_comes_once_whoever_is_lost(count, size, batch, lost):
    """Two losses at most: no share can be lost three times."""
    requests = requests_of(count)
    pool = Unreliable(size, [index in lost for index in range(31)])
    found = list(Distributed(pool)(None, requests, seed=0, batch_size=batch))
    assert sorted(request.item for request, _ in found) == sorted(request.item for request in requests)
    parts = shares(requests, seed=0, batch_size=batch, readouts=())
    assert sorted(index for part in parts for index in part.indices) == list(range(count))


def test_texts_that_cost_every_worker_its_life_stop_the_run():
    pool = Unreliable(2, [True] * TRIES)
    with pytest.raises(WorkersLost, match="item 0"):
        list(Distributed(pool)(None, requests_of(1), seed=0))
