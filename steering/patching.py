"""Patching: what if this place had held what it held in another run? And path patching: what if one component had told
that to one other component, and to nobody else? (Wang et al., arXiv 2211.00593, section 3.1)
"""

from collections.abc import Sequence

import torch

from introlab.activations.extract import Activations, read
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.interventions.interfaces import Intervention
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.network.spans import Span
from steering.edits import Replace

OUTPUTS = ("attn_out", "mlp_out")
"""What components add to the residual."""


def patch(model: Model, source: Text, site: Site, *, start: int = 0, stop: int | None = None) -> Intervention:
    """Puts what `source` holds at `site`, positions `start` to `stop` (its end), into whichever text it is applied to,
    at the same absolute positions."""
    return patches(model, source, [site], start=start, stop=stop)[site]


def patches(
    model: Model, source: Text, sites: Sequence[Site], *, start: int = 0, stop: int | None = None
) -> dict[Site, Intervention]:
    """A `patch` for each of several sites, from one pass."""
    places = list(range(start, len(source.ids) if stop is None else stop))
    held = read(model, [source], sites, [places])
    return {site: _replacing(held, site, places, source.example) for site in sites}


def path_patch(model: Model, clean: Text, other: Text, sender: Site, receiver: Site) -> Intervention:
    """The receiver's output in the clean run, had the sender's output been that of the other run for it alone: all
    attention and MLP outputs in between stay those of the clean run. Apply it to the clean text.

    Both are outputs of components (`attn_out`, `mlp_out`, or `z` of all heads or one). Raises InputError where the
    sender does not come first, or the texts differ in length.
    """
    for site in (sender, receiver):
        if site.stream not in (*OUTPUTS, "z"):
            raise InputError("not the output of a component", given=site, allowed=", ".join((*OUTPUTS, "z")))
    if sender.rank >= receiver.rank or len(clean.ids) != len(other.ids):
        raise InputError(
            "no path from one to the other",
            given=f"{sender} to {receiver}, texts of {len(clean.ids)} and {len(other.ids)} tokens",
            allowed="a sender before its receiver, texts of one length",
        )
    places = list(range(len(clean.ids)))
    frozen = _between(model, sender, receiver)
    held = read(model, [clean], frozen, [places]) if frozen else {}
    told = patch(model, other, sender)
    steps = (told, *(_replacing(held, site, places, clean.example) for site in frozen))
    heard = Text(clean.ids, clean.prompt_len, clean.example, (*clean.interventions, *steps))
    return _replacing(read(model, [heard], [receiver], [places]), receiver, places, f"{sender} of {other.example}")


def _between(model: Model, sender: Site, receiver: Site) -> list[Site]:
    """Outputs computed after the sender and before the receiver, but for the one the sender is part of."""
    found = []
    for layer in range(sender.layer, receiver.layer + 1):
        for stream in OUTPUTS:
            site = Site(layer, stream)
            own = sender.stream == "z" and site == Site(sender.layer, "attn_out")
            if sender.rank < site.rank < receiver.rank and not own and not _holds(site, receiver):
                model.check_site(site)
                found.append(site)
    return found


def _holds(site: Site, receiver: Site) -> bool:
    """Whether a head is part of this output."""
    return receiver.stream == "z" and site == Site(receiver.layer, "attn_out")


def _replacing(held: dict[tuple[Site, int], Activations], site: Site, places: list[int], source: str) -> Intervention:
    values = torch.cat([held[site, index].values for index in range(len(places))])
    return Intervention(Replace(values, places[0], source), site, Span.positions(places[0], places[-1] + 1))
