"""The logit lens: what a model would say, were it to end after a block (nostalgebraist 2020; arXiv 2303.08112)."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.activations.extract import Activations
from introlab.activations.forward import TOGETHER
from introlab.network.model import Model
from introlab.network.sites import Site


def lens(model: Model, values: Float[Tensor, "row d_model"]) -> Float[Tensor, "row vocab"]:
    """Log-probabilities of the next token, were these residuals the last block's output: through the model's own final
    norm, unembedding and soft cap. Exact at `resid_post` of the last block."""
    return torch.cat(list(_parts(model.through("direct"), values)))


def _parts(model: Model, values: Tensor) -> Iterator[Tensor]:
    for some in values.split(TOGETHER):
        nothing = torch.zeros(len(some), 1, dtype=torch.long, device=model.device)
        residual = some[:, None].to(model.device, model.dtype)
        logits = model.forward(
            nothing, starts=nothing[:, 0], positions=nothing[:1], residual=(model.n_layers, residual), logits_to_keep=1
        )
        assert logits is not None
        yield logits[:, -1].float().log_softmax(-1).cpu()


def lens_agreement(
    model: Model, residuals: Mapping[Site, Activations], tokens: Sequence[int]
) -> Float[Tensor, " example"]:
    """The share of layers after which the model would already say the token that it goes on to say.

    Answers that are settled early are more often right (arXiv 2504.05419 reads the same with probes).
    """
    said = torch.tensor(tokens)
    agree = [lens(model, here.values).argmax(-1) == said for here in residuals.values()]
    return torch.stack(agree).float().mean(0)
