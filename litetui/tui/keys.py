"""The one table of actions: keys, footer, help and palette are all made from it.

An action that is not possible stays in sight, greyed, and says why when it is pressed: its `why_not` gives
the reason for a situation, or "" when it may go ahead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual.binding import Binding

from litetui.tui import reasons
from litetui.tui.reasons import WhyNot


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person can ask for.

    where   "browser": works wherever the focus is; "rows", "tree", "table", "timeline": keys of those widgets;
            "report": keys of that screen
    act     the action string of the widget or the screen that the keys call
    word    what `:` calls it, where that is not its id
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
    rank: float | None = None
    panes: tuple[str, ...] = ()
    why_not: WhyNot = lambda _: ""
    word: str = ""

    @property
    def shown_key(self) -> str:
        return _SHOWN.get(self.keys[0], self.keys[0]) if self.keys else f":{self.name}"

    @property
    def shown_keys(self) -> str:
        return " ".join(_SHOWN.get(key, key) for key in self.keys) or f":{self.name}"

    @property
    def name(self) -> str:
        """Its word after `:`."""
        return self.word or self.id.replace("_", "-")


_SHOWN = {
    "slash": "/",
    "colon": ":",
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


RESTORE, REPLICATE = "Restore and check", "Replicate"
REPORT, TIMELINE = "Report of a validation", "Timeline"
LOOK, MOVE, JOBS, APP = "Look", "Move", "Jobs and log", "litetui"

ACTIONS: tuple[Action, ...] = (
    Action("restore", ("r",), "restore", "restore what the cursor stands on; the plan is shown first",
           RESTORE, rank=1, why_not=reasons.restore),
    Action("validate", ("v",), "validate", "check what can be restored: by names, by every byte, or by a restore",
           RESTORE, rank=2, why_not=reasons.validate),
    Action("attach", ("o",), "attach", "attach the database that this replica belongs to", REPLICATE, rank=11,
           why_not=reasons.attach),
    Action("sync", ("s",), "sync", "copy what the database has committed into the replica, now", REPLICATE, rank=20,
           why_not=reasons.sync),
    Action("snapshot", ("n",), "snapshot", "write a snapshot of the database into the replica", REPLICATE, rank=17,
           why_not=reasons.snapshot),
    Action("replicate", ("S",), "replicate", "keep syncing while litetui is open; again to end it", REPLICATE,
           rank=18, why_not=reasons.replicate),
    Action("retention", ("t",), "retention", "delete what is older than a duration; the plan is shown first",
           REPLICATE, rank=9, why_not=reasons.retention),
    Action("filter", ("slash",), "filter", "show only rows that hold the words; `!` in front: that do not hold them",
           LOOK, rank=4, panes=("tree", "detail", "log"), why_not=reasons.filtering),
    Action("open_row", ("enter",), "open", "open what the cursor stands on", LOOK, "table", "choose",
           rank=2, panes=("detail", "jobs"), why_not=reasons.open_row),
    Action("tab_before", ("left_square_bracket",), "tab before", "the tab before", LOOK, why_not=reasons.tabs),
    Action("tab_after", ("right_square_bracket",), "next tab", "the next tab", LOOK, rank=6,
           panes=("tree", "detail"), why_not=reasons.tabs),
    Action("sort_before", ("less_than_sign",), "sort before", "sort by the column before", LOOK, why_not=reasons.table),
    Action("sort_after", ("greater_than_sign",), "sort", "sort by the next column", LOOK, rank=12,
           panes=("detail",), why_not=reasons.table),
    Action("reverse", ("I",), "reverse", "reverse the order of the rows", LOOK, why_not=reasons.table),
    Action("copy", ("y",), "copy", "copy the position, the TXID, the path, the command or the row",
           LOOK, rank=10, why_not=reasons.needs_replica),
    Action("export", ("e",), "export", "write the table to a file, as CSV or JSON", LOOK, rank=14,
           panes=("detail",), why_not=reasons.table),
    Action("save", ("Y",), "save", "write what y would copy into a file", LOOK, why_not=reasons.needs_replica),
    Action("follow", ("f",), "follow", "keep the cursor on the newest row of the tree or the table, until it is moved",
           LOOK, rank=21, panes=("tree", "detail"), why_not=reasons.needs_replica),
    Action("refresh", ("R", "f5"), "read again", "read the replica again now", LOOK, why_not=reasons.needs_replica),
    Action("watch", ("w",), "watch", "look for changes by itself, on or off", LOOK, rank=13,
           why_not=reasons.needs_replica),
    Action("next_pane", ("tab",), "next pane", "the next pane", MOVE, act="next_pane"),
    Action("previous_pane", ("shift+tab",), "pane before", "the pane before", MOVE, act="previous_pane"),
    Action("command", ("colon",), "go to", "a word, or a place: an index, a position, a TXID, a generation, a time",
           MOVE, rank=8),
    Action("pane_1", ("1",), "tree", "go to the tree", MOVE, word="tree"),
    Action("pane_2", ("2",), "details", "go to the details; again to the timeline, and back", MOVE,
           word="details"),
    Action("pane_3", ("3", "J"), "jobs", "go to the jobs", MOVE, word="jobs"),
    Action("pane_4", ("4", "L"), "log", "go to the log", MOVE, word="log"),
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
           "open", rank=2, panes=("tree",), why_not=reasons.open_node),
    Action("close_node", ("h", "left"), "close", "close the branch, or go to its parent", MOVE, "tree",
           "close", rank=3, panes=("tree",), why_not=reasons.close_node),
    Action("toggle_node", ("enter", "space"), "open or close",
           "open or close the branch; on a leaf, go to its details", MOVE, "tree", "choose"),
    Action("timeline_restore", ("enter",), "restore here", "in the timeline: restore the point under the cursor",
           TIMELINE, "timeline", rank=1, panes=("timeline",), why_not=reasons.timeline),
    Action("point_before", ("left", "h"), "point before", "in the timeline: the restore point before", TIMELINE,
           "timeline", "point_before", rank=2, panes=("timeline",), why_not=reasons.timeline),
    Action("point_after", ("right", "l"), "point after", "in the timeline: the next restore point", TIMELINE,
           "timeline", "point_after", rank=3, panes=("timeline",), why_not=reasons.timeline),
    Action("landmark_before", ("shift+left",), "mark before", "in the timeline: the snapshot before, or the edge of a "
           "hole", TIMELINE, "timeline", "landmark_before", why_not=reasons.timeline),
    Action("landmark_after", ("shift+right",), "next mark", "in the timeline: the next snapshot, or the edge of a hole",
           TIMELINE, "timeline", "landmark_after", rank=4, panes=("timeline",), why_not=reasons.timeline),
    Action("zoom_in", ("up", "k"), "zoom in", "in the timeline: half as much time, around the cursor; the wheel too",
           TIMELINE, "timeline", "zoom_in", rank=5, panes=("timeline",), why_not=reasons.timeline),
    Action("zoom_out", ("down", "j"), "zoom out", "in the timeline: twice as much time", TIMELINE, "timeline",
           "zoom_out", rank=6, panes=("timeline",), why_not=reasons.timeline),
    Action("point_first", ("home", "g"), "first point", "in the timeline: the first restore point", TIMELINE,
           "timeline", "point_first", why_not=reasons.timeline),
    Action("point_last", ("end", "G"), "last point", "in the timeline: the last restore point", TIMELINE,
           "timeline", "point_last", why_not=reasons.timeline),
    Action("cancel", ("x",), "cancel job", "cancel the job under the cursor, or the only one that runs",
           JOBS, rank=0.3, panes=("jobs",), why_not=reasons.cancel),
    Action("log_level", ("m",), "level", "in the log: hide details, then all but warnings, then all but errors", JOBS,
           rank=2, panes=("log",), why_not=reasons.log),
    Action("log_job", ("b",), "one job", "in the log: only lines of the job under the cursor, or of all again", JOBS,
           rank=3, panes=("log",), why_not=reasons.log),
    Action("report_jump", ("enter",), "go there", "in a report: go to the file in the tree, and to the frame in the "
           "table", REPORT, "report", rank=1, panes=("report",), why_not=reasons.report),
    Action("report_restore", ("r",), "restore", "in a report: restore to the last good point", REPORT, "report",
           rank=2, panes=("report",), why_not=reasons.report_restore),
    Action("report_clean_point", ("F",), "find clean point", "in a report: find the last point at which the integrity "
           "check is ok", REPORT, "report", rank=5, panes=("report",), why_not=reasons.report_clean),
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
    Action("theme", ("T",), "theme", "the next colour theme, dark or light; `:theme NAME` takes one", APP),
    Action("save_theme", (), "save theme", "write the theme into the config file, for the next sessions", APP),
    Action("help", ("question_mark", "f1"), "help", "these keys, and what this pane shows", APP, rank=0),
    Action("quit", ("q",), "quit", "go back, as esc does; at the top, quit", APP, rank=0),
)  # fmt: skip

BY_ID = {action.id: action for action in ACTIONS}


def bindings(*where: str) -> list[Binding]:
    """The bindings of a widget or a screen, from the table; those of the tree ask the browser whether they may."""
    return [
        Binding(
            ",".join(action.keys),
            f"screen.do('{action.id}')" if action.where == "tree" else action.act or f"do('{action.id}')",
            action.label,
            show=False,
            id=f"{action.where}.{action.id}",
            tooltip=action.help,
        )
        for action in ACTIONS
        if action.where in where and action.keys
    ]


ATTACHED_RANKS = {"sync": 2.2, "replicate": 2.5, "snapshot": 7.0, "attach": 19.0}


def for_footer(pane: str, *, database: bool = False) -> list[Action]:
    """The actions of a pane's footer, the most important first; with a database attached, those that write it."""
    shown = [a for a in ACTIONS if a.rank is not None and (pane in a.panes if a.panes else pane != "report")]
    ranks = ATTACHED_RANKS if database else {}
    return sorted(shown, key=lambda action: ranks.get(action.id, action.rank or 0))


def footer_place(action: Action) -> int:
    """Which part of the footer an action stands in: what the pane does, what is done to the replica, the rest, and
    the way out."""
    if action.rank == 0:
        return 3
    if action.panes:
        return 0
    return 1 if action.group in (RESTORE, REPLICATE) else 2


def groups() -> Iterable[tuple[str, list[Action]]]:
    """Groups in the order of the table, with their actions."""
    for group in dict.fromkeys(action.group for action in ACTIONS):
        yield group, [action for action in ACTIONS if action.group == group]
