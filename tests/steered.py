"""What tests of pushed models share: a random direction, a push along it, some prompts, and what is written."""

import torch

from introlab.activations.directions import Direction
from introlab.generation.scheduler import generate
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from introlab.network.sites import Site
from introlab.network.spans import Span
from steering.edits import Add
from steering.strength import Dose

QUESTIONS = ["what is the last digit of 3 + 8 + 5 ?", "tell me about the sea .", "hello .", "explain the court ."]


def direction(model, site, seed=0, scale=2.0):
    vector = torch.randn(model.width(site), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Direction((vector / vector.norm()).float(), scale, site, model.fingerprint, model.family, "test", ("fit",))


def push(model, raw, span=None, site=None, seed=0, **how):
    one = direction(model, site or Site(1), seed)
    return Intervention(Add(one, Dose(raw, 1.0, 1.0)), site or Site(1), span or Span.generated(), **how)


def prompts(model):
    return [tuple(model.ids([user(question)])) for question in QUESTIONS]


def written(model, requests, **settings):
    return {request.item: one for request, one in generate(model, requests, seed=3, **settings)}
