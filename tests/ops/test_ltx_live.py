"""A v0.5 replica compared with the live database: at which sync, and what is said where there is none.

The replica is written as Litestream 0.5 does it, from the committed frames of the WAL; tests/test_live_ltx.py has the
real one.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from litetui.errors import PrimaryError
from litetui.format import names, wal
from litetui.format.ltx_header import LTXHeader
from litetui.format.position import TXID
from litetui.ops import live_check, ltx_live, validate
from litetui.ops.verdict import LiveCheck
from litetui.replica.detect import open_any
from tests.build import usual_history, write_replica
from tests.conftest import Run
from tests.ltx_encode import encode
from tests.ops.test_live_check import WAITING, When
from tests.primary.sql import App, once

PAGE = 4096
FRAME = PAGE + wal.FRAME_HEADER_SIZE
T0 = 1_700_000_000_000


@dataclass
class Replicator:
    """Writes level 0 from what is in the WAL."""

    db: Path
    root: Path
    txid: int = 0
    raw: bytes = b""
    end: int = 0
    pages: dict[int, bytes] = field(default_factory=dict)

    def sync(self) -> int:
        """One sync. Returns the TXID."""
        data = Path(f"{self.db}-wal").read_bytes()
        header = wal.WALHeader.parse(data)
        start = self.end if data[:32] == self.raw else wal.HEADER_SIZE
        rows = np.frombuffer(data[32 : 32 + (len(data) - 32) // FRAME * FRAME], np.uint8).reshape(-1, FRAME)
        block = wal.check_frames(rows, header, header.checksum)
        count = int(np.flatnonzero(block.commits[: block.valid])[-1]) + 1
        first = (start - wal.HEADER_SIZE) // FRAME
        images = {int(block.pages[n]): rows[n, wal.FRAME_HEADER_SIZE :].tobytes() for n in range(first, count)}
        size = int(block.commits[count - 1])
        changed = {page: image for page, image in images.items() if page <= size}
        self.pages = {page: image for page, image in (self.pages | changed).items() if page <= size}
        self.raw, self.end = data[:32], header.end_of(count)
        self.txid += 1
        self.put(0, self.txid, self.pages if self.txid == 1 else changed, size, start, header)
        return self.txid

    def put(
        self,
        level: int,
        first: int,
        pages: dict[int, bytes],
        size: int,
        start: int = 0,
        of: wal.WALHeader | None = None,
    ) -> Path:
        place = (start, self.end - start, of.salt1, of.salt2) if of is not None else (0, 0, 0, 0)
        header = LTXHeader(PAGE, size, first, self.txid, T0 + 1000 * self.txid, 2, 0, *place)
        path = self.root / "ltx" / str(level) / names.format_ltx(first, self.txid)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(header, sorted(pages.items())))
        os.utime(path, ns=(header.timestamp_ns,) * 2)
        return path


@dataclass
class Rig:
    app: App
    replicator: Replicator
    scratch: Path

    def passive(self, report: When | None = None, wait_s: float = 0.0) -> LiveCheck:
        """A comparison that leaves nothing in the scratch folder."""
        replica = open_any(self.replicator.root)
        found = live_check.passive(
            replica, str(self.app.path), scratch=str(self.scratch), wait_s=wait_s, report=report
        )  # fmt: skip
        assert not list(self.scratch.iterdir())
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    (tmp_path / "scratch").mkdir()
    with App(tmp_path / "app.db") as app:
        app.add(30)
        app("create table other (body text)", "insert into other select body from item")
        made = Rig(app, Replicator(app.path, tmp_path / "r"), tmp_path / "scratch")
        made.replicator.sync()
        yield made


def test_in_step(rig: Rig) -> None:
    for _ in range(3):
        found = rig.passive()
        assert (found.status, found.pos) == ("ok", TXID.of(rig.replicator.txid)), found
        assert f"the restore to {rig.replicator.txid:016x} is the database" in found.words
        rig.app.add(2)
        rig.replicator.sync()


def test_the_replica_is_behind(rig: Rig) -> None:
    rig.app.add(1)
    found = rig.passive()
    assert (found.status, found.pos) == ("unknown", None)
    assert "bytes of transactions behind, at TXID 0000000000000001" in found.words
    found = rig.passive(When(WAITING, rig.replicator.sync), 20)
    assert (found.status, found.pos) == ("ok", TXID.of(2)), found


@pytest.mark.parametrize("change", ["grow", "shrink", "shrink and grow", "both"])
def test_a_sync_that_has_more_than_was_seen(rig: Rig, change: str) -> None:
    """No sync ends where the look was: it goes on to the one after it."""

    def write() -> None:
        rig.app("update item set body = 'changed' where id % 3 = 0")
        if change in ("shrink", "shrink and grow", "both"):
            rig.app("delete from item where id < 25", "vacuum")
        if change in ("grow", "shrink and grow"):
            rig.app.add(50)
        rig.replicator.sync()
        rig.app.add(3)
        rig.replicator.sync()

    rig.app.checkpoint()
    rig.app.add(1)
    report = When(WAITING, write)
    found = rig.passive(report, 20)
    assert not report.acts
    assert (found.status, found.pos) == ("ok", TXID.of(2)), found


def test_a_wal_that_begins_anew_before_the_sync(rig: Rig) -> None:
    """What the sync has beyond the look is not in the WAL any more: a new look is taken."""

    def restart() -> None:
        rig.app.add(1)
        rig.replicator.sync()
        rig.app.checkpoint("restart")
        rig.app.add(1)
        rig.replicator.sync()

    rig.app.add(1)
    found = rig.passive(When(WAITING, restart), 20)
    assert (found.status, found.pos) == ("ok", TXID.of(3)), found
    rig.app.add(1)

    def skip() -> None:
        rig.replicator.sync()
        rig.app.checkpoint("restart")
        rig.app.add(1)
        rig.replicator.sync()
        (rig.replicator.root / "ltx/0" / names.format_ltx(4, 4)).unlink()
        pages = rig.replicator.pages
        rig.replicator.put(9, 1, pages, max(pages))

    found = rig.passive(When(WAITING, skip), 20)
    assert (found.status, found.pos) == ("ok", TXID.of(5)), found


def test_a_wal_or_more_behind(rig: Rig) -> None:
    for _ in range(2):
        rig.app.checkpoint("restart")
        rig.app.add(1)
    found = rig.passive()
    assert found.status == "unknown"
    assert "ends in an earlier WAL, at TXID 0000000000000001: the database is 2 further" in found.words


def test_what_cannot_be_placed(rig: Rig, tmp_path: Path) -> None:
    pages = rig.replicator.pages
    rig.replicator.put(9, 1, pages, max(pages))
    path = rig.replicator.root / "ltx/0" / names.format_ltx(1, 1)
    kept = path.read_bytes()
    path.unlink()
    found = rig.passive()
    assert found.status == "unknown"
    assert "no files of level 0" in found.words
    assert "after the next sync" in found.words
    path.write_bytes(kept[:50])
    found = rig.passive()
    assert found.status == "unknown"
    assert "it was cut" in found.words
    path.write_bytes(kept)
    with App(tmp_path / "other.db") as other:
        other.add(1)
        found = live_check.passive(open_any(rig.replicator.root), str(other.path), scratch=str(rig.scratch), wait_s=0)
    assert found.status == "unknown"
    assert "another database" in found.words


@pytest.mark.parametrize("ahead", [False, True])
def test_a_difference_is_found_with_its_pages_and_tables(rig: Rig, ahead: bool) -> None:
    rig.app.checkpoint("restart")
    rig.app("insert into item (body) values ('x')")
    rig.replicator.sync()
    with closing(sqlite3.connect(f"file:{rig.app.path}?mode=ro", uri=True)) as connection:
        (page,) = connection.execute("select max(pageno) from dbstat where name = 'other'").fetchone()
    data = rig.replicator.pages[page]
    pages = rig.replicator.pages | {page: data[:-7] + bytes([data[-7] ^ 1]) + data[-6:]}
    rig.replicator.put(9, 1, pages, max(pages))
    acts = []
    if ahead:
        rig.app("insert into item (body) values ('y')")
        acts.append(lambda: (rig.app("insert into item (body) values ('z')"), rig.replicator.sync()))
    found = rig.passive(When(WAITING, *acts), 0.5 if ahead else 0)
    assert (found.status, found.pages, found.tables) == ("mismatch", 1, ("other",)), found
    assert found.pos == TXID.of(3 if ahead else 2)
    assert f": {page} (other)" in found.words


def test_a_snapshot_that_is_ahead_is_compared_once_more(rig: Rig) -> None:
    """What it restores to is no state of the database, but the next sync puts that right."""
    app, replicator = rig.app, rig.replicator
    page = max(replicator.pages)
    pages = replicator.pages | {page: replicator.pages[page][:-7] + b"too new"}
    replicator.put(9, 1, pages, page)
    assert rig.passive().status == "mismatch"

    def go_on() -> None:
        app("update other set body = body || 'x'")
        replicator.sync()

    found = rig.passive(When("compare again", go_on), 20)
    assert (found.status, found.pos) == ("ok", TXID.of(2)), found
    assert f"; but 1 of {page} pages differ" in found.words
    assert "its snapshot is ahead of its TXID" in found.words


def test_without_a_wal_the_latest_is_taken(rig: Rig) -> None:
    assert rig.app.checkpoint("truncate")[0] == 0
    found = rig.passive()
    assert (found.status, found.pos) == ("ok", TXID.of(1)), found
    assert "has no WAL" in found.words
    rig.app.add(1)
    rig.app.checkpoint("truncate")
    assert rig.passive().status == "unknown"


def test_frames_that_are_not_what_the_replica_says(rig: Rig) -> None:
    path = f"{rig.app.path}-wal"
    raw = Path(path).read_bytes()[:32]
    hashes = np.zeros(1, np.uint64)
    assert ltx_live.go_on(hashes, path, raw, 32, 32) is hashes
    assert ltx_live.go_on(hashes, path, raw[:-1] + b"x", 32, 32) is hashes
    with pytest.raises(PrimaryError, match="no whole transactions"):
        ltx_live.go_on(hashes, path, raw, 32, 32 + FRAME)
    assert ltx_live.go_on(hashes, path, raw, 32, 32 + 10_000 * FRAME) is None


@pytest.mark.parametrize("what", ["whole WAL(s) between", "bytes of the WAL before it", "a beginning", ""])
def test_what_the_replicator_went_on_without(rig: Rig, what: str) -> None:
    """Litestream 0.5 does, where the application restarts the WAL while it does not run."""
    app, replicator = rig.app, rig.replicator
    app.add(1)
    assert replicator.sync() == 2
    if what:
        if not what.startswith("bytes"):
            app.checkpoint("restart")
        app("update other set body = 'lost'")
        (replicator.root / "ltx/0" / names.format_ltx(3, replicator.sync())).unlink()
        replicator.txid = 2
        if what.startswith("whole"):
            app.checkpoint("restart")
    app("update item set body = 'there' where id = 1")
    assert replicator.sync() == 3
    report = validate.run(validate.plan(open_any(replicator.root)))
    if not what:
        assert report.all_findings == []
        return
    (finding,) = report.all_findings
    assert (finding.code, report.verdict, report.latest_restores) == ("missing-wal", "damaged", None)
    assert what in finding.message or what == "a beginning"
    assert "the latest state rests on it" in finding.message
    assert rig.passive().status == "mismatch"
    replicator.put(9, 1, replicator.pages, max(replicator.pages))
    report = validate.run(validate.plan(open_any(replicator.root)))
    assert [f.code for f in report.all_findings] == ["missing-wal", "chains-differ"]
    assert "does not rest on it" in report.all_findings[0].message
    assert rig.passive().status == "ok"


def test_on_the_command_line(cli: Run, rig: Rig) -> None:
    """Also where v0.3 generations lie beside: the newer files are compared."""
    root = rig.replicator.root
    result = json.loads(cli("validate", root, "--db", rig.app.path, "--json", "--scratch", rig.scratch)[1])
    assert (result["verdict"], result["live"]["status"]) == ("ok", "ok")
    assert result["live"]["position"] == "0000000000000001"
    write_replica(root, usual_history(2, 2), start_ns=(T0 - 10**6) * 10**6)
    code, out, _ = cli("validate", root, "--db", rig.app.path, "--scratch", rig.scratch)
    assert (code, "the restore to 0000000000000001 is the database" in out) == (0, True), out
    assert out.count("generation ") == 1
    assert "LTX files: ok" in out
    page = max(rig.replicator.pages)
    pages = rig.replicator.pages | {page: bytes(PAGE)}
    rig.replicator.put(9, 1, pages, page)
    code, out, _ = cli("validate", root, "--db", rig.app.path, "--json", "--scratch", rig.scratch)
    result = json.loads(out)
    assert (code, result["verdict"], result["live"]["status"]) == (3, "damaged", "mismatch")
    (finding,) = [f for f in result["findings"] if f["code"] == "live-mismatch"]
    assert (finding["generation"], finding["index"], finding["offset"]) == (None, None, None)
    assert any("litestream replicate -once -force-snapshot" in step for step in result["next_steps"])


def test_the_newest_sound_state(cli: Run, rig: Rig, tmp_path: Path) -> None:
    """An index that is not one any more, in the live database: the replica carries that faithfully."""
    app, replicator = rig.app, rig.replicator
    app("create index by_body on item (body)")
    for _ in range(5):
        app.add(1)
        last = replicator.sync()
    app("pragma writable_schema = 1", "update sqlite_schema set sql = 'create index by_body on item (id)' where "
        "name = 'by_body'")  # fmt: skip
    for _ in range(6):
        replicator.sync()
        app("update sqlite_schema set rootpage = rootpage")
    root = replicator.root
    code, out, _ = cli("validate", root, "--find-last-good", "--json", "--scratch", rig.scratch)
    result = json.loads(out)
    assert (code, result["verdict"]) == (3, "damaged")
    good = result["last_good"]
    assert (good["position"], good["first_bad"]) == (f"{last:016x}", f"{last + 1:016x}")
    assert good["probes"] < 8
    out = cli("validate", root, "--find-last-good", "--scratch", rig.scratch)[1]
    assert f"restore it: litetui restore {root} -o OUT --txid {last:016x}" in out
    assert (
        cli("restore", root, "-o", tmp_path / "good.db", "--txid", good["position"], "--integrity-check", "full")[0]
        == 0
    )
    write_replica(root, usual_history(2, 2), start_ns=(T0 - 10**6) * 10**6)
    result = json.loads(cli("validate", root, "--find-last-good", "--json", "--scratch", rig.scratch)[1])
    assert result["last_good"]["position"] == f"{last:016x}"
    assert once(tmp_path / "good.db", "select count(*) from item") == [(35,)]
    assert not list(rig.scratch.iterdir())
