"""Strength by index of the new token, and edits that act only where a reading says so."""

import pytest
from plain_decoding import plain_text
from steered import direction, push, written

from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.generation.requests import Request
from introlab.interventions.interfaces import Gate, Schedule
from introlab.network.sites import Site
from introlab.network.spans import Span
from probes.online import Entropy, Projection, Projections


def test_a_schedule_multiplies_by_index_of_the_new_token(family_model):
    model, prompt = family_model("llama"), (2, 5, 6, 7)
    schedule = Schedule.of(lambda index: (0.0, 2.0, 1.0)[index % 3], 9)
    one = push(model, 3.0, Span.all(), schedule=schedule)
    found = written(model, [Request(prompt, "a", interventions=(one,), max_new=9)])["a"]

    def where(position, prompt_len):
        return schedule.at(position - prompt_len + 1) if position >= prompt_len - 1 else 1.0

    vector = direction(model, Site(1)).vector
    expected = plain_text(model, prompt, item="a", seed=3, max_new=9, added=3.0 * vector, layer=1, where=where)
    assert found.tokens == expected
    read = range(len(prompt) - 1 + len(expected))
    receipt = found.receipts[0]
    touched = {p for start, stop in (*receipt.prefill, *receipt.decoded) for p in range(start, stop)}
    assert touched == {position for position in read if where(position, len(prompt))}


def gated(model, gate, *, span=None, readouts=()):
    request = Request((2, 5, 6, 7), "a", interventions=(push(model, 3.0, span, gate=gate),), max_new=12)
    return written(model, [request], readouts=readouts)["a"]


def test_a_gate_that_is_always_or_never_open(family_model):
    model = family_model("qwen3")
    free = written(model, [Request((2, 5, 6, 7), "a", max_new=12)])["a"]
    always, never = (gated(model, Gate(Entropy(), bound)) for bound in (-1.0, 99.0))
    assert never.tokens == free.tokens and never.receipts[0].status == "gate stayed closed"
    assert never.receipts[0].gated == len(never.tokens) and never.receipts[0].touched == 0
    pushed = plain_text(
        model,
        (2, 5, 6, 7),
        item="a",
        seed=3,
        max_new=12,
        added=3.0 * direction(model, Site(1)).vector,
        layer=1,
        where=lambda p, n: p >= n - 1,
    )
    assert always.tokens == pushed and always.receipts[0].gated == 0


@pytest.mark.parametrize("at", ["earlier site", "same site", "probabilities"])
def test_a_gate_opens_exactly_where_its_reading_says(at, family_model):
    """At an earlier site, at the position read; else at the one after it."""
    model = family_model("qwen3")
    reading = {
        "earlier site": Projection("r", direction(model, Site(0), seed=4)),
        "same site": Projection("r", direction(model, Site(1))),  # pushed along itself: it closes and opens
        "probabilities": Entropy("r"),
    }[at]
    readings = gated(model, Gate(reading, 99.0), readouts=[reading]).readings["r"]
    bound = sorted(readings)[len(readings) // 2]
    found = gated(model, Gate(reading, bound, above=False), readouts=[reading])
    receipt, values = found.receipts[0], found.readings["r"]
    touched = {p for start, stop in (*receipt.prefill, *receipt.decoded) for p in range(start, stop)}
    delay = 0 if at == "earlier site" else 1
    expected = {3 + delay + index for index, value in enumerate(values) if value < bound}
    judged = set(range(3 + delay, 3 + len(values)))  # the reading before the first is not in `readings`
    assert touched & judged == expected & judged
    assert 0 < len(touched) < len(values)


def test_a_gate_at_an_earlier_site_gates_prompt_positions_too(family_model):
    model = family_model("llama")
    reading = Projection("r", direction(model, Site(0), seed=4))
    found = gated(model, Gate(reading, 0.0), span=Span.all())
    before = Text((2, 5, 6, 7), 4, "a")
    from introlab.activations.extract import read

    values = read(model, [before], [Site(0)], [[0, 1, 2, 3]])
    expected = [bool(reading(values[Site(0), index].values)[0] > 0) for index in range(4)]
    touched = {p for start, stop in found.receipts[0].prefill for p in range(start, stop)}
    assert touched == {index for index, wanted in enumerate(expected) if wanted}


def test_a_gate_that_comes_too_late_for_the_prompt_is_refused(family_model):
    with pytest.raises(InputError, match="cannot gate prompt positions"):
        gated(family_model("llama"), Gate(Entropy(), 1.0), span=Span.all())


def test_a_gate_takes_one_number(family_model):
    model = family_model("llama")
    several = Projections("two", [direction(model, Site(0), seed) for seed in range(2)])
    with pytest.raises(InputError, match="one number for each position"):
        gated(model, Gate(several, 0.0))
