"""Real Litestream 0.5 as the oracle for LTX replicas: replicas that it makes under load, its plans, and its restores.

0.5.17 prints its plans (`restore -dry-run -json`) and is the oracle for plans and bytes, also of replicas that 0.5.5
wrote: it reads both encodings of a page. What 0.5.5 differs in, seen from its runs:

* each page is a whole LZ4 frame, its flag 0 (0.5.17: an LZ4 block with its length, flag 1, which 0.5.5 refuses to read)
* no -dry-run and no -json; -txid is there, though its help does not say so
* it may lose the transactions between a sync and a checkpoint that restarts the WAL: states until the next snapshot may
  fail SQLite's check, also as its own restore makes them. Where pages that the database grew by are lost with them, and
  no later file brings them, litetui refuses ("missing-page"); Litestream only if there is no older image of them either
* a TXID that no file ends with, or that is not there yet: it restores the last state before it and exits with 0; 0.5.17
  and litetui refuse
* a time before the oldest file of level 0: "timestamp does not exist"; 0.5.17 and litetui look at all levels
* a time before which a file does not follow on, as those in between are in later, compacted files: it refuses
  ("non-contiguous transaction files"; such a TXID too); 0.5.17 and litetui restore the last state before the gap

To every other target its restore has the bytes of 0.5.17's.

The binaries are named by environment variables (`bash .ci/run` installs them). Without them tests are skipped, but not
under CI.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from litetui.errors import DamageError, LitetuiError, NoSuchTargetError
from litetui.ops import restore as ops
from litetui.ops.target import Target
from litetui.replica.detect import open_any
from litetui.replica.ltx import LTXReplica
from litetui.units import NS, format_time
from tests.test_oracle import Application, until

ORACLE, OLD = "0.5.17", "0.5.5"
VARIABLES = {ORACLE: "LITETUI_LITESTREAM_0_5", OLD: "LITETUI_LITESTREAM_0_5_5"}
FLAGS = {ORACLE: 1, OLD: 0}
MISSING_PAGES = ("page number", ": EOF")  # inside the database, and at its end
OLD_REFUSES = ("timestamp does not exist", "non-contiguous transaction files")
WORKERS = 3
_MS = 1_000_000

Plan = list[tuple[int, str, int, str]]


def binary(version: str) -> str:
    """The path of that real Litestream; skips the test where there is none, and fails it under CI."""
    path = os.environ.get(VARIABLES[version], "")
    if not os.access(path, os.X_OK):
        why = f"{VARIABLES[version]} names no real Litestream {version}"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return path


# ---- making replicas


def make(versions: Iterable[str], folder: Path) -> LTXReplica:
    """A replica that these versions wrote one after the other while an application wrote: with files at levels 0, 1, 2
    and snapshots of each version's own, the first files of level 0 retired."""
    root, config = folder / "replica", folder / "litestream.yml"
    with Application(folder) as app:
        config.write_text(
            "levels:\n  - interval: 500ms\n  - interval: 2s\nsnapshot:\n  interval: 1500ms\n  retention: 1h\n"
            f"l0-retention: 2s\nl0-retention-check-interval: 300ms\ndbs:\n  - path: {app.db}\n"
            "    monitor-interval: 40ms\n    replica:\n      type: file\n      sync-interval: 50ms\n"
            f"      path: {root}\n"
        )
        for version in versions:
            _replicate(version, root, config, folder / f"{version}.log")
    found = open_any(root)
    assert isinstance(found, LTXReplica)
    assert found.path == str(root)
    return found


def _replicate(version: str, root: Path, config: Path, log: Path) -> None:
    before = max((txid(path) for path in root.glob("ltx/*/*.ltx")), default=0)
    first = root / "ltx" / "0" / f"{before + 1:016x}-{before + 1:016x}.ltx"

    def is_enough() -> bool:
        assert litestream.poll() is None, log.read_text()
        new = {level: [p for p in root.glob(f"ltx/{level}/*") if txid(p) > before] for level in (2, 9)}
        return len(new[9]) > 2 and bool(new[2]) and not first.exists()

    with log.open("w") as output:
        litestream = subprocess.Popen(
            [binary(version), "replicate", "-config", str(config)], stdout=output, stderr=output
        )
        try:
            until(is_enough, "three snapshots, level 2, and the retention of level 0", 60)
        finally:
            litestream.send_signal(signal.SIGINT)
            litestream.wait(30)


def txid(path: Path) -> int:
    """The last TXID of a file; 0 of one that is still being written."""
    return int(path.stem.partition("-")[2], 16) if path.suffix == ".ltx" else 0


def page_flags(replica: LTXReplica) -> set[int]:
    """The flags of the first page of every file, which tell the encodings."""
    table, found = replica.table, set()
    for row in range(len(table)):
        with replica.open(table[row]) as file:
            found.add(int.from_bytes(file.read_at(2, 104), "big"))
    return found


# ---- what is asked for


@dataclass(frozen=True)
class Asked:
    """A target, as Litestream's arguments and as litetui's."""

    args: tuple[str, ...]
    target: Target


def txids(replica: LTXReplica, others: int) -> list[Asked]:
    """Every TXID that a file ends with, some of the others from 1 on, and the two after the last; ascending."""
    ends = set(replica.table.max_txid.tolist())
    last = max(ends)
    inside = sorted(set(range(1, last)) - ends)
    chosen = sorted([*ends, *random.Random(4).sample(inside, min(others, len(inside))), last + 1, last + 2])
    return [Asked(("-txid", f"{n:016x}"), Target(txid=n)) for n in chosen]


