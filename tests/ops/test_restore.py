"""Which state a target gives, on replicas whose every state is known to the byte."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litetui.errors import DamageError, LitetuiError, NoSuchTargetError, UnreadableError
from litetui.ops import restore as ops
from litetui.ops.target import Target
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from litetui.replica.types import WALInfo
from tests.build import GENERATION, SECOND, T0, Builder, History, compress, usual_history, write_replica
from tests.ops.helpers import at_time, first_reachable, position, restore, run

LAYOUTS = ["segments", "whole"]


@pytest.mark.parametrize("page_size", [512, 1024, 4096, 65536])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_commit_of_every_index(tmp_path: Path, layout: str, page_size: int) -> None:
    history = usual_history(page_size=page_size)
    root = write_replica(tmp_path / "r", history, layout=layout).root
    for (index, offset), state in history.states.items():
        assert restore(root, position(index, offset)) == state, (index, offset)
    for index in range(3):
        assert restore(root, Target(GENERATION, index)) == history.states[index, history.ends(index)[-1]]
    assert restore(root) == history.database


def test_big_endian_checksums(tmp_path: Path) -> None:
    history = History(little=False)
    history.commit(1, 2)
    history.commit(3, size=6)
    root = write_replica(tmp_path / "r", history).root
    assert restore(root) == history.database
    assert restore(root, position(0, history.ends(0)[0])) == history.states[0, history.ends(0)[0]]


def test_salt_1_may_wrap(tmp_path: Path) -> None:
    history = usual_history(3, 2, salt1=0xFFFFFFFF)
    assert restore(write_replica(tmp_path / "r", history).root) == history.database


# ---- positions


def test_a_position_that_is_no_commit_names_the_nearest_two(tmp_path: Path) -> None:
    history = usual_history()
    root = write_replica(tmp_path / "r", history).root
    a, b = history.ends(1)[1:3]
    for offset in (a + 1, a + 24, b - 1):
        with pytest.raises(NoSuchTargetError, match=f"nearest end at {a} and {b}"):
            restore(root, position(1, offset))
    with pytest.raises(NoSuchTargetError, match=f"nearest end at {history.ends(1)[-1]}"):
        restore(root, position(1, history.ends(1)[-1] + 5))
    with pytest.raises(NoSuchTargetError, match=f"nearest end at {history.ends(1)[0]}"):
        restore(root, position(1, 33))


def test_offset_zero_and_the_header_alone_are_the_state_before_the_index(tmp_path: Path) -> None:
    history = usual_history()
    for layout in LAYOUTS:
        root = write_replica(tmp_path / layout, history, layout=layout).root
        for offset in (0, 32):
            assert restore(root, position(2, offset)) == history.states[2, 0]


def test_an_index_that_is_not_there_names_what_is(tmp_path: Path) -> None:
    root = write_replica(tmp_path / "r", usual_history()).root
    with pytest.raises(NoSuchTargetError, match="it has 00000000 to 00000002"):
        restore(root, Target(GENERATION, 3))
    with pytest.raises(NoSuchTargetError, match="there is no generation"):
        restore(root, Target("0" * 16))


# ---- times


def test_times_are_inclusive_and_each_file_is_a_step(tmp_path: Path) -> None:
    history = usual_history()
    builder = write_replica(tmp_path / "r", history)
    states = [s for (_, offset), s in history.states.items() if offset]
    assert restore(builder.root, at_time(T0)) == history.states[0, 0]
    for n, state in enumerate(states, 1):
        assert restore(builder.root, at_time(T0 + n * SECOND)) == state
        if n < len(states):
            assert restore(builder.root, at_time(T0 + (n + 1) * SECOND - 1)) == state


def test_a_time_outside_names_the_nearest_restore_point(tmp_path: Path) -> None:
    history = usual_history(1, 2)
    root = write_replica(tmp_path / "r", history).root
    for ns in (T0 - 1, T0 + 2 * SECOND + 1):
        for generation in (None, GENERATION):
            with pytest.raises(NoSuchTargetError) as caught:
                restore(root, at_time(ns, generation))
            hint = re.search(r"--timestamp (\S+)", caught.value.hint or "")
            assert hint is not None
            from litetui.units import parse_time

            restore(root, at_time(parse_time(hint[1])))


def test_a_hole_between_generations_names_both(tmp_path: Path) -> None:
    old, new = usual_history(1, 2), usual_history(1, 2, seed=2)
    root = tmp_path / "r"
    write_replica(root, old, generation="a" * 16)
    write_replica(root, new, generation="b" * 16, start_ns=T0 + 100 * SECOND)
    with pytest.raises(NoSuchTargetError) as caught:
        restore(root, at_time(T0 + 50 * SECOND))
    assert "aaaaaaaaaaaaaaaa ends at" in caught.value.cause
    assert "bbbbbbbbbbbbbbbb begins at" in caught.value.cause
    assert restore(root, at_time(T0 + 2 * SECOND)) == old.database
    assert restore(root) == restore(root, at_time(T0 + 102 * SECOND)) == new.database


def test_of_generations_that_overlap_the_one_updated_last_is_taken(tmp_path: Path) -> None:
    old, new = usual_history(1, 4), usual_history(1, 4, seed=2)
    write_replica(tmp_path / "r", old, generation="b" * 16)
    write_replica(tmp_path / "r", new, generation="a" * 16, start_ns=T0 + 2 * SECOND)
    assert restore(tmp_path / "r", at_time(T0 + 3 * SECOND)) == new.states[0, new.ends(0)[0]]
    assert restore(tmp_path / "r") == new.database


def test_a_file_with_a_later_time_does_not_hide_what_follows(tmp_path: Path) -> None:
    """Position order is time order: one touched file must not make the database shorter."""
    history = usual_history(1, 4)
    builder = write_replica(tmp_path / "r", history)
    ends = history.ends(0)
    touched = builder.folder / f"wal/00000000_{ends[0]:08x}.wal.lz4"
    os.utime(touched, ns=(T0 + 99 * SECOND, T0 + 99 * SECOND))
    assert restore(builder.root, at_time(T0 + 4 * SECOND)) == history.database


def test_for_a_time_only_snapshots_not_newer_count(tmp_path: Path) -> None:
    history = usual_history(3, 2)
    builder = write_replica(tmp_path / "r", history, snapshots={0: history.states[0, 0], 1: history.states[1, 0]})
    late = builder.folder / "snapshots/00000001.snapshot.lz4"
    os.utime(late, ns=(T0 + 90 * SECOND, T0 + 90 * SECOND))
    newest = builder.folder / f"wal/00000002_{history.ends(2)[0]:08x}.wal.lz4"
    os.utime(newest, ns=(T0 + 91 * SECOND, T0 + 91 * SECOND))
    assert restore(builder.root, at_time(T0 + 60 * SECOND)) == history.states[2, history.ends(2)[0]]


# ---- a snapshot that holds frames of its own index


def _ahead(tmp_path: Path, *, earlier: bool) -> tuple[History, Path]:
    """A snapshot of index 1 that holds that index's first three transactions."""
    history = History()
    history.commit(1, 2)
    history.restart()
    for page in (2, 3, 4, 2):
        history.commit(1, page)
    held = history.states[1, history.ends(1)[2]]
    snapshots = {0: history.states[0, 0], 1: held} if earlier else {1: held}
    return history, write_replica(tmp_path / "r", history, snapshots=snapshots).root


