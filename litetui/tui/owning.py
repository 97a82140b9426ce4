"""Whose pages the file in sight holds: looked up by itself where that is cheap, else when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from litetui.errors import LitetuiError
from litetui.jobs.job import Job, State
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.bridge import moves
from litetui.tui.tree_line import Key
from litetui.units import format_size

if TYPE_CHECKING:
    from litetui.ops.frames import FrameTable
    from litetui.ops.owners import PageOwners
    from litetui.ops.wal_owners import OwnersCost, WALOwners
    from litetui.tui.app import LitetuiApp
    from litetui.tui.lookups import Answer, Lookup
    from litetui.tui.ltx.pages import LTXPages
    from litetui.tui.screens.browser_view import BrowserView

    Content = FrameTable | LTXPages

KIND = "owners"
ALONE_READS, ALONE_LOOKS = 64 << 20, 1 << 30  # so much is read, and looked through, without being asked
AGAIN_READS, AGAIN_LOOKS = 8 << 20, 128 << 20  # and so much again, each time that the WAL has grown
KEPT = 8


@dataclass(frozen=True, slots=True)
class Looked:
    """What can be shown of the owners of a file's pages.

    owners   of a WAL's frames
    state    of all pages of the state that an LTX file leads to
    pending  what stands where they are not known
    note     how far it is, or why it is not known: text and status, "" where there is nothing to say
    chosen   the transaction of a WAL whose pages are listed, None where none is
    """

    owners: WALOwners | None = None
    state: PageOwners | None = None
    pending: str = ""
    note: tuple[str, str] = ("", "")
    chosen: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What is known of one file, as its content was read.

    cost     set where it is too dear to be looked up unasked
    through  so many steps were looked up unasked
    asked    whether nothing more is to be looked up unasked for this content
    """

    content: Content
    lookup: Lookup
    answer: Answer
    cost: OwnersCost | None = None
    error: LitetuiError | None = None
    through: int = 0
    asked: bool = False


class OwnersJob(Job):
    """Looks up one transaction, or an LTX file."""

    words: Callable[[Any], str]

    @property
    def outcome(self) -> str:
        """What was found, in a few words."""
        return self.words(self.result) if self.state is State.DONE else ""


