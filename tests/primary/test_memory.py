"""Memory is bounded whatever the size of a transaction: 300 MB of WAL in one go, into both layouts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.primary.rig import rig as make_rig
from tests.primary.sql import ROOT

SIZE = 300_000_000
MOST = 200 << 20

_SYNC = """
import json, sys, time
from litetui.ops import sync
from litetui.primary.database import Database
began = time.monotonic()
db = Database(sys.argv[1])
db.open()
moved = db.sync().bytes
replicas = [sync.bind(db, path, layout) for path, layout in zip(sys.argv[2:4], ("segments", "wal"))]
wrote = [replica.sync().bytes for replica in replicas]
again = sync.bind(db, sys.argv[3])  # finds its position by comparing what is there
assert again.sync().bytes == 0
db.close()
# Not getrusage: its peak is inherited from the process that started this one.
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
print(json.dumps({"moved": moved, "wrote": wrote, "peak": peak, "seconds": time.monotonic() - began}))
"""


def test_a_transaction_of_300_mb(tmp_path: Path) -> None:
    with make_rig(tmp_path) as rig:
        rig.app("create table blob (body)")
        rig.sync()
        rows = SIZE // 10_000_000
        rig.app(
            "pragma cache_spill = on",
            f"with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})"
            f" insert into blob select randomblob(10000000) from n",
        )
        assert rig.wal.stat().st_size > SIZE
        roots = [str(tmp_path / name) for name in ("segments", "wal")]
        result = subprocess.run(
            [sys.executable, "-c", _SYNC, str(rig.db), *roots], capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert result.returncode == 0, result.stderr
        seen = json.loads(result.stdout)
        assert seen["moved"] > SIZE
        assert min(seen["wrote"]) > SIZE
        assert seen["peak"] < MOST, seen
        shadow = rig.shadow()
        assert shadow.stat().st_size == rig.wal.stat().st_size
        for path in (rig.wal, shadow, *tmp_path.rglob("*.wal*")):
            path.unlink(missing_ok=True)  # pytest keeps the folders of three runs