def test_a_snapshot_from_after_the_target_is_passed_over(tmp_path: Path) -> None:
    history, root = _ahead(tmp_path, earlier=True)
    for end in history.ends(1):
        assert restore(root, position(1, end)) == history.states[1, end]
    plan = ops.settle(ops.plan(open_replica(root), position(1, history.ends(1)[0])))
    assert plan.snapshot.index == 0
    assert any("an earlier one is taken" in n for n in plan.notes)
    whole = ops.settle(ops.plan(open_replica(root), Target(GENERATION, 1)))
    assert whole.snapshot.index == 1


def test_without_an_earlier_snapshot_the_first_reachable_position_is_named(tmp_path: Path) -> None:
    history, root = _ahead(tmp_path, earlier=False)
    ends = history.ends(1)
    for end in ends[:2]:
        with pytest.raises(NoSuchTargetError) as caught:
            restore(root, position(1, end))
        first = first_reachable(caught.value)
        assert first is not None
        assert (first.index, first.offset) == (1, ends[2])
        assert caught.value.hint == f"--position {first}"
    for end in ends[2:]:
        assert restore(root, position(1, end)) == history.states[1, end]


def test_a_page_that_the_replay_writes_itself_is_no_obstacle(tmp_path: Path) -> None:
    history = History()
    for _ in range(3):
        history.commit(1, 2)
    root = write_replica(tmp_path / "r", history, snapshots={0: history.database}).root
    for end in history.ends(0):
        assert restore(root, position(0, end)) == history.states[0, end]


