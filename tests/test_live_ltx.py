"""A replica made on the spot by real Litestream 0.5.17 under a write load: its own plans and restores, and ours.

The binary is LITETUI_LITESTREAM_0_5 (`bash .ci/run` installs it). Without it the tests are skipped, but not under CI.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from litetui.errors import LitetuiError
from litetui.ops import restore as ops
from litetui.ops.ltx_survey import survey
from litetui.ops.target import Target
from litetui.replica.detect import open_any
from litetui.replica.ltx import LTXReplica
from litetui.units import format_time

LITESTREAM = os.environ.get("LITETUI_LITESTREAM_0_5", "")
_WHY = "LITETUI_LITESTREAM_0_5 names no real Litestream 0.5"
TIMES = 50


def _wait(until: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        Event().wait(0.05)


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> LTXReplica:
    if not os.access(LITESTREAM, os.X_OK):
        if os.environ.get("CI"):
            pytest.fail(_WHY)
        pytest.skip(_WHY)
    folder = tmp_path_factory.mktemp("live-ltx")
    db, log, stop, root = folder / "app.db", folder / "states", folder / "stop", folder / "replica"
    config = folder / "litestream.yml"
    config.write_text(
        "levels:\n  - interval: 500ms\n  - interval: 2s\nsnapshot:\n  interval: 2500ms\n  retention: 1h\n"
        f"dbs:\n  - path: {db}\n    monitor-interval: 30ms\n    replica:\n      type: file\n      path: {root}\n"
        "      sync-interval: 50ms\n"
    )
    writer = subprocess.Popen([sys.executable, "-m", "tests.live_writer", str(db), str(log), str(stop)])
    _wait(lambda: log.exists() and log.stat().st_size, 20, "the writer")
    with (folder / "litestream.log").open("w") as output:
        litestream = subprocess.Popen([LITESTREAM, "replicate", "-config", str(config)], stdout=output, stderr=output)
        try:
            _wait(lambda: len(list(root.glob("ltx/9/*.ltx"))) > 2 and list(root.glob("ltx/2/*.ltx")), 60, "levels")
        finally:
            stop.touch()
            writer.wait(30)
            litestream.send_signal(signal.SIGINT)
            litestream.wait(30)
    found = open_any(root)
    assert isinstance(found, LTXReplica)
    assert found.path == str(root)
    return found


def real(replica: LTXReplica, *args: str) -> subprocess.CompletedProcess[str]:
    command = [LITESTREAM, "restore", *args, f"file://{replica.path}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def targets(replica: LTXReplica) -> list[tuple[list[str], Target]]:
    """The latest, every file's last TXID, the one after the last, and times among and around those of the files."""
    table, rng = replica.table, random.Random(3)
    ends = sorted(set(table.max_txid.tolist()))
    first, last = int(table.time_ns.min()), int(table.time_ns.max())
    times = [rng.choice(table.time_ns.tolist()) for _ in range(TIMES // 2)]
    times += [rng.randrange(first, last) // 1_000_000 * 1_000_000 for _ in range(TIMES // 2)]
    return [
        ([], Target()),
        *(
            (["-txid", f"{end:016x}"], Target(txid=end))
            for end in [*rng.sample(ends, min(60, len(ends))), ends[-1] + 1]
        ),
        *((["-timestamp", format_time(ns)], Target(timestamp_ns=ns)) for ns in [*times, first - 1, last + 10**9]),
    ]


def test_every_plan_is_that_of_litestream(replica: LTXReplica, tmp_path: Path) -> None:
    wrong: list[str] = []
    agreed = 0
    for args, target in targets(replica):
        theirs = real(replica, "-dry-run", "-json", "-o", str(tmp_path / "x.db"), *args)
        wanted = None
        if theirs.returncode == 0:
            files = json.loads(theirs.stdout)["files"]
            wanted = [(f["level"], int(f["min_txid"], 16), int(f["max_txid"], 16)) for f in files]
        try:
            ours = [(i.level, i.min_txid, i.max_txid) for i in ops.plan(replica, target).chain]
        except LitetuiError:
            ours = None
        agreed += ours == wanted is not None
        if ours != wanted:
            wrong.append(f"{args}: {ours} instead of {wanted} {theirs.stderr}")
    assert not wrong, "\n".join(wrong)
    assert agreed > TIMES


def test_restores_have_the_same_bytes(replica: LTXReplica, tmp_path: Path) -> None:
    chosen = targets(replica)
    for number, (args, target) in enumerate([chosen[0], *chosen[1::12]]):
        theirs, ours = tmp_path / f"theirs-{number}.db", tmp_path / f"ours-{number}.db"
        if real(replica, "-o", str(theirs), *args).returncode:
            continue
        ops.run(ops.plan(replica, target), str(ours), integrity_check="full")
        assert ours.read_bytes() == theirs.read_bytes(), args
    assert len(list(tmp_path.glob("ours-*"))) > 5


def test_nothing_needs_attention(replica: LTXReplica) -> None:
    found = survey(replica)
    assert (found.why_not, found.reached) == ("", found.newest)
    assert not [f for f in found.findings if f.severity != "info"]
