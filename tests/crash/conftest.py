"""Whether strace works here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.crash.trace import strace


@pytest.fixture(scope="session")
def needs_strace(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where there is no strace, or none that may trace a child; fails under CI if one is there and cannot."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    out = tmp_path_factory.mktemp("strace") / "out"
    try:
        lines = strace(out, sys.executable, "-c", f"open({f'{out}.x'!r}, 'w')")
        why = "" if any(f"{out}.x" in line for line in lines) else "it sees nothing"
    except (subprocess.SubprocessError, OSError) as error:
        why = str(error)
    if why:
        end = pytest.fail if os.environ.get("CI") else pytest.skip
        end(f"strace is installed, but may not trace a child here: {why}")