def test_a_snapshot_that_has_shrunk_since_the_target_is_refused(tmp_path: Path) -> None:
    history = History(pages=8)
    history.commit(1, 2)
    history.commit(1, size=4)
    root = write_replica(tmp_path / "r", history, snapshots={0: history.database}).root
    with pytest.raises(NoSuchTargetError) as caught:
        restore(root, position(0, history.ends(0)[0]))
    first = first_reachable(caught.value)
    assert first is not None
    assert restore(root, Target.at(first)) == history.database


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_history_gives_its_states_or_refuses(data: st.DataObject) -> None:
    """Histories of any shape, snapshots copied at any moment (also while a checkpoint was at work): a position gives
    the state that the application had there, or is refused, and then the first reachable position works."""
    history = History(pages=data.draw(st.integers(1, 6)), seed=data.draw(st.integers(0, 1000)))
    snapshots: dict[int, bytes] = {}
    for index in range(data.draw(st.integers(1, 3))):
        if index:
            history.restart()
        for _ in range(data.draw(st.integers(1, 4))):
            size = data.draw(st.integers(1, 8))
            pages = data.draw(st.lists(st.integers(1, size), min_size=1, max_size=3, unique=True))
            history.commit(*pages, size=size)
        if index and not data.draw(st.booleans()):
            continue
        moments = [0, *history.ends(index)]
        copied = data.draw(st.sampled_from(moments))
        base, held = history.states[index, 0], history.states[index, copied]
        if data.draw(st.booleans()):  # a checkpoint was half-way when the file was copied
            pages = data.draw(st.lists(st.integers(1, 8), unique=True))
            size = history.page_size
            length = max(len(base), len(held))
            image = bytearray(base.ljust(length, b"\0"))
            for page in pages:
                if page * size <= len(held):
                    image[(page - 1) * size : page * size] = held[(page - 1) * size : page * size]
            snapshots[index] = bytes(image) if len(held) >= len(base) else base
        else:
            snapshots[index] = held
    layout = data.draw(st.sampled_from(LAYOUTS))
    with tempfile.TemporaryDirectory() as folder:
        root = write_replica(Path(folder) / "r", history, layout=layout, snapshots=snapshots).root
        assert restore(root) == history.database
        for (index, offset), state in history.states.items():
            if not offset:
                continue
            try:
                assert restore(root, position(index, offset)) == state
            except NoSuchTargetError as error:
                first = first_reachable(error)
                assert first is not None, error
                assert offset < first.offset
                assert restore(root, Target.at(first)) == history.states[first.index, first.offset]


# ---- what makes WALs one history


def test_a_wal_of_another_history_is_refused(tmp_path: Path) -> None:
    history, other = usual_history(), usual_history(seed=9, salt1=0x55555555)
    builder = write_replica(tmp_path / "r", history, layout="whole")
    builder.whole(1, bytes(other.wals[1]), T0 + SECOND)
    with pytest.raises(DamageError) as caught:
        restore(builder.root)
    assert caught.value.code == "wal-salt"
    assert caught.value.index == 1
    assert f"{GENERATION}/00000000:{history.ends(0)[-1]}" in (caught.value.hint or "")
    assert restore(builder.root, Target(GENERATION, last_good=True)) == history.states[1, 0]


def test_salt_1_that_stands_still_or_jumps_is_refused(tmp_path: Path) -> None:
    for step in (0, 2):
        a = History()
        a.commit(1, 2)
        b = History(salt1=a.salt1 + step, seed=3)
        b.commit(1, 2)
        root = tmp_path / str(step) / "r"
        builder = write_replica(root, a, layout="whole")
        builder.whole(0, bytes(a.wals[0]), T0)
        builder.whole(1, bytes(b.wals[0]), T0 + SECOND)
        with pytest.raises(DamageError, match=r"does not (follow|go) on"):
            restore(root)


