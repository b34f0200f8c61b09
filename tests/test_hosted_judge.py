"""A hosted judge against a server of the test's own: what is sent, what comes back wrong, and that no secret stays."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from judged_run import made_up_run

from introlab.errors import InputError
from introlab.judges.cache import judge_items
from introlab.judges.calibration import known_answers
from introlab.judges.judgement import Missing
from introlab.judges.openai_api import KEY, HostedJudge
from introlab.judges.rubric import Item, Rubric

ANNOUNCES = Rubric.load("announces_interference")
SECRET = "sk-very-secret-0123456789"


@dataclass
class Server:
    """Answers each request with what `reply(body, times this text was asked before)` gives: status, headers, body."""

    reply: object
    requests: list[dict] = field(default_factory=list)
    headers: list[dict] = field(default_factory=list)
    asked: Counter = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    open: int = 0
    most_open: int = 0
    url: str = ""
    lock: object = field(default_factory=threading.Lock)


def completion(evidence="", answer="no", **choice):
    message = {
        "role": "assistant",
        "content": json.dumps({"evidence": evidence, "answer": answer}),
        **choice.pop("message", {}),
    }
    choices = [{"index": 0, "finish_reason": "stop", "message": message, **choice}]
    return 200, {}, json.dumps({"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": choices})


@pytest.fixture
def serve(monkeypatch):
    """`serve(reply)` -> a running Server. The key is set; retries wait a hundredth of their time."""
    monkeypatch.setenv(KEY, SECRET)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.005)
    running = []

    def start(reply):
        server = Server(reply)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                text = body["messages"][0]["content"]
                with server.lock:
                    server.requests.append(body)
                    server.headers.append({name.lower(): value for name, value in self.headers.items()})
                    server.times.append(time.monotonic())
                    before = server.asked[text]
                    server.asked[text] += 1
                    server.open += 1
                    server.most_open = max(server.most_open, server.open)
                try:
                    status, headers, content = server.reply(body, before)
                finally:
                    with server.lock:
                        server.open -= 1
                try:
                    self.send_response(status)
                    for name, value in {"Content-Type": "application/json", **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content.encode())
                except OSError:
                    pass  # the client did not wait

            def log_message(self, *_):
                pass

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, daemon=True).start()
        running.append(http)
        server.url = f"http://127.0.0.1:{http.server_port}/v1"
        return server

    yield start
    for http in running:
        http.shutdown()
        http.server_close()


def judged(server, *texts, folder=None, **settings):
    judge = HostedJudge("some-model", server.url, **settings)
    found = judge_items(judge, ANNOUNCES, [Item(response=text) for text in texts], folder)
    return judge, {item.response: verdict for item, verdict in found.verdicts.items()}


def test_answers_are_read_and_requests_say_what_they_should(serve):
    def reply(body, _):
        return (
            completion("off topic", "yes")
            if "off topic" in body["messages"][0]["content"].split("<response")[1]
            else completion()
        )

    server = serve(reply)
    _, found = judged(server, "the king rules", "wait, that is off topic")
    assert found["the king rules"].value == "no"
    assert (found["wait, that is off topic"].value, found["wait, that is off topic"].start) == ("yes", 14)
    for body in server.requests:
        assert body["temperature"] == 0 and body["model"] == "some-model" and body["max_tokens"] == 512
        assert set(body) == {"temperature", "model", "max_tokens", "messages"} and len(body["messages"]) == 1
    assert {headers["authorization"] for headers in server.headers} == {f"Bearer {SECRET}"}


@pytest.mark.parametrize(
    ("reply", "reason", "detail"),
    [
        ((401, {}, json.dumps({"error": {"message": f"Wrong API key: {SECRET}"}})), Missing.NO_REPLY, "HTTP 401"),
        ((400, {}, "{}"), Missing.NO_REPLY, "HTTP 400"),
        ((429, {}, "{}"), Missing.NO_REPLY, "HTTP 429"),
        ((500, {}, "oh no"), Missing.NO_REPLY, "HTTP 500"),
        ((302, {"Location": "http://127.0.0.1:1/elsewhere"}, ""), Missing.NO_REPLY, "HTTP 302"),
        ((200, {}, "{garbage"), Missing.NO_REPLY, "not a chat completion"),
        ((200, {}, "[]"), Missing.NO_REPLY, "not a chat completion"),
        ((200, {}, "{}"), Missing.NO_REPLY, "not a chat completion"),
        ((200, {}, '{"choices": []}'), Missing.NO_REPLY, "not a chat completion"),
        ((200, {"Content-Encoding": "gzip"}, "no gzip"), Missing.NO_REPLY, "APIConnectionError"),
        ((200, {"Content-Type": "text/html"}, "<html>"), Missing.NO_REPLY, "not a chat completion"),
        (completion(message={"content": "garbage"}), Missing.UNREADABLE, ""),
        (completion(message={"content": None}), Missing.UNREADABLE, ""),
        (completion(answer="perhaps"), Missing.NOT_ALLOWED, "perhaps"),
        (completion("words it never said", "yes"), Missing.NOT_VERBATIM, "words it never said"),
        (completion(message={"content": '{"evid'}, finish_reason="length"), Missing.CUT_OFF, ""),
        (completion(message={"content": None, "refusal": "I must not."}), Missing.REFUSED, ""),
        (completion(finish_reason="content_filter"), Missing.REFUSED, ""),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_whatever_goes_wrong_is_missing_with_its_reason(serve, reply, reason, detail):
    server = serve(lambda body, before: reply)
    judge, found = judged(server, "some text", retries=2)
    verdict = found["some text"]
    assert verdict.value is None and verdict.missing is reason and detail in verdict.detail
    tried = 3 if detail in ("HTTP 429", "HTTP 500", "APIConnectionError") else 1
    assert len(server.requests) == tried == judge.meter.sent
    assert SECRET not in repr((judge, verdict))


def test_a_busy_server_is_asked_again_after_as_long_as_it_wants(serve):
    server = serve(lambda body, before: completion() if before >= 2 else (429, {"Retry-After": "0.3"}, "{}"))
    _, found = judged(server, "some text")
    assert found["some text"].value == "no" and len(server.times) == 3
    assert all(0.3 <= later - earlier < 5 for earlier, later in zip(server.times, server.times[1:], strict=False))


def test_a_slow_server_is_given_up_on(serve):
    server = serve(lambda body, before: time.sleep(3) or completion())
    started = time.monotonic()
    _, found = judged(server, "some text", retries=1, timeout=0.2)
    assert found["some text"].missing is Missing.NO_REPLY and found["some text"].detail == "APITimeoutError"
    assert time.monotonic() - started < 2.5 and len(server.requests) == 2


def test_no_server_at_all(monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    judge = HostedJudge("m", "http://127.0.0.1:9/v1", retries=0)
    ((_, verdict),) = judge(ANNOUNCES, [Item(response="x")])
    assert (verdict.missing, verdict.detail) == (Missing.NO_REPLY, "APIConnectionError")


def test_no_more_requests_at_once_and_in_all_than_allowed(serve):
    """Every text fails twice before it is answered: retries count."""
    server = serve(lambda body, before: time.sleep(0.05) or (completion() if before >= 2 else (500, {}, "{}")))
    texts = [f"text {n}" for n in range(12)]
    judge, found = judged(server, *texts, concurrent=3, most_requests=20)
    assert len(server.requests) == judge.meter.sent == 20 and 2 <= server.most_open <= 3
    answered = [text for text in texts if found[text].value]
    assert 1 <= len(answered) <= 6
    assert {found[text].missing for text in texts if text not in answered} == {Missing.SPENT}


def test_a_second_run_asks_for_what_failed_only(serve, tmp_path):
    server = serve(
        lambda body, before: (400, {}, "{}") if "bad" in body["messages"][0]["content"] and not before else completion()
    )
    _, first = judged(server, "good", "bad", folder=tmp_path)
    assert first["bad"].missing is Missing.NO_REPLY and first["good"].value == "no"
    _, second = judged(server, "good", "bad", folder=tmp_path)
    assert second["bad"].value == second["good"].value == "no" and len(server.requests) == 3
    judged(server, "good", "bad", folder=tmp_path)
    assert len(server.requests) == 3


def test_the_order_in_which_answers_come_does_not_matter(serve):
    """The first texts are answered last."""
    seen = []

    def reply(body, _):
        with server.lock:
            seen.append(1)
            mine = len(seen)
        time.sleep(0.2 / mine)
        content = body["messages"][0]["content"]
        return completion(answer="no") if "even" in content else completion(answer="perhaps")

    server = serve(reply)
    texts = [f"{'even' if n % 2 == 0 else 'odd'} {n}" for n in range(16)]
    _, found = judged(server, *texts, concurrent=8)
    assert all((found[text].value == "no") == text.startswith("even") for text in texts)


def test_the_key_is_nowhere_but_in_the_header(serve, tmp_path, caplog):
    """Not even where the server sends it back."""
    caplog.set_level("DEBUG")
    server = serve(lambda body, before: completion(message={"content": f"your key is {SECRET}"}))
    judge, found = judged(server, "a", "b", folder=tmp_path)
    assert found["a"].raw == "your key is [key]"
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"your key is [key]" in on_disk and SECRET.encode() not in on_disk
    assert SECRET not in repr(judge) + json.dumps(judge.identity) + judge.name + caplog.text
    assert not any(SECRET in json.dumps(body) for body in server.requests)


def test_a_run_is_judged_blind_over_the_wire(serve, command, tmp_path):
    """The whole way: what leaves the machine are rubric and texts; what stays in the folder holds no key."""
    gold = {each.item.response: each.gold for each in known_answers(ANNOUNCES, "organism")}

    def reply(body, _):
        text = body["messages"][0]["content"].split("<response ")[1].split(">\n", 1)[1].split("\n</response")[0]
        yes = gold.get(text) == "yes" or "announces" in text
        return completion(text if yes else "", "yes" if yes else "no")

    server, run = serve(reply), made_up_run(tmp_path / "run")
    asked = ["judge", "run", "--rubric", "announces_interference"]
    asked += ["--judge", "hosted:some-model", "--base-url", server.url]
    code, out, err = command(*asked, "--json")
    found = json.loads(out)
    rates = {row["where"]["arm"]: row["estimate"]["value"] for row in found["rates"] if row["measure"] != "missing"}
    assert code == 0 and rates == {"baseline": 0.0, "push": 0.5} and found["asked"] == 80 == len(server.requests) - 20
    for body in server.requests:
        assert not any(
            word in json.dumps(body) for word in ("push", "baseline", "organism", "resistant", "1.5", "scene")
        )
    files = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    assert not any(SECRET.encode() in each for each in files.values()) and SECRET not in out + err
    summary = json.loads(next(each for path, each in files.items() if path.match("judged/announces*.json")))
    assert summary["identity"]["base_url"] == server.url and summary["identity"]["model"] == "some-model"
    assert command(*asked)[0] == 0 and len(server.requests) == 100


@pytest.mark.parametrize("url", ["https://host:port/v1", "http://[::1/v1", "https://host:99999999"])
def test_urls_that_cannot_be_read_are_refused(url):
    with pytest.raises(InputError, match="cannot be"):
        HostedJudge("m", url)


@pytest.mark.parametrize("key", ["", "   ", "short", "with space inside", "line\nbreak-in-it", "schlüssel-schlüssel"])
def test_a_key_that_cannot_be_used_is_refused_without_being_shown(monkeypatch, key):
    monkeypatch.setenv(KEY, key)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)  # meant for somebody else
    with pytest.raises(InputError, match="no usable key") as error:
        list(HostedJudge("m")(ANNOUNCES, [Item(response="x")]))
    assert not key.strip() or key.strip() not in str(error.value)


def test_a_server_on_this_machine_needs_no_key_and_gets_none_meant_for_others(serve, monkeypatch):
    server = serve(lambda body, before: completion())
    monkeypatch.delenv(KEY)
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Mine: {SECRET}\nAuthorization: Bearer {SECRET}")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody there
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    _, found = judged(server, "x", retries=0)
    assert found["x"].value == "no" and SECRET not in json.dumps(server.headers)


@pytest.mark.parametrize(
    "url",
    ["http://example.com/v1", "ftp://127.0.0.1", "https://", "127.0.0.1:8000", "https://me:pass@example.com/v1",
     "https://example.com/v1?key=1", "http://127.0.0.1.example.com/v1", "http://localhost.example.com", "http://10.0.0.1/v1"],
)  # fmt: skip
def test_urls_that_cannot_be_trusted_are_refused(url):
    with pytest.raises(InputError, match="cannot be trusted") as error:
        HostedJudge("m", url)
    assert "pass" not in str(error.value).replace("password", "")


@pytest.mark.parametrize(
    "url", ["https://example.com/v1", "http://localhost:8000/v1", "http://[::1]:8000", "http://127.0.0.5/v1"]
)
def test_urls_that_can_be_trusted(url):
    assert HostedJudge("m", url).identity["base_url"] == url
