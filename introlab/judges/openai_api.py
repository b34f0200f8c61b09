"""A hosted model as a judge, over any OpenAI-compatible interface (extra `judges`).

The key comes from the environment variable INTROLAB_JUDGE_KEY, and no other is looked at: a key meant for one server
is never sent to another. It is in no file, message, verdict or repr. What is sent: the rubric, and texts to be judged.
"""

import ipaddress
import os
import re
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from introlab.errors import InputError
from introlab.judges.judgement import Missing, Verdict, read_reply
from introlab.judges.prompts import WORDING, to_write
from introlab.judges.rubric import Item, Rubric

if TYPE_CHECKING:
    from openai import OpenAI

KEY = "INTROLAB_JUDGE_KEY"
DEFAULT_URL = "https://api.openai.com/v1"
_SENT = {"host", "content-type", "content-length", "accept", "accept-encoding", "connection", "user-agent"}
"""All headers that leave, beside the key."""
_SHORTEST_KEY = 8
"""A shorter one could not be told from an ordinary word where it must be struck out of a reply."""


@dataclass
class Meter:
    """Counts requests as they leave, retries too, and lets no more than `most` of them go."""

    most: int
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self) -> bool:
        """Whether one more may go."""
        with self._lock:
            allowed = self.sent < self.most
            self.sent += allowed
            return allowed


@dataclass(frozen=True)
class HostedJudge:
    """Asks at temperature 0 for evidence and answer as JSON. A judge that fails, refuses or replies out of form gives a
    missing verdict; it never raises for one text."""

    model: str
    base_url: str = DEFAULT_URL
    retries: int = 5
    """Of a request that timed out or was answered 408, 409, 429 or 5xx, after waits that double, with jitter, or are as
    long as the server asks for (the openai client's own rules)."""
    timeout: float = 60.0
    """Seconds without a byte."""
    concurrent: int = 4
    most_requests: int = 2000
    """Of this judge in all, retries included."""
    max_new: int = 512
    meter: Meter = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_url(self.base_url)
        if min(self.concurrent, self.most_requests, self.max_new) < 1 or self.retries < 0 or self.timeout <= 0:
            raise InputError("limits of a hosted judge are positive", given=self, do="raise them")
        object.__setattr__(self, "meter", Meter(self.most_requests))

    @property
    def name(self) -> str:
        where = "" if self.base_url == DEFAULT_URL else f" at {urlsplit(self.base_url).netloc}"
        return f"hosted:{self.model}{where}"

    @property
    def identity(self) -> dict[str, Any]:
        known = {"base_url": self.base_url, "temperature": 0, "max_new": self.max_new, "wording": WORDING}
        return {"judge": "hosted", "model": self.model, **known}

    def __call__(self, rubric: Rubric, items: Sequence[Item]) -> Iterator[tuple[Item, Verdict]]:
        """Raises InputError before anything is sent where there is no key or no client."""
        key = _key(self.base_url)
        with self._client(key) as client, ThreadPoolExecutor(self.concurrent) as pool:
            asked = {pool.submit(self._ask, client, key, rubric, item): item for item in items}
            try:
                for done in as_completed(asked):
                    yield asked[done], done.result()
            except BaseException:
                self.meter.most = self.meter.sent  # what is under way is not tried again
                pool.shutdown(cancel_futures=True)
                raise

    @contextmanager
    def _client(self, key: str) -> "Generator[OpenAI]":
        try:
            import openai
        except ImportError as error:
            raise InputError("hosted judges need the openai client", do="install the extra `judges`") from error

        class Spent(openai.OpenAIError):
            """Not retried by the client."""

        def leaving(request: Any) -> None:
            if not self.meter.take():
                raise Spent(Missing.SPENT)
            # The client adds what it finds in the environment, which is meant for another server.
            for name in {*map(str.lower, request.headers)} - _SENT:
                del request.headers[name]
            request.headers["authorization"] = f"Bearer {key}"

        # No redirects: what is judged goes where the user said. No proxy on http: it would see the key.
        http = openai.DefaultHttpxClient(
            follow_redirects=False,
            trust_env=urlsplit(self.base_url).scheme == "https",
            event_hooks={"request": [leaving]},
        )
        client = openai.OpenAI(
            api_key=key, base_url=self.base_url, timeout=self.timeout, max_retries=self.retries, http_client=http
        )
        with client:
            yield client

    def _ask(self, client: "OpenAI", key: str, rubric: Rubric, item: Item) -> Verdict:
        from openai import APIStatusError, OpenAIError

        try:
            reply = client.chat.completions.create(
                model=self.model,
                messages=cast(Any, to_write(rubric, item)),
                temperature=0,
                max_tokens=self.max_new,
            )
            choice = reply.choices[0]
            text, ended, refusal = choice.message.content, choice.finish_reason, choice.message.refusal
        except APIStatusError as error:  # its body may repeat the key: only the number is told
            return Verdict(missing=Missing.NO_REPLY, detail=f"HTTP {error.status_code}")
        except OpenAIError as error:
            spent = str(error) == Missing.SPENT
            return Verdict(missing=Missing.SPENT if spent else Missing.NO_REPLY, detail=type(error).__name__)
        except (ValueError, AttributeError, IndexError, TypeError) as error:  # a reply that is no chat completion
            return Verdict(missing=Missing.NO_REPLY, detail=f"not a chat completion ({type(error).__name__})")
        said = (text or refusal or "").replace(key, "[key]")
        if refusal or ended == "content_filter":
            return Verdict(missing=Missing.REFUSED, raw=said)
        verdict = read_reply(rubric, item, said)
        if verdict.missing is Missing.UNREADABLE and ended == "length":
            return Verdict(missing=Missing.CUT_OFF, raw=said)
        return verdict


def check_url(url: str) -> None:
    """Raises InputError unless it is https, or http to this machine, without a name, password or query in it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise InputError("a base URL that cannot be read", given=f"{error}", allowed="https://HOST:PORT/...") from None
    allowed = parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))
    if not host or not allowed or parts.username or parts.password or parts.query or parts.fragment:
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
        raise InputError(
            "a base URL that texts and key cannot be trusted to",
            given=bare,
            allowed="https://HOST/..., or http:// to this machine; no name, password or query",
        )


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _key(base_url: str) -> str:
    """The key; a server on this machine may do without. Never shown, not even where it is wrong."""
    key = os.environ.get(KEY, "").strip()
    if not key and _is_here(urlsplit(base_url).hostname or ""):
        return "no key needed here"
    if len(key) < _SHORTEST_KEY or not re.fullmatch(r"[!-~]+", key):
        raise InputError(
            "no usable key for the hosted judge",
            given=f"{KEY} {'is not set' if not key else 'holds something that is not a key'}",
            do=f"set {KEY} in the environment",
        )
    return key