def test_a_growth_that_lacks_a_page_is_refused(tmp_path: Path) -> None:
    """The last segment of an inner index is lost: the next growth shows it."""
    history = History()
    history.commit(1, 2)
    history.commit(1, size=6)
    history.restart()
    history.commit(1, size=8)
    builder = write_replica(tmp_path / "r", history)
    (builder.folder / f"wal/00000000_{history.ends(0)[0]:08x}.wal.lz4").unlink()
    with pytest.raises(DamageError) as caught:
        restore(builder.root)
    assert caught.value.code == "missing-page"
    assert restore(builder.root, Target(GENERATION, last_good=True)) == history.states[0, history.ends(0)[0]]


def test_page_sizes_must_agree(tmp_path: Path) -> None:
    history, other = usual_history(1, 2), usual_history(1, 2, page_size=1024)
    builder = write_replica(tmp_path / "r", history, layout="whole")
    builder.whole(0, bytes(other.wals[0]), plain=True)
    with pytest.raises(DamageError) as caught:
        restore(builder.root)
    assert caught.value.code == "page-size"


# ---- the same index twice


def test_wal_and_its_compressed_form_the_more_complete_one_is_taken(tmp_path: Path) -> None:
    history = usual_history()
    for shorter in ("plain", "compressed"):
        builder = write_replica(tmp_path / shorter, history, layout="whole")
        data, cut = bytes(history.wals[1]), history.ends(1)[1]
        builder.whole(1, data[:cut] if shorter == "plain" else data, T0 + SECOND, plain=True)
        builder.whole(1, data if shorter == "plain" else data[:cut], T0 + SECOND)
        assert restore(builder.root) == history.database
        assert restore(builder.root, Target(GENERATION, 1)) == history.states[1, history.ends(1)[-1]]


def test_of_two_forms_the_sound_one_is_taken(tmp_path: Path) -> None:
    history = usual_history()
    builder = write_replica(tmp_path / "r", history, layout="whole")
    damaged = bytearray(history.wals[1])
    damaged[100] ^= 1
    builder.whole(1, bytes(damaged), T0 + SECOND, plain=True)
    assert restore(builder.root) == history.database


def test_segments_win_over_a_whole_wal_if_they_verify(tmp_path: Path) -> None:
    history = usual_history()
    builder = write_replica(tmp_path / "r", history)
    builder.whole(1, bytes(history.wals[1][: history.ends(1)[0]]), T0 + SECOND)
    assert restore(builder.root) == history.database
    first = builder.folder / f"wal/00000001_{history.ends(1)[0]:08x}.wal.lz4"
    first.unlink()
    with pytest.raises(DamageError):
        restore(builder.root)
    builder.whole(1, bytes(history.wals[1]), T0 + SECOND)
    assert restore(builder.root) == history.database


def test_a_sound_form_that_is_shown_to_be_short_is_not_enough(tmp_path: Path) -> None:
    """What the damaged form still tells: there was more than the sound one holds."""
    history = usual_history()
    cut = history.ends(1)[1]
    damaged = bytearray(history.wals[1])
    damaged[cut + history.frame_size + 100] ^= 1
    builder = write_replica(tmp_path / "r", history, layout="whole")
    builder.whole(1, bytes(history.wals[1][:cut]), T0 + SECOND, plain=True)
    builder.whole(1, bytes(damaged), T0 + SECOND)
    with pytest.raises(DamageError) as caught:
        restore(builder.root)
    assert f"{GENERATION}/00000001:{cut}" in (caught.value.hint or "")
    assert restore(builder.root, Target(GENERATION, last_good=True)) == history.states[1, cut]
    assert restore(builder.root, position(1, cut)) == history.states[1, cut]


def test_a_time_within_an_index_that_is_there_twice(tmp_path: Path) -> None:
    """The whole WAL that came later, or was there earlier, must not change what a time selects."""
    history = usual_history(1, 4)
    ends = history.ends(0)
    for late in (True, False):
        builder = write_replica(tmp_path / str(late), history)
        builder.whole(0, bytes(history.wals[0]), T0 + (50 if late else -50) * SECOND)
        for n, end in enumerate(ends, 1):
            wanted = history.states[0, end] if late else history.database
            assert restore(builder.root, at_time(T0 + n * SECOND)) == wanted, (late, n)
        assert restore(builder.root) == history.database


