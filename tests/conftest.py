"""Fixtures for all tests: replicas that real Litestream wrote, and a restore that leaves nothing unseen."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from litetui.cli import run

Run = Callable[..., tuple[int, str, str]]
GOLDEN = Path(__file__).parent / "golden"


def pytest_collection_finish() -> None:
    """Collections are rarer, and none looks at what the imports made: they took a third of the time of some tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The path of a replica of tests/golden, unpacked once a session. Tests must not change it (see `golden_copy`)."""
    base = tmp_path_factory.mktemp("golden")

    def unpack(name: str) -> Path:
        folder = base / name
        if not folder.exists():
            folder.mkdir()
            # GNU tar keeps the ns of mtimes, which decide what a restore takes; Python's tarfile rounds them.
            subprocess.run(["tar", "xpf", str(GOLDEN / f"{name}.tar.gz"), "-C", str(folder)], check=True)
        return folder / "replica"

    return unpack


@pytest.fixture
def golden_copy(tmp_path: Path) -> Callable[[str], Path]:
    """A replica of tests/golden of this test's own, to be changed."""

    def unpack(name: str) -> Path:
        folder = tmp_path / "golden" / name
        folder.mkdir(parents=True)
        subprocess.run(["tar", "xpf", str(GOLDEN / f"{name}.tar.gz"), "-C", str(folder)], check=True)
        return folder / "replica"

    return unpack


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: exit code, stdout, stderr. No traceback may reach a user."""

    def go(*args: object) -> tuple[int, str, str]:
        code = run([str(a) for a in args])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        assert "unexpected" not in err
        return code, out, err

    return go
