"""Loading models, and running them: with `paths.py` the only file that touches a network's own modules.

A model is named by a spec: ``organism:NAME``, a name of the registry (``smollm2``), a GGUF file, a folder or a hub id.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor

from introlab.errors import ContextOverflow, InputError, LabError
from introlab.network.attention_masks import attention_masks, check_layers, context_of, lift_alibi, slides
from introlab.network.backends import BridgePath, DirectPath, Hook, NetworkPath, one_head, streams_of
from introlab.network.chat import ChatFormat
from introlab.network.endings import turn_ends
from introlab.network.fetch import ensure
from introlab.network.fingerprint import fingerprint_of
from introlab.network.hub import hub_source
from introlab.network.kv_cache import RowCache
from introlab.network.load_checks import check_reading, checked_bridge
from introlab.network.lora import parent_folder, parts
from introlab.network.messages import Message
from introlab.network.prefix_attention import Groups, can_share, lent
from introlab.network.rope_scaling import Frequencies, check_crossing, frequencies_of
from introlab.network.sites import WRITABLE, Site
from introlab.network.specs import ADAPTER_CONFIG, SPECS, canonical, family_of, resolve
from introlab.network.weights import check_card

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Model:
    """A network with its tokenizer, chat format and identity. Nothing stays hooked after a call."""

    name: str
    network: Any = field(repr=False)
    """The Hugging Face model."""
    path: NetworkPath = field(repr=False)
    tokenizer: Any = field(repr=False)
    chat: ChatFormat = field(repr=False)
    fingerprint: str
    """Identifies weights, dtype and settings (`fingerprint.py`); artefacts fitted on this model carry it."""
    family: str | None
    """Shared by models trained from one parent; a direction may be carried over within it, on request."""
    folder: Path | None
    n_layers: int
    d_model: int
    context: int
    """The longest text the model can read, in tokens."""
    deterministic: bool = False
    """Every pass has a shape that depends on the texts it reads alone, on one thread, so that nothing depends on batch
    size, order or companions, to the last bit. Slower."""
    frequencies: Frequencies = field(default_factory=Frequencies)
    reads_as_long: bool = False
    """Whether passes use the second set of rotary frequencies."""
    end_ids: tuple[int, ...] = ()
    """Tokens that end a turn, the one that the chat template writes first; none where nothing is known to."""

    def _repr_html_(self) -> str:
        from introlab.io.markup import card

        facts: dict[str, object] = {
            "name": self.name,
            "fingerprint": f"{self.fingerprint} (family {self.family})",
            "size": f"{self.n_layers} layers of width {self.d_model}, context {self.context} tokens",
            "device": f"{self.device}, {str(self.dtype).removeprefix('torch.')}",
            "chat": "; ".join(self.chat.notes) or "its own template",
        }
        return card("Model", facts)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype

    def ids(self, messages: Sequence[Message], *, prefill: str = "", completion: str = "", room: int = 0) -> list[int]:
        """The dialogue in tokens, with room left for `room` new ones; `ChatFormat` says what `prefill` and `completion`
        are. Raises ContextOverflow where it does not fit."""
        ids = self.chat.ids(messages, prefill=prefill, completion=completion)
        self.check_length(len(ids), room)
        return ids

    def begun(
        self, messages: Sequence[Message], *, prefill: str = "", completion: str = "", room: int = 0
    ) -> tuple[list[int], int]:
        """`ids`, and how many of them stand before the assistant's own words."""
        ids, before = self.chat.begun(messages, prefill=prefill, completion=completion)
        self.check_length(len(ids), room)
        return ids, before

    def check_length(self, length: int, room: int = 0) -> None:
        if length + room > self.context:
            raise ContextOverflow(
                f"the text does not fit in {self.name}",
                given=f"{length} tokens and {room} to come",
                allowed=f"{self.context} tokens",
                do="shorten the prompt, or ask for fewer new tokens",
            )
        check_crossing(self.name, self.frequencies.switch, length, room)

    def word_axis(self, ids: Sequence[int]) -> Tensor:
        """[d_model]: the mean unembedding of these tokens less that of all; what merely promotes them lies along it."""
        rows = self.network.get_output_embeddings().weight.detach().float().cpu()
        return rows[list(ids)].mean(0) - rows.mean(0)

    def output_matrix(self, layer: int) -> Tensor | None:
        """[head, d_head, d_model], float32 on the CPU: head h adds ``z_h @ matrix[h]`` to the residual. None where
        heads do not add up (a norm follows), and where the network's modules have no such place."""
        found = DirectPath(self.network).output_matrix(layer)
        return None if found is None else found.float().cpu().unflatten(0, (self.n_heads, -1))

    def text(self, ids: Sequence[int]) -> str:
        """Tokens as readable text, without special tokens."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    @property
    def can_share(self) -> bool:
        """Whether rows can share the keys and values of a common beginning."""
        return isinstance(self.path, DirectPath) and not self.deterministic and can_share(self.network)

    @property
    def can_enter(self) -> bool:
        """Whether a pass can begin at a later block, with a residual that was computed before."""
        return isinstance(self.path, DirectPath) and not self.deterministic

    @cached_property
    def bridge(self) -> BridgePath:
        """TransformerLens' way into the same weights, built when first asked for (its attention is always eager)."""
        source = (
            str(parent_folder(self.folder))
            if self.folder and (self.folder / ADAPTER_CONFIG).is_file()
            else str(self.folder or self.name)
        )
        return checked_bridge(self, lambda: BridgePath(self.network, self.tokenizer, source))

    def for_length(self, length: int) -> Self:
        """The same model with the rotary frequencies that belong to texts of this many tokens."""
        beyond = self.frequencies.switch is not None and length > self.frequencies.switch
        return replace(self, reads_as_long=True) if beyond else self

    def through(self, path: Literal["direct", "bridge"]) -> Self:
        """The same model, read and written another way."""
        return replace(self, path=self.bridge if path == "bridge" else DirectPath(self.network))

    def check_site(self, site: Site, *, write: bool = False) -> None:
        """Raises InputError if the network has no such place, or if it cannot be written to."""
        if site.layer >= self.n_layers:
            raise InputError(
                f"{self.name} has no layer {site.layer}", given=site, allowed=f"layers 0 to {self.n_layers - 1}"
            )
        if not self.path.has(site):
            there = streams_of(self.path, site.layer)
            raise InputError(
                f"blocks of {self.name} have no {site.stream}",
                given=site,
                allowed=", ".join(there),
                do="another way into the network (direct, bridge) may have it; nothing here adds up to the residual",
            )
        if site.head is not None and site.head >= self.n_heads:
            raise InputError(
                f"{self.name} has no head {site.head}", given=site, allowed=f"heads 0 to {self.n_heads - 1}"
            )
        if write and site.stream not in WRITABLE:
            raise InputError(
                f"{site.stream} can be read but not written: the skip path would miss the change",
                given=site,
                allowed=", ".join(WRITABLE),
            )

    def width(self, site: Site) -> int:
        """Of the values at a site: d_model, or d_head times the heads of `z`."""
        if site.stream != "z":
            return self.d_model
        config = self.network.config.get_text_config()
        each = int(getattr(config, "head_dim", None) or self.d_model // self.n_heads)
        whole = DirectPath(self.network).heads_width(site.layer) or each * self.n_heads
        return whole if site.head is None else whole // self.n_heads

    @property
    def n_heads(self) -> int:
        return int(self.network.config.get_text_config().num_attention_heads)

    def hooked(self, hooks: Sequence[tuple[Site, Hook]]) -> AbstractContextManager[None]:
        """A context in which `hook(values[row, position, width])` is called at each site, in the given order;
        what it returns replaces the values. All hooks are gone when the context ends, however it ends."""
        for site, _ in hooks:
            self.check_site(site)
        return self.path.hooked(
            [
                (site, function if site.head is None else one_head(function, site.head, self.n_heads))
                for site, function in hooks
            ]
        )

    def forward(
        self,
        ids: Tensor,
        *,
        starts: Tensor,
        positions: Tensor,
        cache: RowCache | None = None,
        logits_to_keep: int | None = 0,
        stop_at_layer: int | None = None,
        unpadded: bool = False,
        stems: Groups | None = None,
        residual: tuple[int, Tensor] | None = None,
    ) -> Tensor | None:
        """One pass over `ids[row, column]`: logits of the last `logits_to_keep` columns (0 = all; None = no logits).

        `starts[row]` is the column in which a row's text begins, `positions` are absolute, [row or 1, column]. With a
        cache, the columns of this pass follow those it holds, and are kept in it. With `stop_at_layer` the pass ends
        before that block, without logits. `unpadded` promises that all texts begin in the first column, which is
        faster. Rows see the stems they share before all else, where `can_share` holds; then `starts` says where their
        own part begins.
        `residual` is the block at which the pass begins and what it is given, where `can_enter` holds.
        """
        first, begin = (0, 0) if cache is None else (cache.first, cache.column)
        columns = (begin, begin + ids.shape[1])
        config = self.path.config.get_text_config()
        mask = None
        masked = self.deterministic or isinstance(self.path, BridgePath)  # whose attention may know no other mask
        if not unpadded or masked or slides(config) or (stems and ids.shape[1] > 1):
            mask = attention_masks(config, starts, first=first, queries=columns, dtype=self.dtype)
        given = {"stems": stems or None, "residual": residual}
        more: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        positions, frequencies = frequencies_of(self, positions)
        with torch.inference_mode(), frequencies, lent(self.network) if stems else nullcontext():
            return self.path.run(
                ids,
                **more,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=cache is not None,
                logits_to_keep=logits_to_keep,
                stop_at_layer=stop_at_layer,
            )


def load(
    spec: str,
    *,
    device: str | None = None,
    dtype: str = "float32",
    revision: str | None = None,
    trust_remote_code: bool = False,
    attention: Literal["sdpa", "eager"] | None = None,
    device_map: str | None = None,
    deterministic: bool = False,
    chat: Literal["template", "raw"] = "template",
    allow_missing: Sequence[str] = (),
    today: date | None = None,
) -> Model:
    """The model a spec names: raw Hugging Face weights, hooked directly; `through("bridge")` for TransformerLens' way.

    `device` is a GPU where there is one; `device_map` spreads a network over several (accelerate); `attention` defaults
    to the family's own; `chat="raw"` leaves the template out; `today` is the date for templates that write one;
    `allow_missing` names tensors that its files may lack (`introlab.network.weights.pretrained`). Raises InputError for
    a spec that cannot be loaded, files that lack a tensor of the network, an organism whose files are not those that
    its card was written for, and a chat template that loses what it is given.
    """
    if deterministic:
        torch.set_num_threads(1)  # with several, a row's last digits depend on its place in the batch (LOG.md)
    if dtype not in DTYPES:
        raise InputError("unknown dtype", given=dtype, allowed=", ".join(DTYPES))
    spec = canonical(spec)
    source, folder = resolve(ensure(spec))
    source = hub_source(source, revision) if folder is None else source
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    settings = {"dtype": DTYPES[dtype], "attn_implementation": attention, "trust_remote_code": trust_remote_code}
    tokenizer, network = _loaded(spec, source, folder, place, device_map, revision, settings, allow_missing)
    model = _model(
        spec, folder, network, ChatFormat(tokenizer, raw=chat == "raw", today=today), tokenizer, deterministic
    )
    check_reading(model)
    return model


def _model(
    spec: str, folder: Path | None, network: Any, chat: ChatFormat, tokenizer: Any, deterministic: bool
) -> Model:
    network.eval().requires_grad_(False)
    config = network.config.get_text_config()
    check_layers(config, spec)
    lift_alibi(network)
    context = context_of(config, tokenizer)
    return Model(
        name=spec,
        network=network,
        path=DirectPath(network),
        tokenizer=tokenizer,
        chat=chat,
        fingerprint=fingerprint_of(network),
        family=family_of(folder),
        folder=folder,
        n_layers=int(config.num_hidden_layers),
        d_model=int(config.hidden_size),
        context=context,
        deterministic=deterministic,
        frequencies=Frequencies.of(network, context),
        end_ids=turn_ends(network, tokenizer, chat),
    )


def _loaded(spec: str, source: str, folder: Path | None, *how: Any) -> tuple[Any, Any]:
    """Tokenizer and network, checked against a card where there is one."""
    try:
        if folder is not None:
            check_card(folder, shipped=spec.startswith("organism:"))
        return parts(source, folder, *how)
    except LabError:
        raise
    except Exception as error:  # files of anyone, read by three libraries: each fails in ways of its own
        raise InputError(
            "the model could not be loaded",
            given=f"{spec} ({type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]})",
            allowed=SPECS,
            do="introlab models lists what is there",
        ) from error