# ---- gaps, tails, ends


def test_gaps_are_errors_and_last_good_stops_before_them(tmp_path: Path) -> None:
    history = usual_history()
    ends = history.ends(1)
    cases = {
        "missing-wal": ([f"wal/00000001_{o:08x}.wal.lz4" for o in [0, *ends[:-1]]], (1, 0)),
        "missing-segment": ([f"wal/00000001_{ends[0]:08x}.wal.lz4"], (1, ends[0])),
    }
    for code, (gone, good) in cases.items():
        builder = write_replica(tmp_path / code, history)
        for name in gone:
            (builder.folder / name).unlink()
        with pytest.raises(DamageError) as caught:
            restore(builder.root)
        assert caught.value.code == code
        assert "--to-last-good" in (caught.value.hint or "")
        assert restore(builder.root, Target(GENERATION, last_good=True)) == history.states[good]


def test_segments_that_repeat_the_end_of_the_one_before_are_joined(tmp_path: Path) -> None:
    """As Litestream 0.3.13 leaves them when it is stopped in the middle of a sync."""
    history = usual_history(indexes=2, transactions=6)
    builder = write_replica(tmp_path / "r", history)
    wal, ends = bytes(history.wals[0]), history.ends(0)
    builder.segment(0, ends[1], wal[ends[1] : ends[4]])  # repeats what the next two files hold, and
    builder.segment(0, ends[2], wal[ends[2] : ends[4]])  # this one begins within it
    for index, offset in ((0, ends[5]), (1, history.ends(1)[-1])):
        assert restore(builder.root, position(index, offset)) == history.states[index, offset]
    assert restore(builder.root) == history.states[1, history.ends(1)[-1]]
    other = bytearray(wal[ends[2] : ends[4]])
    other[-1] ^= 1
    builder.segment(0, ends[2], bytes(other))
    with pytest.raises(DamageError, match="they overlap, with other bytes"):
        restore(builder.root)


def test_a_gap_behind_the_target_does_no_harm(tmp_path: Path) -> None:
    history = usual_history()
    builder = write_replica(tmp_path / "r", history, layout="whole")
    (builder.folder / "wal/00000001.wal.lz4").unlink()
    assert restore(builder.root, Target(GENERATION, 0)) == history.states[1, 0]


def test_a_torn_tail_of_the_newest_wal_is_passed_over_with_a_note(tmp_path: Path) -> None:
    history = usual_history()
    data = bytes(history.wals[2])
    for cut in (len(data) - 1, len(data) - history.frame_size + 3, history.ends(2)[2] + history.frame_size):
        builder = write_replica(tmp_path / str(cut), history, layout="whole")
        builder.whole(2, data[:cut], T0 + 9 * SECOND, plain=True)
        result = run(builder.root, None, tmp_path / f"{cut}.db")
        assert Path(result.output).read_bytes() == history.states[2, history.ends(2)[2]]
        assert any("without its commit" in n for n in result.plan.notes)


def test_an_empty_or_new_newest_wal_is_the_state_before_it(tmp_path: Path) -> None:
    history = usual_history()
    for size in (0, 10, 32, 40):
        builder = write_replica(tmp_path / str(size), history, layout="whole")
        builder.whole(2, bytes(history.wals[2][:size]), T0 + 9 * SECOND, plain=True)
        assert restore(builder.root) == history.states[2, 0], size


def test_a_torn_tail_of_an_inner_wal_is_damage(tmp_path: Path) -> None:
    history = usual_history()
    builder = write_replica(tmp_path / "r", history, layout="whole")
    builder.whole(1, bytes(history.wals[1][:-1]), T0 + SECOND)
    with pytest.raises(DamageError) as caught:
        restore(builder.root)
    assert caught.value.code == "partial-frame"
    builder.whole(1, bytes(history.wals[1][: -history.frame_size]), T0 + SECOND)
    with pytest.raises(DamageError) as caught:
        restore(builder.root)
    assert caught.value.code == "incomplete-transaction"


def test_a_snapshot_that_is_none_or_was_cut(tmp_path: Path) -> None:
    history = usual_history()
    for name, data in {"text": compress(b"no database" * 20), "cut": compress(history.states[0, 0][:-7])}.items():
        builder = write_replica(tmp_path / name, history)
        builder.put("snapshots/00000000.snapshot.lz4", data, T0)
        with pytest.raises(DamageError) as caught:
            restore(builder.root)
        assert caught.value.code == "snapshot-invalid"


