"""An independent way to write a text: plain PyTorch on the Hugging Face network, one row, the whole text every step, no
cache. The engine is held to it."""

import hashlib

import numpy as np
import torch


def plain_text(
    model, prompt, *, item, seed=0, replicate=0, max_new=8, temperature=1.0, added=None, layer=None, where=None
):
    """New tokens; `added` times `where(position, prompt_len)` is put on the output of block `layer`."""
    key = hashlib.blake2b(f"{seed}\x1f{item}\x1f{replicate}".encode(), digest_size=16).digest()
    stream = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "big"))).random(max_new)
    ids = list(prompt)
    blocks = next(
        module
        for module in model.network.modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == model.n_layers
    )

    def hook(_module, _inputs, output):
        hidden = output[0] if isinstance(output, tuple) else output
        touched = torch.tensor([float(where(position, len(prompt))) for position in range(hidden.shape[1])])
        hidden = hidden + touched[:, None] * added
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    handle = blocks[layer].register_forward_hook(hook) if added is not None else None
    try:
        for step in range(max_new):
            with torch.inference_mode():
                logits = model.network(torch.tensor([ids]), use_cache=False).logits[0, -1]
            if temperature == 0:
                token = int(logits.argmax())
            else:
                p = (logits.double() / temperature).softmax(-1).numpy()
                token = int(np.searchsorted(p.cumsum(), stream[step] * p.sum(), side="right"))
            ids.append(token)
            if token in model.end_ids:
                break
    finally:
        if handle is not None:
            handle.remove()
    return tuple(ids[len(prompt) :])
