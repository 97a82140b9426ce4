"""The validation beside a running replication: what it logs, counts and shows, and that it stands in nobody's way."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from litetui.ops import live_check
from litetui.ops.metrics import Collector
from tests.ops.test_live_check import garble, pages_of, put, snapshot_of, tamper
from tests.ops.test_replicate import FAST, Running, running
from tests.primary.rig import Rig, wait
from tests.primary.rig import rig as make_rig
from tests.primary.sql import App

OFTEN = replace(FAST, validation_interval_s=0.01)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with make_rig(tmp_path, rows=60) as made:
        yield made


def counts(run: Running, number: int = 0) -> tuple[int, int]:
    """How often a replica was the same, and how often it was not."""
    count = run.replicator.validator.counts[run.replicator.replicas[number].name]
    return count["ok"], count["error"]


def test_each_replica_is_validated_while_it_follows(rig: Rig) -> None:
    with running(rig, OFTEN, count=2) as run:
        wait(lambda: min(counts(run, 0)[0], counts(run, 1)[0]) > 1, "validations of both replicas")
        rig.app.add(2)
        wait(run.in_step, "both replicas")
        state = run.replicator.state()
        assert [r.validation.status if r.validation else "" for r in state.replicas] == ["ok", "ok"]
        run.stop()
    assert counts(run, 0)[1] == counts(run, 1)[1] == 0
    line = r"file-1: validation status=ok db=([0-9a-f]{16}) replica=\1 position=[0-9a-f]{16}/[0-9a-f]{8}:[0-9]+"
    assert any(re.fullmatch(line, text) for _, text in run.log.lines)
    assert run.log.errors() == []
    assert not run.log.has("cancelled")


def test_a_mismatch_is_shown_and_replication_goes_on(rig: Rig) -> None:
    with running(rig) as run:
        assert run.database.checkpoint("PASSIVE")  # what comes now is in the next WAL
        rig.app.add(1)
        run.replicator.snapshot_now(run.log, run.cancel)
        run.stop()
    (root,) = run.roots
    sorted(root.rglob("*.snapshot.lz4"))[0].unlink()
    sound = snapshot_of(root).read_bytes()
    page = pages_of(root, "item")[1]
    tamper(root, garble(page))
    with running(rig, OFTEN) as run:
        wait(lambda: run.replicator.state().replicas[0].error, "the mismatch")
        error = run.replicator.state().replicas[0].error
        assert error is not None
        assert f": {page} (item)" in str(error)
        assert error.hint
        found = run.replicator.state().replicas[0].validation
        assert found is not None
        assert found.tables == ("item",)
        assert [os.path.exists(path) for path in found.kept] == [True, True]
        assert any("status=mismatch" in text and found.kept[0] in text for text in run.log.errors())
        before = run.replicator.state().replicas[0].pos
        rig.app.add(1)
        wait(lambda: run.replicator.state().replicas[0].pos > before, "replication goes on")
        assert run.replicator.state().replicas[0].error is not None, "a sync does not take it back"
        at = counts(run)[1]
        text = metrics(run)
        assert re.search(r'^litestream_replica_validation_total{.*name="file",status="ok"} 0\.0$', text, re.MULTILINE)
        seen = re.search(r'^litestream_replica_validation_total{.*status="error"} ([0-9]+)\.0$', text, re.MULTILINE)
        assert seen is not None
        assert int(seen[1]) >= at > 0
        assert "# TYPE litestream_replica_validation_total counter" in text
        put(snapshot_of(root), sound)
        wait(lambda: run.replicator.state().replicas[0].error is None, "the replica is as it was")
        assert counts(run)[0] > 0
        run.stop()


def metrics(run: Running) -> str:
    registry = CollectorRegistry()
    registry.register(Collector(run.replicator))
    return generate_latest(registry).decode()


def test_what_cannot_be_told_is_a_warning_and_no_error(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_check, "active", partial(live_check.active, wait_s=0.0))
    with running(rig, replace(OFTEN, validation_interval_s=0.0)) as run, App(rig.db) as reader:
        reader("begin", "select count(*) from item")
        rig.app.add(1)
        run.replicator.validator(run.replicator.replicas[0], run.cancel)
        assert run.log.has("validation status=unknown: cannot bring the database to rest")
        assert counts(run) == (0, 0)
        assert run.replicator.state().replicas[0].error is None
        run.stop()
    assert run.log.errors() == []