@pytest.mark.parametrize("damage", ["flipped", "header", "empty"])
def test_a_damaged_snapshot_is_passed_over_for_the_one_before(tmp_path: Path, damage: str) -> None:
    history = usual_history()
    snapshots = {0: history.states[0, 0], 2: history.states[2, 0]}
    builder = write_replica(tmp_path / "r", history, snapshots=snapshots)
    data = bytearray((builder.folder / "snapshots/00000002.snapshot.lz4").read_bytes())
    data[-2] ^= 1
    what = {"flipped": bytes(data), "header": compress(b"no database" * 100), "empty": b""}[damage]
    builder.put("snapshots/00000002.snapshot.lz4", what, T0 + SECOND)
    result = run(builder.root, None, tmp_path / "out.db")
    assert (tmp_path / "out.db").read_bytes() == history.database
    assert result.plan.snapshot.index == 0
    assert any("snapshot 00000002 does not serve" in note for note in result.plan.notes)
    assert restore(builder.root, Target(GENERATION, last_good=True)) == history.database
    offset = history.ends(2)[1]
    assert restore(builder.root, position(2, offset)) == history.states[2, offset]


def test_a_damaged_snapshot_with_a_gap_before_it_is_an_error(tmp_path: Path) -> None:
    history = usual_history()
    builder = write_replica(tmp_path / "r", history, snapshots={0: history.states[0, 0], 2: history.states[2, 0]})
    builder.put("snapshots/00000002.snapshot.lz4", compress(history.states[2, 0])[:-3], T0 + SECOND)
    for path in builder.folder.glob("wal/00000001_*"):
        path.unlink()
    with pytest.raises(DamageError) as caught:
        restore(builder.root)
    assert caught.value.code == "truncated"


def test_a_generation_without_snapshot_names_another_that_has_one(tmp_path: Path) -> None:
    old, new = usual_history(1, 2), usual_history(1, 2, seed=2)
    write_replica(tmp_path / "r", old, generation="a" * 16)
    builder = write_replica(tmp_path / "r", new, generation="b" * 16, start_ns=T0 + 100 * SECOND)
    (builder.folder / "snapshots/00000000.snapshot.lz4").unlink()
    with pytest.raises(DamageError) as caught:
        restore(builder.root)
    assert "--generation aaaaaaaaaaaaaaaa" in (caught.value.hint or "")


def test_a_replica_without_data_says_so(tmp_path: Path) -> None:
    (tmp_path / "r/generations").mkdir(parents=True)
    with pytest.raises(NoSuchTargetError, match="holds no data"):
        restore(tmp_path / "r")


