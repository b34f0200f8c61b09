"""The layout is the direction of flow, and stays so."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("introlab", "probes", "steering", "organisms", "experiments", "dashboard")
MAY_IMPORT = {
    "introlab": set(),
    "probes": {"introlab"},
    "steering": {"introlab"},
    "organisms": {"introlab", "probes", "steering"},
    "experiments": {"introlab", "probes", "steering", "organisms"},
    "dashboard": {"introlab", "probes", "steering", "organisms", "experiments"},
}
MAY_START_IT = "experiments/cli/dashboard.py"
"""The one file outside the dashboard that imports it, and only when its command is given."""
LONGEST_FILE, LONGEST_FUNCTION = 300, 50
DRAWERS = {"utils", "common", "helpers", "misc", "config", "types"}

FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imports_of(path: Path) -> set[str]:
    """Top-level names of every import, those inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_arrows_point_one_way(path):
    package = named(path).split("/")[0]
    allowed = MAY_IMPORT[package] | {package}
    assert imports_of(path) & set(PACKAGES) <= (allowed | {"dashboard"} if named(path) == MAY_START_IT else allowed)


def test_the_dashboard_is_imported_when_it_is_started():
    inside = [node for node in ast.parse((ROOT / MAY_START_IT).read_text()).body if isinstance(node, ast.ImportFrom)]
    assert not any(node.module and node.module.startswith("dashboard") for node in inside)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    assert sum(bool(line.strip()) for line in text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno + 1 <= LONGEST_FUNCTION, f"{node.name} is too long"


@pytest.mark.parametrize("path", FILES, ids=named)
def test_files_say_what_they_are_for(path):
    if path.name == "__init__.py" and not path.read_text().strip():
        return
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert doc, "the module docstring's first line says what the file is for"
    assert path.stem not in DRAWERS


def public_definitions(path: Path):
    """Public functions and classes of a file, and the public methods of its classes."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize(
    "path", [path for path in FILES if named(path).split("/")[0] in ("introlab", "probes", "steering")], ids=named
)
def test_what_is_public_is_documented(path):
    """One-word accessors explain themselves; everything longer than three lines has a docstring."""
    bare = [
        node.name
        for node in public_definitions(path)
        if not ast.get_docstring(node) and (node.end_lineno or 0) - node.lineno > 3
    ]
    assert bare == []


def test_hook_names_are_spelt_in_one_file():
    spelling = re.compile(r"blocks\.\{|hook_\{|hook_resid|hook_out")
    assert [named(path) for path in FILES if spelling.search(path.read_text())] == ["introlab/network/sites.py"]


def test_transformer_bridge_is_touched_in_one_file():
    assert [named(path) for path in FILES if "import TransformerBridge" in path.read_text()] == [
        "introlab/network/backends.py"
    ]


def test_nothing_is_unpickled_and_nothing_trusts_by_default():
    risky = re.compile(
        r"import pickle|pickle\.load|torch\.load\(|weights_only\s*=\s*False|trust_remote_code\s*=\s*True"
        r"|0\.0\.0\.0|showSendToCloud\W+True"
    )
    assert [named(path) for path in FILES if risky.search(path.read_text())] == []


def test_library_code_seeds_nothing_global_and_prints_nothing():
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*print\(", text, re.MULTILINE), named(path)
        seeded = text.count("manual_seed") - text.count("Generator().manual_seed")
        assert seeded <= text.count("with torch.random.fork_rng():"), f"{named(path)}: seed inside fork_rng"


def test_the_right_hand_side_needs_no_model():
    """Statistics, findings, figures, reports and run folders import neither torch nor transformers themselves."""
    heavy = {"torch", "transformers", "transformer_lens"}
    for name in ("stats", "scores", "findings", "figures", "report", "tables", "runs", "trials", "comparison"):
        assert not imports_of(ROOT / "introlab" / f"{name}.py") & heavy, name


@pytest.mark.parametrize("package", PACKAGES)
def test_our_packages_are_ours(package):
    """The names are generic; an installed wheel of the same name must not win."""
    where = importlib.import_module(package).__file__
    assert where is not None and Path(where).is_relative_to(ROOT)


def test_no_machine_path_is_written_down():
    text_files = [
        path for path in ROOT.rglob("*") if path.suffix in {".py", ".md", ".toml", ".json", ".txt"} and path.is_file()
    ]
    ours = [
        path for path in text_files if not set(path.relative_to(ROOT).parts) & {".venv", "runs", ".git", "node_modules"}
    ]
    place = re.compile(r"/(?:home|root|work|Users)/\w")
    assert [
        named(path)
        for path in ours
        if path.name != "test_architecture.py" and place.search(path.read_text(encoding="utf-8"))
    ] == []
