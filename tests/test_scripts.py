"""The scripts beside the package, which nothing else imports: that they fit the package of today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(
    path.relative_to(ROOT) for folder in ("benchmarks", "screenshots") for path in (ROOT / folder).glob("*.py")
)


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_it_can_be_imported(script: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT / script.parent)!r}); import {script.stem}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
