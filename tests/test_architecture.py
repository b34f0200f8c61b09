"""The layout is the direction of flow, and stays so. Every rule is one test that lists its offenders."""

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
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
ROOMS = (
    {"errors"},
    {"io"},
    {"stats", "network"},
    {"tasks", "records"},
    {"interventions"},
    {"reporting", "generation", "activations"},
    {"experiment", "judges"},
)
"""Of `introlab`, in the order of flow: a room imports only rooms of earlier lines, and its own."""
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}
MOST_FLAT = 6
"""Modules that lie in `introlab` beside its rooms."""
FRONT_DOOR = "introlab"
"""The one module that names what lies right of it: names of the front door, imported when they are used. Type checkers
see the imports; at run time there are none (`test_the_front_door_imports_nothing_before_it_is_asked`)."""
MAY_START_IT = "experiments/cli/dashboard.py"
"""The one file outside the dashboard that imports it, and only when its command is given."""
LONGEST_FILE, LONGEST_FUNCTION = 300, 50
DRAWERS = {"utils", "common", "helpers", "misc", "config", "types"}
HEAVY = ("torch", "transformers", "transformer_lens", "sae_lens", "peft")
WITHOUT_A_MODEL = ("introlab.io", "introlab.stats", "introlab.tasks", "introlab.records", "introlab.reporting")
"""Rooms in which nothing may load a model's libraries, not even through what it imports."""

FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Every import in full, those inside functions too: `from a import b` is `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = {module_of(path): path for path in FILES}


def graph() -> dict[str, set[str]]:
    """Which of our modules each of them imports."""

    def known(name: str) -> str | None:
        return name if name in MODULES else name.rpartition(".")[0] if name.rpartition(".")[0] in MODULES else None

    return {
        module: {found for each in imports_of(path) if (found := known(each)) and found != module}
        for module, path in MODULES.items()
    }


def test_arrows_point_one_way():
    wrong = [
        f"{module} -> {other}"
        for module, others in graph().items()
        for other in others
        if (target := other.split(".")[0]) != (package := module.split(".")[0])
        and target not in MAY_IMPORT[package]
        and not (target == "dashboard" and named(MODULES[module]) == MAY_START_IT)
        and module != FRONT_DOOR
    ]
    assert wrong == []


def test_rooms_import_only_rooms_before_them():
    """Of every import, lazy ones too; so the graph of rooms has no circle, however far one follows it."""
    wrong = [
        f"{module} -> {other}"
        for module, others in graph().items()
        for other in others
        if module.startswith("introlab.")
        and other.startswith("introlab.")
        and (room := module.split(".")[1]) != (target := other.split(".")[1])
        and FLOOR[target] >= FLOOR[room]
    ]
    assert wrong == []


def test_rooms_are_few_and_say_what_lives_there():
    flat = [path.name for path in (ROOT / "introlab").glob("*.py")]
    assert len(flat) <= MOST_FLAT, flat
    silent = [
        named(path)
        for path in FILES
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_no_module_imports_itself_through_others():
    """Circles between modules, imports inside functions included where they would be needed at import time."""
    top = {
        module: {
            found
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
            for found in (f"{node.module}.{alias.name}", node.module)
            if found in MODULES and found != module
        }
        for module, path in MODULES.items()
    }
    done: set[str] = set()

    def circle(module: str, trail: tuple[str, ...]) -> tuple[str, ...]:
        if module in trail:
            return (*trail[trail.index(module) :], module)
        if module in done:
            return ()
        for other in sorted(top[module]):
            if found := circle(other, (*trail, module)):
                return found
        done.add(module)
        return ()

    assert [found for module in top if (found := circle(module, ()))] == []


def test_experiments_share_through_one_room():
    """A package of one experiment imports no other's, but for the mechanism beside steering resistance."""
    rooms = {"shared", "cli", "api"}
    beside = {("steering_resistance", "steering_mechanism"), ("steering_mechanism", "steering_resistance")}
    wrong = [
        f"{module} -> {other}"
        for module, others in graph().items()
        for other in others
        if module.startswith("experiments.")
        and other.startswith("experiments.")
        and (one := module.split(".")[1]) != (two := other.split(".")[1])
        and two not in rooms
        and one not in ("cli", "api")
        and (one, two) not in beside
    ]
    assert wrong == []


def test_class_names_mean_one_thing():
    names = Counter(
        node.name
        for path in FILES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, times in names.items() if times > 1] == []


def test_only_the_front_door_names_what_lies_right_of_it():
    """Its imports are for type checkers alone; no room imports through it."""
    tree = ast.parse(MODULES[FRONT_DOOR].read_text(encoding="utf-8"))
    at_run_time = {
        node.module if isinstance(node, ast.ImportFrom) else alias.name
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert at_run_time == {"importlib", "os", "typing"}
    guards = [node for node in tree.body if isinstance(node, ast.If)]
    assert [ast.unparse(node.test) for node in guards] == ["TYPE_CHECKING"]
    through = [
        f"{module}: {name}" for module, path in MODULES.items() for name in imports_of(path) if name == FRONT_DOOR
    ]
    assert through == []
    assert [module for module, others in graph().items() if FRONT_DOOR in others] == []


def test_the_dashboard_is_imported_when_it_is_started():
    inside = [node for node in ast.parse((ROOT / MAY_START_IT).read_text()).body if isinstance(node, ast.ImportFrom)]
    assert not any(node.module and node.module.startswith("dashboard") for node in inside)


def test_files_and_functions_stay_small():
    long = []
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        if sum(bool(line.strip()) for line in text.splitlines()) > LONGEST_FILE:
            long.append(named(path))
        long += [
            f"{named(path)}: {node.name}"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
        ]
    assert long == []


def test_files_say_what_they_are_for():
    silent = [named(path) for path in FILES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []
    assert [named(path) for path in FILES if path.stem in DRAWERS] == []


def test_what_is_public_is_documented():
    """One-word accessors explain themselves; everything longer than three lines has a docstring."""
    bare = [
        f"{named(path)}: {node.name}"
        for path in FILES
        if path.relative_to(ROOT).parts[0] in ("introlab", "probes", "steering")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and (node.end_lineno or 0) - node.lineno > 3
    ]
    assert bare == []


def test_what_is_public_is_used_or_stands_in_the_list():
    """A name that stands nowhere but in its own file, once, has no caller; a comment or docstring counts as one."""
    kept = set(re.findall(r"`(\w+(?:\.\w+)*)`", (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")))
    kept = {name.split(".")[-1] for name in kept}
    others = [path for folder in ("benchmarks", "notebooks") for path in sorted((ROOT / folder).rglob("*.py"))]
    text = {path: path.read_text(encoding="utf-8") for path in (*FILES, *others)}
    total = Counter(word for words in text.values() for word in re.findall(r"\w+", words))
    bare = [
        f"{named(path)}: {node.name}"
        for path in FILES
        for node in ast.parse(text[path]).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and total[node.name] == 1
        and node.name not in kept
    ]
    assert bare == []


def test_hook_names_are_spelt_in_one_file():
    spelling = re.compile(r"blocks\.\{|hook_\{|hook_resid|hook_out")
    assert [named(path) for path in FILES if spelling.search(path.read_text())] == ["introlab/network/sites.py"]


def test_transformer_bridge_is_touched_in_one_file():
    found = [named(path) for path in FILES if "import TransformerBridge" in path.read_text()]
    assert found == ["introlab/network/backends.py"]


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


LOADED = """
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
{then}
print("heavy:" + ",".join(name for name in {heavy!r} if name in sys.modules))
"""


def loaded_in_a_fresh_process(modules: list[str], then: str = "") -> str:
    """Which of the heavy libraries are there after these imports, and after what is done `then`."""
    script = LOADED.format(modules=modules, then=then, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.rpartition("heavy:")[2].strip()


def test_the_right_hand_side_loads_no_model():
    """Rooms without a model, the dashboard's pages, and the declaration, analysis, figures and simulation of every
    experiment, all in one fresh process: neither torch nor transformers is among the modules."""
    rooms = [module for module in MODULES if module.startswith(WITHOUT_A_MODEL)]
    pages = [module for module in MODULES if module.startswith("dashboard")]
    stages = ("experiment", "analysis", "figures", "simulation", "verdicts")
    experiments = [m for m in MODULES if m.startswith("experiments.") and m.rpartition(".")[2] in stages]
    experiments += [f"experiments.api.{name}" for name in ("results", "steering_experiment", "steering_analysis")]
    assert len(experiments) > 15, "the pattern must find them"
    assert loaded_in_a_fresh_process([*rooms, *pages, *experiments, "experiments.cli.commands"]) == ""


def test_looking_around_loads_no_model():
    """Commands that need no model, in a fresh process."""
    then = """
from experiments.__main__ import run_command
for arguments in (["--help"], ["list"], ["runs", "docs"], ["models"], ["fidelity"]):
    assert run_command(arguments) == 0, arguments
"""
    assert loaded_in_a_fresh_process([], then) == ""


def test_a_heavy_import_would_be_seen():
    """The test of the two tests above."""
    assert "torch" in loaded_in_a_fresh_process(["introlab.network.sites", "introlab.activations.forward"])


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
