"""Replicas made on the spot by real Litestream under a write load, and the plans and restores of it and of litetui.

0.5.17 writes one, 0.5.5 another (the old encoding of pages), and one after the other a third; see ltx_oracle.

Every TXID that a file ends with, reachable or not, some that lie inside files, and 50 random times.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from litetui.ops.ltx_survey import survey
from litetui.replica.ltx import LTXReplica
from litetui.tui.ltx.model import restore_points
from tests import ltx_oracle
from tests.ltx_oracle import FLAGS, OLD, ORACLE

TIMES = 50
OTHERS = 40


@dataclass(frozen=True)
class Case:
    """Who wrote the replica, one after the other; whose restores ours must equal; and SQLite's check of them."""

    written_by: tuple[str, ...]
    restored_by: tuple[str, ...] = (ORACLE,)
    check: str = "none"

    @property
    def lossy(self) -> bool:
        return OLD in self.written_by


CASES = {
    "0.5.17": Case((ORACLE,), check="quick"),
    "0.5.5": Case((OLD,), restored_by=(ORACLE, OLD)),
    "0.5.5, then 0.5.17": Case((OLD, ORACLE)),
}


@pytest.fixture(scope="module", params=list(CASES.values()), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    assert isinstance(request.param, Case)
    return request.param


@pytest.fixture(scope="module")
def replica(case: Case, tmp_path_factory: pytest.TempPathFactory) -> LTXReplica:
    return ltx_oracle.make(case.written_by, tmp_path_factory.mktemp("live-ltx"))


def test_every_txid(replica: LTXReplica, case: Case, tmp_path: Path) -> None:
    found = ltx_oracle.compare_plans(replica, ltx_oracle.txids(replica, OTHERS), tmp_path)
    assert not found.wrong, "\n".join(found.wrong)
    reached = ltx_oracle.reachable(found)
    refused = {asked.target.txid: str(error) for asked, error in found.refused}
    assert len(reached) > 20
    assert restore_points(replica.table).txid.tolist() == reached
    assert list(refused)[-2:] == [reached[-1] + 1, reached[-1] + 2]
    assert len(refused) > 2, "no TXID lay inside a compacted file"
    for txid, message in refused.items():
        assert txid is not None
        for near in ltx_oracle.nearest(reached, txid):
            assert f"{near:016x}" in message
    wrong = ltx_oracle.compare_bytes(replica, found.planned, tmp_path, case.restored_by, "none", lossy=case.lossy)
    assert not wrong, "\n".join(wrong)


def test_random_times(replica: LTXReplica, case: Case, tmp_path: Path) -> None:
    found = ltx_oracle.compare_plans(replica, ltx_oracle.times(replica, TIMES), tmp_path)
    assert not found.wrong, "\n".join(found.wrong)
    assert len(found.planned) > TIMES // 2
    wrong = ltx_oracle.compare_bytes(replica, found.planned, tmp_path, case.restored_by, case.check, lossy=case.lossy)
    assert not wrong, "\n".join(wrong)


def test_it_is_what_it_should_be(replica: LTXReplica, case: Case) -> None:
    """All levels and the encodings of all writers are under test, and nothing needs attention."""
    assert ltx_oracle.page_flags(replica) == {FLAGS[version] for version in case.written_by}
    assert {0, 1, 2, 9} <= set(replica.table.level.tolist())
    found = survey(replica)
    assert (found.why_not, found.reached) == ("", found.newest)
    assert not [f for f in found.findings if f.severity != "info"]