def test_a_time_in_a_generation_without_data_says_so(tmp_path: Path) -> None:
    write_replica(tmp_path / "r", usual_history(1, 1))
    (tmp_path / "r/generations" / ("a" * 16) / "wal").mkdir(parents=True)
    with pytest.raises(NoSuchTargetError, match="holds no data"):
        restore(tmp_path / "r", at_time(T0, "a" * 16))
    with pytest.raises(DamageError, match="has no snapshot"):
        restore(tmp_path / "r", Target("a" * 16))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_flipped_byte_is_an_error_or_changes_nothing(data: st.DataObject) -> None:
    history = usual_history(2, 3)
    layout = data.draw(st.sampled_from(LAYOUTS))
    with tempfile.TemporaryDirectory() as folder:
        builder = write_replica(Path(folder) / "r", history, layout=layout)
        files = sorted(p for p in builder.folder.rglob("*") if p.is_file())
        path = data.draw(st.sampled_from(files))
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        info = path.stat()
        path.write_bytes(content)
        os.utime(path, ns=(info.st_mtime_ns, info.st_mtime_ns))
        try:
            assert restore(builder.root) == history.database
        except DamageError as error:
            assert error.path
            assert error.hint
        try:
            assert restore(builder.root, Target(GENERATION, last_good=True)) in history.states.values()
        except DamageError:
            assert path.parent.name == "snapshots"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_cut_or_missing_file_is_an_error_or_the_newest_end(data: st.DataObject) -> None:
    history = usual_history(3, 3)
    layout = data.draw(st.sampled_from(LAYOUTS))
    lost_without_trace = {f"{i:08x}_{history.ends(i)[-2]:08x}.wal.lz4" for i in range(2)}
    with tempfile.TemporaryDirectory() as folder:
        builder = write_replica(Path(folder) / "r", history, layout=layout)
        files = sorted(p for p in builder.folder.rglob("*") if p.is_file() and p.name not in lost_without_trace)
        path = data.draw(st.sampled_from(files))
        content, info = path.read_bytes(), path.stat()
        if data.draw(st.booleans()):
            path.unlink()
        else:
            path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
            os.utime(path, ns=(info.st_mtime_ns, info.st_mtime_ns))
        newest = path.name == "00000002.wal" or path.name == f"00000002_{history.ends(2)[-2]:08x}.wal.lz4"
        try:
            got = restore(builder.root)
            assert got == history.database or (newest and got in history.states.values())
        except (DamageError, NoSuchTargetError) as error:
            assert error.hint


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_damage_with_snapshots_that_are_ahead_never_mixes_two_states(data: st.DataObject) -> None:
    """The last good state is one that the application had, or the plan says that it cannot be proved."""
    history = History(pages=3, seed=data.draw(st.integers(0, 1000)))
    snapshots = {}
    for index in range(data.draw(st.integers(1, 3))):
        if index:
            history.restart()
        for _ in range(data.draw(st.integers(2, 4))):
            history.commit(data.draw(st.integers(1, 3)), size=data.draw(st.integers(3, 5)))
        if not index or data.draw(st.booleans()):
            copied = data.draw(st.sampled_from([0, *history.ends(index)]))
            snapshots[index] = history.states[index, copied]
    layout = data.draw(st.sampled_from(LAYOUTS))
    with tempfile.TemporaryDirectory() as folder:
        builder = write_replica(Path(folder) / "r", history, layout=layout, snapshots=snapshots)
        index = data.draw(st.integers(0, history.index))
        wal = bytearray(history.wals[index])
        wal[data.draw(st.integers(0, len(wal) - 1))] ^= data.draw(st.integers(1, 255))
        if layout == "segments":  # the damage is inside sound LZ4 frames
            builder.segments(index, bytes(wal), history.ends(index))
        else:
            builder.whole(index, bytes(wal), plain=index == history.index)
        try:
            assert restore(builder.root) == history.database
        except DamageError as error:
            assert error.hint
        try:
            plan = ops.settle(ops.plan(open_replica(builder.root), Target(GENERATION, last_good=True)))
        except DamageError:
            return
        got = restore(builder.root, Target(GENERATION, last_good=True))
        assert got in history.states.values() or any("cannot be proved" in n for n in plan.notes)


# ---- files that change while they are read


def test_files_that_vanish_after_the_plan_are_an_error(tmp_path: Path) -> None:
    builder = write_replica(tmp_path / "r", usual_history())
    plan = ops.plan(open_replica(builder.root), Target())
    (builder.folder / "snapshots/00000000.snapshot.lz4").unlink()
    with pytest.raises(UnreadableError) as caught:
        ops.run(plan, str(tmp_path / "out.db"), integrity_check="none")
    assert "not there any more" in caught.value.cause
    assert "retention" in (caught.value.hint or "")
    assert not list(tmp_path.glob("out*"))


def test_a_file_that_was_replaced_after_the_plan_is_an_error(tmp_path: Path) -> None:
    history = usual_history()
    builder = write_replica(tmp_path / "r", history)
    plan = ops.plan(open_replica(builder.root), Target())
    builder.segment(1, 0, bytes(history.wals[1][: history.ends(1)[0]]), T0 + 99 * SECOND)
    with pytest.raises(LitetuiError, match="changed while it was read"):
        ops.run(plan, str(tmp_path / "out.db"), integrity_check="none")
    assert not list(tmp_path.glob("out*"))


def test_a_wal_that_grows_gives_the_state_at_the_time_of_the_plan(tmp_path: Path) -> None:
    history = usual_history()
    builder = write_replica(tmp_path / "r", history, layout="whole")
    path = builder.folder / "wal/00000002.wal"
    whole, cut = path.read_bytes(), history.ends(2)[1]
    path.write_bytes(whole[:cut])
    plan = ops.plan(open_replica(builder.root), Target())
    path.write_bytes(whole)
    out = tmp_path / "out.db"
    ops.run(plan, str(out), integrity_check="none")
    assert out.read_bytes() == history.states[2, cut]


