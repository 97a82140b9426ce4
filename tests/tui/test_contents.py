"""Reading what the cursor rests on: what changes while a file is read, what a slow reading says, how much is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from litetui.jobs.progress import CancelToken, Reporter
from litetui.replica.ltx import LTXReplica
from litetui.tui.bridge import Bridge
from litetui.tui.contents import KEPT, LOAD, Contents
from litetui.tui.ltx.pages import read_pages
from litetui.tui.model import ReplicaView
from litetui.tui.tree_line import Key
from tests.tui.helpers import session
from tests.tui.ltx_files import make_replica
from tests.tui.test_outline import G, view_of

Golden = Callable[[str], Path]


class FakeBridge:
    """Loads that end when the test says so."""

    def __init__(self) -> None:
        self.waiting: dict[str, Callable[[object], None]] = {}

    def loading(self, key: str) -> bool:
        return key in self.waiting

    def load(self, key: str, work: object, then: Callable[[object], None], *_: object, **__: object) -> None:
        self.waiting[key] = then

    def forget(self, key: str) -> None:
        self.waiting.pop(key, None)

    def delay(self, key: str, seconds: float, call: Callable[[], None]) -> None:
        call()

    def answer(self, content: object) -> None:
        self.waiting.pop(LOAD)(content)


class Reading:
    """Contents without a screen; `came` is what they told it, with the view of when the reading began."""

    def __init__(self, view: ReplicaView) -> None:
        self.bridge = FakeBridge()
        self.came: list[tuple[object, ReplicaView]] = []
        app = SimpleNamespace(bridge=self.bridge, path="/r", file_replica=object())
        settings = SimpleNamespace(debounce_s=0)
        self.browser = SimpleNamespace(app=app, settings=settings, view=view, content_came=self.note)
        self.contents = Contents(cast(Any, self.browser))

    def note(self, key: Key, content: object, began: ReplicaView) -> None:
        self.came.append((content, began))
        self.contents.rest(key)


@pytest.mark.parametrize("known", [False, True])
def test_what_grows_while_it_is_read_is_read_once_more(known: bool) -> None:
    view = view_of([0, 1, 2])
    key: Key = ("index", G, 2)
    one = Reading(view)
    if known:
        one.contents.rest(key)
        one.bridge.answer("10 frames")
        one.contents.changed(view)
    one.contents.rest(key)
    later = view_of([0, 1, 2])
    one.browser.view = later
    for _ in range(2):
        one.contents.changed(later)
        one.contents.rest(key)
    one.bridge.answer("20 frames")
    assert one.came[-1] == ("20 frames", view)  # a file that came meanwhile is not blamed for what was read
    assert one.bridge.loading(LOAD)
    one.bridge.answer("30 frames")
    assert one.came[-1] == ("30 frames", later)
    assert not one.bridge.loading(LOAD)


def test_only_the_last_files_are_kept() -> None:
    one = Reading(view_of(list(range(20))))
    for index in range(20):
        one.contents.rest(("index", G, index))
        one.bridge.answer("frames")
    assert list(one.contents.known) == [("index", G, index) for index in range(20 - KEPT, 20)]


async def test_a_slow_reading_that_goes_on_is_not_said_to_have_no_answer(
    golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[Reporter] = []
    moved: dict[str, Callable[[], int] | None] = {}
    load = Bridge.load

    def seen(self: Bridge, key: str, *args: Any, **kwargs: Any) -> None:
        moved[key] = kwargs.get("moved")
        load(self, key, *args, **kwargs)

    def reporter() -> Reporter:
        reports.append(Reporter())
        return reports[-1]

    monkeypatch.setattr(Bridge, "load", seen)
    monkeypatch.setattr("litetui.tui.contents.Reporter", reporter)
    monkeypatch.setattr("litetui.tui.owning.Reporter", reporter)
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("j")
        view = ui.app.browser.view
        assert view is not None
        assert view.newest is not None
        ui.app.browser.tree_view.reveal(("index", view.newest.name, int(view.newest.indexes.index[-1])))
        await ui.idle()
    for key, phase in (("frames", "WAL"), ("owners", "look")):
        report = next(r for r in reports if r.progress.phase.startswith(phase))
        report.progress = replace(report.progress, at=report.progress.at + 1000)
        assert (told := moved[key]) is not None
        assert told() > 900_000


def test_the_reading_of_an_ltx_file_tells_how_far_it_is(tmp_path: Path) -> None:
    replica = LTXReplica(str(make_replica(tmp_path).root))
    report, info = Reporter(), replica.table[0]
    read_pages(replica, info, report, CancelToken())
    progress = report.progress
    assert (progress.phase, progress.total) == (info.name, info.size)
    assert 0 < progress.done <= info.size