def times(replica: LTXReplica, count: int) -> list[Asked]:
    """The latest; random times, half of them those of files; and those around the first and the last file."""
    rng, of_files = random.Random(3), replica.table.time_ns.tolist()
    first, last = min(of_files), max(of_files)
    chosen = [rng.choice(of_files) for _ in range(count // 2)]
    chosen += [rng.randrange(first // _MS, last // _MS) * _MS + rng.choice((0, 1, 999_999)) for _ in range(count // 2)]
    chosen += [first - 1, first, first + 1, first + _MS, last - 1, last, last + 1, last + NS]
    return [Asked((), Target()), *(Asked(("-timestamp", format_time(ns)), Target(timestamp_ns=ns)) for ns in chosen)]


# ---- plans


def real(version: str, replica: LTXReplica, *args: str) -> subprocess.CompletedProcess[str]:
    """Run `litestream restore`."""
    command = [binary(version), "restore", *args, f"file://{replica.path}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def real_plan(replica: LTXReplica, asked: Asked, out: Path) -> Plan | None:
    """Litestream's plan: level, name, size, and time to the second of each file; None where it refuses."""
    done = real(ORACLE, replica, "-dry-run", "-json", "-o", str(out), *asked.args)
    if done.returncode:
        assert "no matching backup files" in done.stderr or "timestamp does not exist" in done.stderr, done.stderr
        return None
    answer = json.loads(done.stdout)
    files = [(f["level"], f["name"], f["size"], f["timestamp"]) for f in answer["files"]]
    assert answer["max_txid"] == f"{txid(Path(files[-1][1])):016x}"
    return files


def our_plan(replica: LTXReplica, asked: Asked) -> Plan | NoSuchTargetError:
    """The same of litetui."""
    try:
        plan = ops.plan(replica, asked.target)
    except NoSuchTargetError as error:
        return error
    assert plan.txid == plan.chain[-1].max_txid
    return [(i.level, i.name, i.size, format_time(i.time_ns // NS * NS)) for i in plan.chain]


@dataclass
class Compared:
    """How both answered: the targets that both have a plan for, those that both refuse, and what differs."""

    planned: list[Asked]
    refused: list[tuple[Asked, NoSuchTargetError]]
    wrong: list[str]


def compare_plans(replica: LTXReplica, asked: list[Asked], folder: Path) -> Compared:
    """Ask both for the plans of all targets."""
    found = Compared([], [], [])
    with ThreadPoolExecutor(WORKERS) as pool:
        theirs = pool.map(lambda one: real_plan(replica, one, folder / "x.db"), asked)
        for one, wanted in zip(asked, theirs, strict=True):
            try:
                ours = our_plan(replica, one)
            except LitetuiError as error:
                found.wrong.append(f"{one.args}: {error!r} instead of {wanted}")
                continue
            if isinstance(ours, NoSuchTargetError) and wanted is None:
                found.refused.append((one, ours))
            elif ours == wanted:
                found.planned.append(one)
            else:
                found.wrong.append(f"{one.args}: {ours} instead of {wanted}")
    return found


def reachable(found: Compared) -> list[int]:
    """The TXIDs that both have a plan for, ascending."""
    return sorted(one.target.txid for one in found.planned if one.target.txid is not None)


# ---- bytes


def _digest(path: Path) -> tuple[int, str]:
    """Size and hash of a restored file, which is deleted."""
    data = path.read_bytes()
    path.unlink()
    return len(data), hashlib.sha256(data).hexdigest()


def compare_bytes(
    replica: LTXReplica, asked: list[Asked], folder: Path, versions: Iterable[str], check: str, *, lossy: bool = False
) -> list[str]:
    """Restore to all targets with litetui and with these versions. Returns what differs. `lossy`: 0.5.5 wrote it, so
    litetui may find missing pages."""

    def theirs(version: str) -> Callable[[int], tuple[int, str] | None]:
        def restore(number: int) -> tuple[int, str] | None:
            args, out = asked[number].args, folder / f"{version}-{number}.db"
            done = real(version, replica, "-o", str(out), *args)
            if version == OLD and "-timestamp" in args and any(why in done.stdout for why in OLD_REFUSES):
                return None
            missing = any(words in done.stdout + done.stderr for words in MISSING_PAGES)
            assert not done.returncode or (lossy and missing), (version, args, done)
            return None if done.returncode else _digest(out)

        return restore

    wrong, lost = [], 0
    with ThreadPoolExecutor(WORKERS) as pool:
        restored = {version: pool.map(theirs(version), range(len(asked))) for version in versions}
        for number, one in enumerate(asked):
            ours = our_bytes(replica, one, folder / f"ours-{number}.db", check, lossy=lossy)
            lost += ours is None
            for version, answers in restored.items():
                wanted = next(answers)
                if wanted is None and ours is not None and version == ORACLE:
                    wrong.append(f"{one.args}: {version} refuses")
                elif None not in (ours, wanted) and ours != wanted:
                    wrong.append(f"{one.args}: {ours} instead of {wanted} of {version}")
    assert lost <= len(asked) // 4, f"{lost} of {len(asked)} cannot be restored"
    return wrong


def our_bytes(replica: LTXReplica, asked: Asked, out: Path, check: str, *, lossy: bool) -> tuple[int, str] | None:
    """What litetui restores; None where pages are missing in a lossy replica."""
    try:
        ops.run(ops.plan(replica, asked.target), str(out), integrity_check=check)
    except DamageError as error:
        if lossy and error.code == "missing-page":
            return None
        raise
    return _digest(out)


def nearest(txids: list[int], between: int) -> list[int]:
    """The TXIDs of an ascending list around one that is not in it."""
    for before, after in pairwise([0, *txids, 1 << 64]):
        if before < between < after:
            return [n for n in (before, after) if 0 < n < 1 << 64]
    raise AssertionError(f"{between:x} is in the list")