def test_a_plan_says_what_it_reads_and_what_it_leaves_out(tmp_path: Path) -> None:
    history = usual_history()
    builder: Builder = write_replica(tmp_path / "r", history)
    replica = open_replica(builder.root)
    plan = ops.settle(ops.plan(replica, position(1, history.ends(1)[1])))
    assert list(plan.files()) == [
        f"generations/{GENERATION}/snapshots/00000000.snapshot.lz4",
        *(f"generations/{GENERATION}/wal/00000000_{o:08x}.wal.lz4" for o in [0, *history.ends(0)[:-1]]),
        *(f"generations/{GENERATION}/wal/00000001_{o:08x}.wal.lz4" for o in [0, history.ends(1)[0]]),
    ]
    assert plan.bytes_to_read == sum(os.path.getsize(builder.root / f) for f in plan.files())
    assert plan.database_size == len(history.states[1, history.ends(1)[1]])
    assert ops.settle(ops.plan(replica, Target())).left_out == ""
    assert plan.command("o.db").split()[:2] == ["litetui", "restore"]


# ---- never older than asked for, without a word


def test_the_lost_end_of_the_index_that_was_asked_for(tmp_path: Path) -> None:
    """The WAL after it shows the loss, though the target does not reach into it."""
    history = History()
    history.commit(1, 2)
    history.commit(1, size=6)
    history.restart()
    history.commit(1, size=8)
    builder = write_replica(tmp_path / "r", history)
    assert restore(builder.root, Target(GENERATION, index=0)) == history.states[0, history.ends(0)[1]]
    (builder.folder / f"wal/00000000_{history.ends(0)[0]:08x}.wal.lz4").unlink()
    with pytest.raises(DamageError, match="the end of WAL 00000000 is missing") as caught:
        restore(builder.root, Target(GENERATION, index=0))
    assert f"--position {GENERATION}/00000000:{history.ends(0)[0]}" in (caught.value.hint or "")
    assert restore(builder.root, position(0, history.ends(0)[0])) == history.states[0, history.ends(0)[0]]


def test_a_hint_never_leads_past_the_target(tmp_path: Path) -> None:
    history = usual_history(4)
    builder = write_replica(tmp_path / "r", history, layout="whole")
    builder.snapshot(3, history.states[3, 0])
    (builder.folder / "wal/00000001.wal.lz4").unlink()
    with pytest.raises(DamageError) as caught:
        restore(builder.root, Target(GENERATION, index=2))
    assert f"--position {GENERATION}/00000000:{history.ends(0)[-1]}" in (caught.value.hint or "")


def test_the_latest_state_may_be_in_the_newer_litestreams_folder(tmp_path: Path) -> None:
    history = usual_history()
    root = write_replica(tmp_path / "r", history).root
    (root / "ltx/0").mkdir(parents=True)
    newer = root / "ltx/0/0000000000000001-0000000000000001.ltx"
    newer.write_bytes(b"LTX1")
    with pytest.raises(NoSuchTargetError, match="the latest state is in ltx/"):
        restore(root)
    assert restore(root, Target(GENERATION)) == history.database
    os.utime(newer, ns=(1, 1))
    assert restore(root) == history.database


def test_last_good_says_what_ends_the_sound_part(tmp_path: Path) -> None:
    history = usual_history(4)
    builder = write_replica(tmp_path / "r", history, layout="whole")
    (builder.folder / "wal/00000002.wal.lz4").unlink()
    result = run(builder.root, Target(GENERATION, last_good=True), tmp_path / "out.db")
    assert any("00000002 is missing" in note for note in result.plan.notes)
    assert "up to index 00000003" in result.plan.left_out


def test_what_cannot_be_read_is_not_damage_for_last_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = write_replica(tmp_path / "r", usual_history(), layout="whole")

    def refuse(self: FileReplica, info: WALInfo) -> Iterator[bytes]:
        raise UnreadableError("read", "permission denied", path=info.name)

    monkeypatch.setattr(FileReplica, "read_wal_file", refuse)
    with pytest.raises(UnreadableError):
        restore(builder.root, Target(GENERATION, last_good=True))
