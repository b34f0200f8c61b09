"""Whether the hub has a model and can be reached: asked once, before the libraries ask it a dozen times."""

from pathlib import Path

from introlab.errors import ModelUnavailable

PATIENCE = 10.0
"""Seconds that the hub has to answer."""


def hub_source(spec: str, revision: str | None = None) -> str:
    """What to load for a hub id: the id itself, or what the hub's cache on this machine holds of it where the hub
    cannot be reached. A hub that is not to be asked (HF_HUB_OFFLINE) is left to the loading libraries. Raises
    ModelUnavailable, in one message, where there is nothing to load."""
    from huggingface_hub import HfApi, constants, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    if constants.HF_HUB_OFFLINE:
        return spec
    held = None
    try:
        held = try_to_load_from_cache(spec, "config.json", revision=revision or "main")
        HfApi().model_info(spec, revision=revision, timeout=PATIENCE)
        return spec
    except GatedRepoError as error:
        raise _unavailable(
            spec, "the hub does not give this model to everyone", error, "ask for it on its page, then hf auth login"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise _unavailable(spec, "the hub has no such model", error, "introlab models lists what is there") from error
    except Exception as error:  # of the HTTP library, whose classes change with its version
        if isinstance(held, str | Path):
            return str(Path(held).parent)
        what = "the hub refused" if isinstance(error, HfHubHTTPError) else "the hub cannot be reached"
        here = "name a model of this machine (organism:NAME, smollm2, a folder), or a mirror (HF_ENDPOINT)"
        raise _unavailable(spec, what, error, here) from error


def _unavailable(spec: str, what: str, error: Exception, do: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"{what}: the model could not be loaded",
        given=f"{spec} ({type(error).__name__}: {' '.join(str(error).split())[:160]})",
        allowed="a model of this machine, or a hub id that can be reached",
        do=do,
    )
