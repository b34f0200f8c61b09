"""How a model's samples are drawn: as its own generation settings say, or in a way that suits chat models."""

from introlab.generation.sampling import SAMPLED, Sampling
from introlab.network.model import Model

CHAT = Sampling(temperature=0.7, top_p=0.9)
"""Where a model's files say nothing: at temperature 1 over its whole vocabulary a small model writes noise."""


def sampling_for(model: Model) -> Sampling:
    """For organisms temperature 1, which their training is about; for other models what their generation settings say
    where these sample at all, or else CHAT."""
    if model.family is not None:
        return SAMPLED
    configured = getattr(model.network, "generation_config", None)
    if not getattr(configured, "do_sample", False):
        return CHAT
    temperature, top_k = getattr(configured, "temperature", None), getattr(configured, "top_k", None)
    top_p, penalty = getattr(configured, "top_p", None), getattr(configured, "repetition_penalty", None)
    return Sampling(
        temperature=1.0 if temperature is None else float(temperature),
        top_k=int(top_k) if top_k else None,
        top_p=float(top_p) if top_p and top_p < 1 else None,
        repetition_penalty=1.0 if penalty is None else float(penalty),
    )
