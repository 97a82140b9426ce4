"""The one table of actions: keys, footer, help and palette are all made from it.

An action that is not possible stays in sight, greyed, and says why when it is pressed: its `why_not` gives
the reason for a situation, or "" when it may go ahead.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from textual.binding import Binding

from litetui.units import printable


@dataclass(frozen=True, slots=True)
class Situation:
    """What the browser is at, as far as actions depend on it."""

    pane: str = "tree"  # tree, detail, jobs, log
    replica: bool = False
    database: bool = False
    replicating: bool = False
    generations: int = 0
    readonly: bool = False
    table_rows: int = 0
    filtered: bool = False
    tabs: int = 0
    zoomed: bool = False
    narrow: bool = False
    job_state: str = ""  # of the job under the cursor, or of the only unfinished one
    restorable: bool = False  # in a report: the generation under the cursor restores to some point
    integrity_failed: bool = False
    searching: bool = False
    ltx: bool = False  # the replica, or what the cursor stands on, is of v0.5
    ltx_files: int = 0
    path: str = ""


WhyNot = Callable[[Situation], str]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person can ask for.

    where   "browser": works wherever the focus is; "tree", "table": keys of that widget
    act     the action string of the widget or the screen that the keys call
            "report": keys of that screen
    rank    order in the footer, lower is more important; None: not in the footer
    panes   the panes whose footer shows it; empty: all
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    group: str
    where: str = "browser"
    act: str = ""
    rank: int | None = None
    panes: tuple[str, ...] = ()
    why_not: WhyNot = lambda _: ""

    @property
    def shown_key(self) -> str:
        return _SHOWN.get(self.keys[0], self.keys[0])

    @property
    def shown_keys(self) -> str:
        return " ".join(_SHOWN.get(key, key) for key in self.keys)


_SHOWN = {
    "slash": "/",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "plus": "+",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "escape": "esc",
    "ctrl+p": "^p",
    "ctrl+q": "^q",
    "ctrl+d": "^d",
    "ctrl+u": "^u",
    "f1": "F1",
    "f5": "F5",
    "space": "space",
}


def _needs_replica(at: Situation) -> str:
    return "" if at.replica else "no replica is open: press O"


def _kept(at: Situation, what: str, command: str) -> str:
    """Of a v0.5 replica: that Litestream does this, and with which command."""
    url = shlex.quote(printable(f"file://{at.path}"))
    return f"Litestream 0.5 keeps this replica, litetui only reads it; {what}: {command} DB {url}"


def _writes_by(what: str, command: str) -> WhyNot:
    return lambda at: _kept(at, what, command) if at.ltx else _writes(at)


def _writes(at: Situation) -> str:
    if at.readonly:
        return "started with --readonly"
    if not at.replica:
        return "no replica is open: press O"
    return "" if at.database else "no database attached: press o"


def _attach(at: Situation) -> str:
    if at.ltx:
        return "Litestream 0.5 keeps this replica, litetui only reads it: there is nothing to attach a database for"
    return "this session replicates the attached database: S ends that" if at.replicating else ""


def _retention(at: Situation) -> str:
    if at.ltx:
        command = "litestream replicate -once -enforce-retention"
        return _kept(at, "its retention is in litestream.yml (snapshot: retention), or", command)
    if at.readonly:
        return "started with --readonly"
    if not at.replica:
        return "no replica is open: press O"
    return "" if at.generations else "there is nothing to delete"


def _validate(at: Situation) -> str:
    if not at.replica:
        return "no replica is open: press O"
    if at.ltx:
        return "validation of v0.5 replicas: not in this version yet; r restores, which verifies every checksum"
    return "" if at.generations else "there is no generation to check"


def _report(at: Situation) -> str:
    return "" if at.replica else "another replica is open by now"


def _report_restore(at: Situation) -> str:
    return _report(at) or ("" if at.restorable else "nothing of this generation restores")


def _report_clean(at: Situation) -> str:
    if at.searching:
        return "it is being looked for"
    return _report(at) or ("" if at.integrity_failed else "only after a drill whose integrity check failed")


def _restore(at: Situation) -> str:
    if not at.replica:
        return "no replica is open: press O"
    if at.ltx:
        return "" if at.ltx_files else "there is no LTX file to restore from"
    return "" if at.generations or at.ltx_files else "there is no generation to restore from"


def _table(at: Situation) -> str:
    return "" if at.table_rows or at.filtered else "there is no table with rows in this pane"


def _tabs(at: Situation) -> str:
    return "" if at.tabs > 1 else "this pane has no tabs here"


def _cancel(at: Situation) -> str:
    if at.job_state in ("running", "queued"):
        return ""
    if at.job_state == "several":
        return "several jobs run: 3 goes to them"
    if at.job_state == "cancelling":
        return "it is being cancelled already"
    if at.job_state:
        return f"this job has ended already: {at.job_state}"
    return "no job runs"


RESTORE, REPLICATE = "Restore and check", "Replicate"
REPORT = "Report of a validation"
LOOK, MOVE, JOBS, APP = "Look", "Move", "Jobs and log", "litetui"
LATER = "Later versions"

ACTIONS: tuple[Action, ...] = (
    Action("restore", ("r",), "restore", "restore what the cursor stands on; the plan is shown first",
           RESTORE, rank=1, why_not=_restore),
    Action("validate", ("v",), "validate", "check what can be restored: by names, by every byte, or by a restore",
           RESTORE, rank=2, why_not=_validate),
    Action("attach", ("o",), "attach", "attach the database that this replica belongs to", REPLICATE, rank=11,
           why_not=_attach),
    Action("sync", ("s",), "sync", "copy what the database has committed into the replica, now", REPLICATE, rank=20,
           why_not=_writes_by("to sync", "litestream replicate -once")),
    Action("snapshot", ("n",), "snapshot", "write a snapshot of the database into the replica", REPLICATE, rank=17,
           why_not=_writes_by("for a snapshot", "litestream replicate -once -force-snapshot")),
    Action("replicate", ("S",), "replicate", "keep syncing while litetui is open; again to end it", REPLICATE,
           rank=18, why_not=_writes_by("to replicate", "litestream replicate")),
    Action("retention", ("t",), "retention", "delete what is older than a duration; the plan is shown first",
           REPLICATE, rank=9, why_not=_retention),
    Action("filter", ("slash",), "filter", "show only rows that hold the text; `!text` those that do not",
           LOOK, rank=4, panes=("detail",), why_not=_table),
    Action("open_row", ("enter",), "open", "open what the cursor stands on", LOOK, "table", "choose",
           rank=2, panes=("detail", "jobs")),
    Action("tab_before", ("left_square_bracket",), "tab before", "the tab before", LOOK, why_not=_tabs),
    Action("tab_after", ("right_square_bracket",), "next tab", "the next tab", LOOK, rank=6,
           panes=("tree", "detail"), why_not=_tabs),
    Action("sort_before", ("less_than_sign",), "sort before", "sort by the column before", LOOK, why_not=_table),
    Action("sort_after", ("greater_than_sign",), "sort", "sort by the next column", LOOK, rank=12,
           panes=("detail",), why_not=_table),
    Action("reverse", ("I",), "reverse", "reverse the order of the rows", LOOK, why_not=_table),
    Action("copy", ("y",), "copy", "copy the position, the TXID, the path, the command or the row",
           LOOK, rank=10, why_not=_needs_replica),
    Action("export", ("e",), "export", "write the table to a file, as CSV or JSON", LOOK, rank=14,
           panes=("detail",), why_not=_table),
    Action("refresh", ("R", "f5"), "read again", "read the replica again now", LOOK, why_not=_needs_replica),
    Action("watch", ("w",), "watch", "look for changes every few seconds, on or off", LOOK, rank=13,
           why_not=_needs_replica),
    Action("next_pane", ("tab",), "next pane", "the next pane", MOVE, act="next_pane"),
    Action("previous_pane", ("shift+tab",), "pane before", "the pane before", MOVE, act="previous_pane"),
    Action("pane_1", ("1",), "tree", "go to the tree", MOVE),
    Action("pane_2", ("2",), "details", "go to the details", MOVE),
    Action("pane_3", ("3", "J"), "jobs", "go to the jobs", MOVE),
    Action("pane_4", ("4", "L"), "log", "go to the log", MOVE),
    Action("zoom", ("plus",), "zoom", "give the whole screen to this pane, and back", MOVE),
    Action("back", ("escape",), "back", "clear the filter, leave the zoom, go back to the tree", MOVE),
    Action("up", ("up", "k"), "up", "one row up", MOVE, "rows", "cursor_up"),
    Action("down", ("down", "j"), "down", "one row down", MOVE, "rows", "cursor_down"),
    Action("first", ("home", "g"), "first", "the first row", MOVE, "rows", "cursor_first"),
    Action("last", ("end", "G"), "last", "the last row", MOVE, "rows", "cursor_last"),
    Action("page_up", ("pageup",), "page up", "one page up", MOVE, "rows", "page_up"),
    Action("page_down", ("pagedown",), "page down", "one page down", MOVE, "rows", "page_down"),
    Action("half_up", ("ctrl+u",), "half up", "half a page up", MOVE, "rows", "half_up"),
    Action("half_down", ("ctrl+d",), "half down", "half a page down", MOVE, "rows", "half_down"),
    Action("open_node", ("l", "right"), "open", "open the branch, or go to its first row", MOVE, "tree",
           "open", rank=2, panes=("tree",)),
    Action("close_node", ("h", "left"), "close", "close the branch, or go to its parent", MOVE, "tree",
           "close", rank=3, panes=("tree",)),
    Action("toggle_node", ("enter", "space"), "open or close",
           "open or close the branch; on a leaf, go to its details", MOVE, "tree", "choose"),
    Action("cancel", ("x",), "cancel job", "cancel the job under the cursor, or the only one that runs",
           JOBS, rank=3, panes=("jobs",), why_not=_cancel),
    Action("report_jump", ("enter",), "go there", "in a report: go to the file in the tree, and to the frame in the "
           "table", REPORT, "report", rank=1, panes=("report",), why_not=_report),
    Action("report_restore", ("r",), "restore", "in a report: restore to the last good point", REPORT, "report",
           rank=2, panes=("report",), why_not=_report_restore),
    Action("report_clean_point", ("F",), "find clean point", "in a report: find the last point at which the integrity "
           "check is ok", REPORT, "report", rank=5, panes=("report",), why_not=_report_clean),
    Action("report_export", ("e",), "export", "in a report: write it to a file, as JSON or text", REPORT, "report",
           rank=3, panes=("report",)),
    Action("report_copy", ("y",), "copy", "in a report: copy the finding, its path, the position or the command",
           REPORT, "report", rank=4, panes=("report",)),
    Action("report_help", ("question_mark", "f1"), "help", "in a report: what it shows, and these keys", REPORT,
           "report", rank=0, panes=("report",)),
    Action("report_back", ("escape", "q"), "back", "in a report: leave it", REPORT, "report", rank=0,
           panes=("report",)),
    Action("open", ("O",), "open replica", "open another replica", APP, rank=15),
    Action("palette", ("ctrl+p",), "palette", "search all actions", APP, rank=16),
    Action("theme", ("T",), "theme", "the next colour theme, dark or light", APP),
    Action("help", ("question_mark", "f1"), "help", "these keys, and what this pane shows", APP, rank=0),
    Action("quit", ("q",), "quit", "leave the zoom or the pane; at the top, quit", APP, rank=0),
)  # fmt: skip

BY_ID = {action.id: action for action in ACTIONS}


def bindings(*where: str) -> list[Binding]:
    """The bindings of a widget or a screen, from the table."""
    return [
        Binding(
            ",".join(action.keys),
            action.act or f"do('{action.id}')",
            action.label,
            show=False,
            id=f"{action.where}.{action.id}",
            tooltip=action.help,
        )
        for action in ACTIONS
        if action.where in where
    ]


ATTACHED_RANKS = {"sync": 0.5, "replicate": 2.5, "snapshot": 7.0, "attach": 19.0}


def for_footer(pane: str, *, database: bool = False) -> list[Action]:
    """The actions of a pane's footer, the most important first; with a database attached, those that write it."""
    shown = [a for a in ACTIONS if a.rank is not None and (pane in a.panes if a.panes else pane != "report")]
    ranks = ATTACHED_RANKS if database else {}
    return sorted(shown, key=lambda action: ranks.get(action.id, action.rank or 0))


def groups() -> Iterable[tuple[str, list[Action]]]:
    """Groups in the order of the table, with their actions."""
    for group in dict.fromkeys(action.group for action in ACTIONS):
        yield group, [action for action in ACTIONS if action.group == group]
