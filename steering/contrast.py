"""Directions from contrasts in the model's own texts."""

from collections.abc import Sequence

from introlab.activations.directions import Direction, difference_of_means
from introlab.activations.extract import Activations, mean_over
from introlab.activations.forward import TOGETHER, Text
from introlab.network.model import Model
from introlab.network.sites import Site


def one_vs_rest_from_texts(
    model: Model, texts: Sequence[Text], labels: Sequence[str], site: Site, *, batch_size: int = TOGETHER
) -> dict[str, Direction]:
    """Per label, the difference of means of its texts and all others, each counted by `mean_over_completion`."""
    return one_vs_rest(mean_over_completion(model, texts, site, batch_size=batch_size), labels, model=model)


def mean_over_completion(model: Model, texts: Sequence[Text], site: Site, *, batch_size: int = TOGETHER) -> Activations:
    """The residual of each text, averaged over the positions that predict and hold its new tokens."""
    spans = [(text.prompt_len - 1, len(text.ids)) for text in texts]
    return mean_over(model, texts, site, spans, batch_size=batch_size)


def one_vs_rest(activations: Activations, labels: Sequence[str], *, model: Model) -> dict[str, Direction]:
    """For each label, the difference of means of its examples against all others'."""
    return {
        label: difference_of_means(
            activations.where([each == label for each in labels]),
            activations.where([each != label for each in labels]),
            model=model,
        )
        for label in sorted(set(labels))
    }
