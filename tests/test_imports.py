"""The directions of the imports, and what a command does not load."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import litetui

PACKAGE = Path(litetui.__file__).parent
MODULES = {
    ".".join(["litetui", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# What each room may know of litetui. The version and the modules that stand in no room are everybody's.
COMMON = {"litetui", "litetui.errors", "litetui.files", "litetui.processes", "litetui.units"}
ALLOWED = {
    "litetui.errors": set[str](),
    "litetui.units": {"litetui.errors"},
    "litetui.format": {"litetui.errors", "litetui.format"},
    "litetui.replica": COMMON | {"litetui.format", "litetui.replica", "litetui.jobs.loop", "litetui.jobs.progress"},
    "litetui.jobs": COMMON | {"litetui.jobs"},
    "litetui.primary": COMMON | {"litetui.format", "litetui.primary", "litetui.jobs.progress"},
    "litetui.ops": COMMON
    | {
        "litetui.format",
        "litetui.replica",
        "litetui.primary",
        "litetui.ops",
        "litetui.jobs.loop",
        "litetui.jobs.progress",
    },
}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function; a name imported from a package counts too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            module = node.module or ""
            found.add(module)
            found |= {f"{module}.{a.name}" for a in node.names if f"{module}.{a.name}" in MODULES}
    return found


def within(name: str, packages: set[str]) -> bool:
    return any(name == p or name.startswith(p + ".") for p in packages)


@pytest.mark.parametrize("name", MODULES)
def test_only_the_ui_imports_textual(name: str) -> None:
    if not within(name, {"litetui.tui"}):
        assert not {i for i in imports(MODULES[name]) if within(i, {"textual"})}


@pytest.mark.parametrize("name", MODULES)
def test_rooms_know_only_the_rooms_below(name: str) -> None:
    room = next((r for r in ALLOWED if within(name, {r})), None)
    if room is None:
        return
    allowed = ALLOWED[room]
    used = {i for i in imports(MODULES[name]) if within(i, {"litetui"})}
    exact = {i for i in used if i in ("litetui",)}
    wrong = {i for i in used - exact if not within(i, allowed - {"litetui"})}
    assert not wrong, f"{name} imports {sorted(wrong)}"


def test_the_command_line_and_the_ui_stand_apart() -> None:
    for name, path in MODULES.items():
        if within(name, {"litetui.tui"}):
            assert not within("litetui.cli", imports(path)), name
    assert {i for i in imports(MODULES["litetui.cli"]) if within(i, {"litetui.tui"})} <= {
        "litetui.tui",
        "litetui.tui.app",
    }


def loaded(*args: str) -> tuple[int, set[str]]:
    """The exit code of a command line and the modules that it has loaded."""
    code = (
        "import json, sys\nfrom litetui.cli import run\ncode = run(sys.argv[1:])\n"
        "print('\\n' + json.dumps([code, sorted(sys.modules)]))"
    )
    result = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=True)
    exit_code, names = json.loads(result.stdout.splitlines()[-1])
    return exit_code, set(names)


HEAVY = {"textual", "numpy", "apsw", "lz4", "rich", "humanize", "asyncio"}


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["restore", "--help"], ["completion", "bash"]])
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    code, names = loaded(*args)
    assert code == 0
    assert not HEAVY & names


def test_no_command_loads_textual(tmp_path: Path) -> None:
    from tests.build import GENERATION, usual_history, write_replica

    root = str(write_replica(tmp_path / "r", usual_history()).root)
    commands = [
        ["info", root],
        ["generations", root, "--json"],
        ["snapshots", root],
        ["wal", root],
        ["frames", root, "--generation", GENERATION, "--index", "1"],
        ["restore", root, "-o", str(tmp_path / "out.db"), "--integrity-check", "none"],
        ["restore", root, "-o", str(tmp_path / "no/out.db")],
    ]
    for args in commands:
        code, names = loaded(*args)
        assert code == (1 if "no/out.db" in args[-1] else 0), args
        assert "textual" not in names, args
        assert "asyncio" not in names, args


def test_the_first_frame_waits_for_nothing_heavy() -> None:
    """`litetui REPLICA` draws before it reads, and what reading needs is imported by the thread that reads."""
    code = "import json, sys, litetui.cli, litetui.tui.app\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = set(json.loads(result.stdout))
    assert not {"numpy", "apsw", "lz4", "xxhash", "fastcrc", "humanize", "sqlite3"} & names
    assert not {"litetui.replica.file", "litetui.tui.screens.restore", "litetui.tui.screens.report"} & names
