"""The dashboard in a real browser: what it shows, that no text acts, and that it asks the network for nothing."""

import json
import shutil
import threading
import time
from urllib.request import Request, urlopen

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_runs import HOSTILE, KIND, RECEIPT, begun, finished, manifest, simulated, trial
from test_pieces import TEXT, tokens_of

pytest.importorskip("dash", reason="the dashboard's extra is not installed")

from dashboard.pages import models
from dashboard.run_cache import RunCache
from dashboard.server import ADDRESS, make
from experiments.__main__ import WRONG_INPUT, run_command
from introlab.errors import InputError
from introlab.io.digests import file_digest
from introlab.records.parquet import COLUMNS
from introlab.records.run import Run
from introlab.records.trial_query import TrialFilter

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TOKENS = tokens_of(TEXT)
COLOURED = trial(
    "coloured",
    model="organism:calibrated",
    text=TEXT,
    tokens=tuple(TOKENS),
    readings={
        "p_right": [i / 10 for i in range(len(TOKENS))],
        "signed": [(-1) ** i for i in range(len(TOKENS))],
        "one": 0.25,
    },
    receipts=(RECEIPT,),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("lab") / "runs"
    begun(root.parent / "outside", simulated()[:1])
    finished(root / "one", 0, more=[COLOURED, trial("hostile")], started="2026-01-02T00:00:00+00:00")
    finished(root / "two", 1, specs=["organism:<b>x</b>"])
    begun(root / "broken")
    begun(root / "interrupted", simulated())
    (root / "broken" / "manifest.json").write_text(json.dumps(manifest(schema=99)))
    finished(root / "torn")
    (root / "torn" / "trials.parquet").write_bytes(b"PAR1")
    (root / "torn" / "findings.json").write_text("{")
    return root


@pytest.fixture(scope="module")
def address(root):
    server = make(root, 0)
    assert server.host == ADDRESS == "127.0.0.1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{server.host}:{server.port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, address):
    """A page that fails the test if anything is asked of another machine, or the console shows an error."""
    opened, asked, errors = browser.new_page(viewport={"width": 1300, "height": 900}), [], []
    opened.set_default_timeout(120_000)  # of a machine that is busy with other things
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert asked and [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert errors == []


def test_from_the_list_to_a_run_to_a_trial(page, address, root):
    page.goto(address)
    page.wait_for_selector("table.runs tbody tr")
    assert page.locator("table.runs tbody tr").count() == 5
    first = page.locator("table.runs tbody tr").first
    assert "one" in first.inner_text() and KIND.primary in first.inner_text()
    assert "schema 99" in page.locator("tr", has_text="broken").first.inner_text()
    assert "<b>x</b>" in page.locator("table.runs").inner_text()  # as text
    page.fill("#having", "<b>x")
    page.wait_for_function("document.querySelectorAll('table.runs tbody tr').length == 1")
    page.fill("#having", "")
    page.click("table.runs a:text-is('one')")
    page.wait_for_selector(".figure svg.main-svg")
    findings = Run.open(root / "one").findings
    assert page.locator(".answer").inner_text() == findings.answer
    assert page.locator(".checks li").count() == len(findings.checks)
    assert page.locator("text=introlab run steering-resistance").count() == 1
    page.wait_for_selector("table.trials a")
    choose(page, "condition", "by hand")
    page.wait_for_function("document.querySelectorAll('table.trials a').length == 2")
    assert HOSTILE in page.locator("table.trials").inner_text() and page.evaluate("window.hacked === undefined")
    page.click("table.trials tr:has-text('coloured') a")
    page.wait_for_selector(".tokens .token")
    assert page.locator(".tokens .token").all_inner_texts() == ["i", " think", " it", " is", " 5", "."]
    colours = page.eval_on_selector_all(".tokens .token", "all => all.map(each => each.style.backgroundColor)")
    assert len(set(colours)) == len(TOKENS) and colours[-1].startswith("rgba(31, 90, 148, 0.75")
    touched = page.eval_on_selector_all(".tokens .token", "all => all.map(each => each.classList.contains('touched'))")
    assert touched == [True, True, False, False, False, False]  # positions 7 and 8, after a prompt of 7
    choose(page, "coloured by", "signed")
    page.wait_for_function(
        "document.querySelectorAll('.tokens .token')[1].style.backgroundColor.includes('200, 85, 61')"
    )


def choose(page, title, option):
    """In a dropdown, as a user does."""
    page.click(f"label.chooser:has-text('{title}') .dash-dropdown")
    page.click(f".dash-dropdown-option:has-text('{option}')")
    page.keyboard.press("Escape")


def test_no_text_of_a_model_acts(page, address, root):
    found = trial("hostile").id
    page.goto(f"{address}/trial?run=one&id={found}")
    page.wait_for_selector(".prompt")
    assert page.locator(".prompt").inner_text() == HOSTILE and page.locator("#tokens").inner_text() == HOSTILE
    assert page.evaluate("window.hacked === undefined")


def test_two_runs_side_by_side(page, address):
    page.goto(f"{address}/compare?first=one&second=two")
    page.wait_for_selector(".beside svg.main-svg")
    drawn = page.locator(".beside").first.locator(".js-plotly-plot")
    assert drawn.count() == 2
    assert "B − A" in page.locator(".numbers").nth(1).inner_text()
    assert "test trials were asked in both" in page.locator("#compared").inner_text()
    left, right = (drawn.nth(side).bounding_box() for side in (0, 1))
    assert left["y"] == right["y"] and left["x"] + left["width"] <= right["x"]


def test_a_run_that_is_going_on_is_followed_to_its_end(page, address, root):
    go, trials = threading.Event(), simulated(5)
    run = begun(root / "going", [])

    def write():
        def slowly():
            for index, each in enumerate(trials):
                if index >= 10:
                    go.wait(60)
                yield each

        with run.locked():
            run.record(slowly())
            run.settle()
            findings = KIND().analyze(list(run.trials()))
            run.write_findings(findings, KIND().draw(findings))
            run.finish()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        page.goto(f"{address}/run?name=going")
        page.wait_for_selector("#progress .state.running")
        page.wait_for_function("document.querySelector('#progress').innerText.includes('10 trials')")
        assert "of about 600" in page.locator("#progress").inner_text()
        assert page.locator("#progress .example").count() == 4 and page.locator(".answer").count() == 0
        go.set()
        page.wait_for_selector(".figure svg.main-svg")
        page.wait_for_selector(".state.complete")
        assert page.locator("#progress").count() == 0 and page.locator(".answer").count() == 1
        page.wait_for_function(f"document.querySelector('#trials-where').innerText.includes('of {len(trials):,}')")
    finally:
        go.set()
        writer.join(60)
        shutil.rmtree(run.folder)


@pytest.mark.parametrize(
    "path",
    [
        "/run?name=../outside",
        "/run?name=/etc",
        "/run/../../etc/passwd",
        "/run?name=nowhere",
        "/run",
        "/trial?run=one&id=none",
        f"/trial?run=../outside&id={simulated()[0].id}",
        "/nothing",
        "/run?name=broken",
    ],
)
def test_what_is_not_there_is_refused_and_the_dashboard_stands(page, address, path):
    page.goto(address + path)
    page.wait_for_selector(".refusal")
    assert page.locator(".refusal").inner_text().startswith("This cannot be shown")
    assert page.locator("main section").count() == 1


def test_a_damaged_run_shows_what_can_be_read(page, address):
    page.goto(f"{address}/run?name=torn")
    page.wait_for_selector("p.problem")
    text = page.locator("#run").inner_text()
    assert (
        "the trials cannot be read" in text and "findings.json cannot be read" in text and "How to repeat this" in text
    )
    assert page.locator(".figure svg.main-svg").count() > 0 or page.wait_for_selector(".figure svg.main-svg")


def test_the_models_there_are_and_whether_they_are_here(address, root, monkeypatch, tmp_path):
    monkeypatch.setenv("INTROLAB_CACHE", str(tmp_path))
    page = str(models.layout(RunCache(root), {}))
    assert "organism:reflective" in page and "SmolLM2-135M-Instruct" in page
    assert "not fetched (introlab models fetch smollm2" in page
    with urlopen(f"{address}/_dash-layout") as answer:
        assert '"/models"' in json.dumps(json.load(answer))


def test_pages_of_trials_are_turned(page, address):
    trials = simulated()
    page.goto(f"{address}/run?name=interrupted")
    page.wait_for_selector("table.trials a")
    page.click("#trials-on")
    page.wait_for_function(f"document.querySelector('#trials-where').innerText == '26–50 of {len(trials):,}'")
    assert trials[25].id in page.locator("table.trials a").first.get_attribute("href")
    page.click("#trials-back")
    page.wait_for_function("document.querySelector('#trials-where').innerText.startsWith('1–25')")
    choose(page, "outcomes", "announced: True")
    expected = sum(each.outcomes.get("announced") is True for each in trials)
    page.wait_for_function(f"document.querySelector('#trials-where').innerText.endsWith('of {expected:,}')")


def test_trials_are_put_in_order(page, address):
    page.goto(f"{address}/run?name=interrupted")
    page.wait_for_selector("table.trials a")
    page.click("#trials-on")
    page.wait_for_function("document.querySelector('#trials-where').innerText.startsWith('26–')")
    choose(page, "in order of", "strength ↓")
    page.wait_for_function("document.querySelector('#trials-where').innerText.startsWith('1–25')")
    strengths = [float(each) for each in page.locator("table.trials td.num").all_inner_texts()]
    assert set(strengths) == {max(trial.strength for trial in simulated())}


def test_another_host_name_is_refused(address):
    """A foreign site that gives its own name this machine's address must not read runs (DNS rebinding)."""
    with pytest.raises(Exception, match="403"):
        urlopen(Request(address, headers={"Host": "evil.example"}), timeout=10)
    assert urlopen(address, timeout=10).status == 200


def test_the_server_says_what_it_cannot_do(tmp_path, address, capsys):
    with pytest.raises(InputError, match="no such folder"):
        make(tmp_path / "nowhere", 0)
    with pytest.raises(InputError, match="port"):
        make(tmp_path, int(address.rsplit(":", 1)[1]))
    assert run_command(["dashboard", str(tmp_path / "nowhere")]) == WRONG_INPUT
    assert "no such folder" in capsys.readouterr().err


def test_a_hundred_thousand_trials_page_at_once(tmp_path):
    """First look, filtered page in the middle, one trial: each far below what a reader waits for."""
    known, run = trial("known", outcomes={"right": True}), begun(tmp_path / "many")
    row = {**vars(known), "receipts": "[]", "readings": "{}"}
    rows = [
        {**row, "id": f"{index:016x}", "outcomes": json.dumps({"right": index % 3 == 0})} for index in range(100_000)
    ]
    table = pa.Table.from_pylist([*rows, {**row, "id": known.id, "outcomes": '{"right":true}'}], schema=COLUMNS)
    pq.write_table(table, run.folder / "trials.parquet", row_group_size=8192)
    run.note_table(len(table), file_digest(run.folder / "trials.parquet"))
    shelf = RunCache(tmp_path)

    def seconds(look):
        start = time.perf_counter()
        look()
        return time.perf_counter() - start

    assert seconds(lambda: shelf.trials("many").values) < 5
    pages = shelf.trials("many")
    assert pages is shelf.trials("many")  # kept
    chosen = pages.matching(TrialFilter(outcome=("right", True)))
    assert len(chosen) == 33_335
    assert seconds(lambda: pages.matching(TrialFilter(condition="by hand", outcome=("right", True)))) < 1
    assert seconds(lambda: pages.ordered(chosen, "right", falling=True)) < 1
    assert seconds(lambda: pages.page(chosen[16_000:16_025])) < 1
    assert seconds(lambda: pages.trial(known.id)) < 1
    assert pages.trial(known.id) == known and len(pages) == 100_001