class Owning:
    """The browser's hand on whose pages are whose."""

    def __init__(self, browser: BrowserView) -> None:
        self.browser = browser
        self._known: dict[Key, _Known] = {}
        self._chosen: dict[Key, int] = {}
        self._coming: Key = ()
        self._token = CancelToken()
        self._jobs: dict[int, Key] = {}

    @property
    def app(self) -> LitetuiApp:
        return self.browser.app

    def forget(self) -> None:
        """Another replica comes."""
        self._leave()
        self._known.clear()
        self._chosen.clear()
        self._jobs.clear()

    def _leave(self) -> None:
        self._token.cancel()
        self._coming = ()
        self.app.bridge.forget(KIND)

    def _running(self, key: Key) -> bool:
        return any(self._jobs.get(job.id) == key for job in self.app.runner.unfinished)

    def looked(self, key: Key) -> Looked:
        """What is known for a line of the tree."""
        chosen, known = self._chosen.get(key), self._known.get(key)
        if known is None:
            return Looked(chosen=chosen)
        loading, running = key == self._coming and self.app.bridge.loading(KIND), self._running(key)
        if loading or running:
            note = ("looking up whose pages they are", "")
        elif known.error is not None:
            note = (f"whose pages they are cannot be told: {known.error}", "warning")
        elif known.cost is not None:
            note = (_offer(known.cost, key), "")
        else:
            note = (known.answer.problem, "warning")
        pending = "looking" if loading else "a job looks" if running else "not looked up" if known.cost else ""
        return Looked(known.answer.wal, known.answer.state, pending, note, chosen)

    def rest(self, key: Key, content: Content | LitetuiError | None) -> None:
        """The cursor rests on a line whose content was read, or on another one: look up what is cheap."""
        if key != self._coming:
            self._leave()
        elif self.app.bridge.loading(KIND):
            return  # the newest WAL grows all the time, and this must come to an end some time
        known = self._taken_over(key, content)
        if known is None or known.asked or known.through >= known.lookup.steps:
            return
        lookup, first = known.lookup, known.through
        reads, looks = (AGAIN_READS, AGAIN_LOOKS) if first else (ALONE_READS, ALONE_LOOKS)
        self._token = token = CancelToken()
        report = Reporter()

        def work() -> Answer:
            from litetui.tui.lookups import Answer

            expected = lookup.cost(first)
            if expected.bytes_to_read > reads or expected.bytes_to_look_through > looks:
                return Answer(cost=expected)
            return lookup.look(first, None, known.answer, report, token)

        def then(answer: Answer | LitetuiError) -> None:
            if isinstance(answer, LitetuiError):
                self._known[key] = replace(known, error=answer, asked=True)
            elif answer.cost is not None:
                self._known[key] = replace(known, cost=answer.cost, asked=True)
            else:
                self._known[key] = replace(known, answer=answer, through=lookup.steps, asked=True)
            if key == self.browser.shown_key:
                self.browser.show_detail(same=True)

        self._coming = key
        self.app.bridge.load(KIND, work, then, then, path=self.app.path or "", moved=moves(report))

    def choose(self, key: Key, transaction: int) -> None:
        """List the pages of a transaction, and find out whose they are."""
        self._chosen[key] = transaction
        self.ask(key, transaction)

    def ask(self, key: Key, step: int) -> None:
        """Look up a step that was too dear to be looked up unasked."""
        known = self._known.get(key)
        if known is None or known.cost is None or known.lookup.has(step, known.answer):
            return
        if self._running(key):
            self.app.say("a job looks into this file already: wait for it, or cancel it (x)")
            return
        lookup, answer = known.lookup, known.answer

        def work(report: Reporter, cancel: CancelToken) -> Answer:
            return lookup.look(step, step, answer, report, cancel)

        now_ns = self.app.settings.now_ns
        job = OwnersJob(KIND, work, title=lookup.title(step), target=lookup.replica_path, now_ns=now_ns)
        job.words = lambda found: lookup.words(step, found)
        self._jobs[job.id] = key
        self.app.submit(job)

    def note(self, job: Job) -> bool:
        """A job has moved; True where it changes what is to be shown."""
        key = self._jobs.get(job.id)
        if key is not None and job.state.ended:
            del self._jobs[job.id]
            known = self._known.get(key)
            if known is not None and job.state is State.DONE:
                self._known[key] = replace(known, answer=job.result)
        return key is not None

    def _taken_over(self, key: Key, content: Content | LitetuiError | None) -> _Known | None:
        """What is known of a file, also from when it was shorter; None where there is nothing to look up."""
        from litetui.tui.lookups import Answer

        if content is None or isinstance(content, LitetuiError):
            return None
        known = self._known.get(key)
        if known is None or known.content is not content:
            lookup = self._lookup(content)
            if lookup is None:
                return None
            if known is None or known.content.header != content.header or len(known.content) > len(content):
                known = _Known(content, lookup, Answer())
            else:
                asked = known.cost is not None
                known = replace(known, content=content, lookup=lookup, error=None, asked=asked)
        self._known[key] = known
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        return known

    def _lookup(self, content: Content) -> Lookup | None:
        """None where no restore ends at an LTX file, or a WAL holds no transaction."""
        from litetui.tui.lookups import LTXLookup, WALLookup
        from litetui.tui.ltx.pages import LTXPages

        if not isinstance(content, LTXPages):
            replica = self.app.file_replica
            return WALLookup(replica, content) if replica is not None and len(content.transactions) else None
        ltx = self.browser.view.ltx if self.browser.view is not None else None
        if ltx is None or content.problem is not None or not ltx.points.has(content.header.max_txid):
            return None
        return LTXLookup(ltx.replica, content)


def _offer(cost: OwnersCost, key: Key) -> str:
    """What looking up would take."""
    what = "a transaction looks up whose pages it writes" if key[0] == "index" else "a page looks up whose they are"
    return (
        f"enter on {what}: reads {format_size(cost.bytes_to_read)}, makes a scratch file of "
        f"{format_size(cost.scratch_bytes)}"
    )
