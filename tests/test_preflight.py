"""What the preflight says before anything is written, measured on an experiment's own prompts."""

import re
from dataclasses import replace

import pytest
import torch

import introlab.experiment.preflight as preflight
from experiments import discover, find
from experiments.confidence.experiment import Confidence
from introlab.errors import InputError, RunFolderError
from introlab.experiment.context import RunContext
from introlab.experiment.preflight import Pace, check_disk, first_requests, measure
from introlab.experiment.runner import execute
from introlab.experiment.settings import Settings
from introlab.generation.batch_size import bytes_of_weights, bytes_per_row
from introlab.records.size import Size

READ_ONCE = ("injected_concepts", "self_prediction")
"""Experiments whose answers are read from next-token mass, in one pass."""
EXPERIMENTS = sorted(discover().values(), key=lambda kind: kind.name())


def test_it_tells_texts_time_memory_and_disk(tmp_path):
    said: list[str] = []
    small = Confidence.debug_size()
    execute(small, tmp_path / "run", models=("organism:calibrated",), settings=Settings(quiet=True), say=said.append)
    told = r"\d+ texts on 1 model, about \d+ s \(writing \d+ s, reading \d+ s\), 6 MB of memory for weights"
    assert re.search(told, said[0]) and "MB of disk" in said[0]  # 1.5 million weights, float32
    assert "for a batch of 64" in said[0] and not any("budget" in line for line in said)


def test_memory_is_counted_from_the_networks_own_tensors(organism):
    model = organism("base")
    assert bytes_of_weights(model) == 4 * model.network.num_parameters()
    network = model.network
    with torch.no_grad():
        kept = network(torch.ones(1, 100, dtype=torch.long), use_cache=True).past_key_values
    cache = sum(layer.keys.nbytes + layer.values.nbytes for layer in kept.layers)
    one, two = bytes_per_row(model, 100), bytes_per_row(model, 200)
    assert 2 * cache < one < 8 * cache and one < two < 2 * one


@pytest.mark.parametrize("kind", EXPERIMENTS, ids=lambda kind: kind.name())
def test_it_is_measured_on_the_prompts_that_the_experiment_asks_first(bench, kind, monkeypatch):
    """Nothing is written to learn them, and what is timed are some of them."""
    here = bench(kind.models[0].removeprefix("organism:"))
    monkeypatch.setattr(preflight, "generate", lambda *_, **__: pytest.fail("something was written"))
    requests, _ = first_requests(kind.debug_size(), here)
    asked = {request.prompt for request in requests}
    assert requests and len({len(prompt) for prompt in asked}) > 1
    timed = []

    def noted(model, some, **_):
        timed.extend(some)
        return iter([(one, preflight.Generation((1, 2), (-1.0, -1.0), {}, ())) for one in some])

    monkeypatch.setattr(preflight, "generate", noted)
    pace = measure(kind.debug_size(), here)
    assert {request.prompt for request in timed} <= asked and 1 < len(timed) <= here.batch_size + 1
    assert pace.share == pytest.approx(2 / requests[0].max_new) and pace.read > 0


def test_reading_is_part_of_the_time():
    pace = Pace(written=0.01, share=0.5, read=0.001)
    size = Size(10, 400, read=5000, read_again=2000, seconds=3.0)
    assert pace.writing(size) == pytest.approx(2.0) and pace.reading(size) == pytest.approx(6.0)
    assert pace.seconds(size) == pytest.approx(11.0) and pace.seconds(size * 2) == pytest.approx(22.0)


@pytest.mark.parametrize("kind", EXPERIMENTS, ids=lambda kind: kind.name())
def test_every_experiment_says_what_it_reads_and_more_of_it_for_more(bench, kind):
    here = bench(kind.models[0].removeprefix("organism:"))
    small, whole = kind.debug_size().size(here), kind().size(here)
    assert 0 < small.read < whole.read and small.seconds > 0
    # Where what is written is read again, more of it for more; answers read from next-token mass are not.
    assert whole.read_again == small.read_again == 0 or 0 < small.read_again < whole.read_again
    assert small.read_again or kind.name() in READ_ONCE


def test_more_ways_samples_and_signals_are_more_to_do(bench):
    here = bench("calibrated")
    base = Confidence.debug_size()
    more = replace(base, samples=base.samples + 1).size(here)
    assert more.texts > base.size(here).texts and more.read == base.size(here).read
    less = replace(base, signals_everywhere=False).size(here)
    assert less.read < base.size(here).read and less.texts == base.size(here).texts


def test_a_disk_that_is_too_small_is_refused(tmp_path, monkeypatch):
    class Nearly:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda _: Nearly)
    check_disk(Size(1, 8), tmp_path / "deep" / "run")
    with pytest.raises(RunFolderError, match="not enough disk"):
        check_disk(Size(1, 9), tmp_path / "deep" / "run")


def test_what_keeps_an_experiment_from_asking_is_its_own_error(bench):
    """And one whose first trial needs no text has no first requests."""
    here = bench("calibrated")

    class Textless(type(find("confidence")())):
        def trials(self, bench: RunContext):
            yield from ()

    assert first_requests(Textless(), here) == ([], ())
    with pytest.raises(InputError, match="haiku"):
        first_requests(find("reflection_steering")(kind="haiku"), bench("reflective"))
