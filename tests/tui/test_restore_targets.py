"""Targets of the restore dialog: where it looks for them, and what it says of those that do not restore."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from textual import events
from textual.widgets import Input

from litetui.jobs.job import State
from litetui.replica.detect import open_replica
from litetui.replica.ltx import LTXReplica
from litetui.tui.preview import meaning, preview
from litetui.tui.screens.restore import RestoreDialog
from tests.tui.helpers import NOW, Session, session
from tests.tui.ltx_files import make_replica
from tests.tui.test_restore import expected, sha256

Golden = Callable[[str], Path]


def plain(ui: Session) -> str:
    """The screen's words in a row, without frames."""
    return re.sub(r"[│▎▌\s]+", " ", ui.screen_text)


def dialog(ui: Session) -> RestoreDialog:
    assert isinstance(ui.app.screen, RestoreDialog)
    return ui.app.screen


async def ask(ui: Session, target: str) -> None:
    """Put another target into the field."""
    dialog(ui).query_one("#target", Input).value = target
    await ui.idle()


def test_what_a_preview_says_does_not_ask_the_replica_again(golden_copy: Golden) -> None:
    path = golden_copy("v03-multi-gen")
    replica = open_replica(path)
    seen = preview(replica, "2026-11-22T20:55:24Z", "", "/nowhere/out.db", NOW)
    for generation in (path / "generations").iterdir():
        shutil.rmtree(generation)
    replica.refresh()
    assert replica.generations() == []
    assert any("in 94a4ddb46bb3f1d3" in text for text, _ in meaning(seen, NOW))


def test_nothing_is_proposed_where_no_ltx_file_begins_with_the_first_txid(tmp_path: Path) -> None:
    root = make_replica(tmp_path).root

    def instead() -> str:
        return preview(LTXReplica(str(root)), "", "", "/nowhere/out.db", NOW).instead

    (root / "ltx/0/000000000000000a-000000000000000a.ltx").unlink()
    assert instead() == "last-good"
    for path in root.glob("ltx/*/0000000000000001-*"):
        path.unlink()
    assert instead() == ""


async def test_a_time_on_the_replicas_line_is_looked_for_in_all_generations(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (160, 45)) as ui:
        await ui.press("r")
        await ui.type("2026-11-22T20:55:24Z")
        assert re.search(r"before +20:55:23.\d+Z  \d{8}  .* earlier: taken", ui.screen_text)
        assert "asked 20:55:24.000Z in 94a4ddb46bb3f1d3" in plain(ui)
        assert "--generation 94a4ddb46bb3f1d3 --timestamp 2026-11-22T20:55:24Z" in plain(ui)
        await ask(ui, "2026-11-22T20:55:29Z")  # between two
        assert re.search(r"before +20:55:28.886Z  b1af8a513325d54b 00000002  113 ms earlier\s*│", ui.screen_text)
        assert re.search(r"after +20:55:29.378Z  37a3dbace36f1ae1 00000000  378 ms later", ui.screen_text)
        assert "b1af8a513325d54b ends at" in plain(ui)
        await ui.press("escape", "j", "r")
        await ui.type("2026-11-22T20:55:24Z")  # a generation that was chosen stays the one
        assert "37a3dbace36f1ae1 does not hold 2026-11-22T20:55:24Z" in plain(ui)
        assert "write 94a4ddb46bb3f1d3 2026-11-22T20:55:24Z into the field To" in plain(ui)
        await ask(ui, "94a4ddb46bb3f1d3 2026-11-22T20:55:24Z")
        await ui.press("enter")
        assert "settled" in ui.screen_text


async def test_the_time_of_no_plan_is_not_said_to_be_taken(golden: Golden) -> None:
    """The first snapshot of a retention is younger than the WAL it begins with."""
    async with session(golden("v03-retention"), (160, 45)) as ui:
        await ui.press("j")
        assert "2.7 s" in ui.screen_text  # the window, of 3.5 s of files
        await ui.press("r")
        await ui.type("2026-11-22T20:45:15.5Z")
        assert "nothing leads to a state before it" in plain(ui)
        assert "taken" not in ui.screen_text
        assert re.search(r"after +20:45:15.706Z  00000005  206 ms later", ui.screen_text)
        await ask(ui, "2026-11-22T20:45:15.707Z")
        assert re.search(r"before +20:45:15.706Z  00000005  .* earlier: taken", ui.screen_text)


async def test_a_newest_generation_that_does_not_restore_is_no_dead_end(golden: Golden) -> None:
    async with session(golden("v03-dmg-missing-snapshot"), (160, 45)) as ui:
        await ui.press("r")
        assert "write b1af8a513325d54b into the field To" in plain(ui)
        await ui.type("b1af8a513325d54b")
        assert "latest of b1af8a513325d54b ended" in plain(ui)
        assert "by names" in ui.screen_text
        await ask(ui, "last-good")
        await ui.press("enter")
        passed = "generation 37a3dbace36f1ae1 has no snapshot: b1af8a513325d54b is taken instead; what came after it"
        assert plain(ui).count(passed) == 2  # over the fields, and in the plan
        assert "latest of" not in ui.screen_text
        await ui.press("enter")
        (job,) = ui.app.runner.jobs
        assert job.state is State.DONE, job.error
        assert sha256(job.output) == expected("v03-multi-gen", "gen-b1af8a513325d54b")
        await ui.press("1", "j", "r")
        await ui.type("last-good")  # of the generation that is named
        assert "has no snapshot" in plain(ui)
        assert "write b1af8a513325d54b into the field To" in plain(ui)
        await ui.press("escape", "2", "right_square_bracket", "r")  # of what needs attention
        assert ui.app.browser.tab == "attention"
        assert dialog(ui).title_text == "Restore b1af8a513325d54b"
        assert "by names" in ui.screen_text


async def test_keys_that_come_together_are_about_the_line_under_the_cursor(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        for key in "Gr":
            ui.app.post_message(events.Key(key, key))
        await ui.until(lambda: isinstance(ui.app.screen, RestoreDialog))
        assert dialog(ui).start.generation == "94a4ddb46bb3f1d3"
