"""The config file: what it sets, what is said of a bad one, and saving the theme into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from litetui.errors import OutputError
from litetui.tui.config import config_path, load, save_theme
from litetui.tui.grouping import groups
from litetui.tui.model import index_columns
from litetui.tui.outline import group_text
from litetui.tui.standing import copyable
from litetui.tui.timeline.axis import Axis
from litetui.units import format_clock, offset_ns, parse_time, set_clock_zone, utc_clocks, zone_heading
from tests.tui.helpers import NOW, SETTINGS, session

Golden = Callable[[str], Path]


@pytest.fixture(autouse=True)
def zone_again() -> Iterator[None]:
    yield
    set_clock_zone("")


def written(folder: Path, text: str) -> str:
    path = folder / "cfg" / "config.toml"
    path.parent.mkdir()
    path.write_text(text)
    return str(path)


# reading


def test_the_file_is_where_the_system_has_such_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_path() == str(tmp_path / "litetui" / "config.toml")


def test_what_it_says(tmp_path: Path) -> None:
    config = load(written(tmp_path, 'theme = "nord"\ntime_zone = "Europe/Berlin"\nascii = true\n'))
    assert (config.theme, config.time_zone, config.ascii, config.troubles) == ("nord", "Europe/Berlin", True, ())


def test_without_a_file_there_are_defaults_and_nothing_to_say(tmp_path: Path) -> None:
    config = load(str(tmp_path / "none.toml"))
    assert (config.theme, config.time_zone, config.ascii, config.troubles) == ("", "", False, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theme = nord\n", "is no TOML: Invalid value (at line 1, column 9); defaults are used"),
        ("time_zone = 3\n", 'time_zone: it must be a text, such as "Europe/Berlin"'),
        ('time_zone = "Mars/Olympus"\n', "time_zone: 'Mars/Olympus' is no time zone that this machine knows"),
        ('ascii = "yes"\n', "ascii: it must be true or false"),
        ('colour = "red"\n', "colour: there is no such setting; there are theme, time_zone, ascii"),
        ("theme = ['x']\n", 'theme: it must be a text, such as "nord"'),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_counts(tmp_path: Path, text: str, said: str) -> None:
    config = load(written(tmp_path, text))
    assert len(config.troubles) == 1
    assert said in config.troubles[0]
    assert str(tmp_path) in config.troubles[0]
    assert (config.theme, config.time_zone, config.ascii) == ("", "", False)


def test_one_bad_value_leaves_the_others(tmp_path: Path) -> None:
    config = load(written(tmp_path, 'theme = "nord"\nascii = 1\n'))
    assert config.theme == "nord"
    assert len(config.troubles) == 1


def test_a_file_that_is_no_text_or_no_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b'theme = "\xff\xfe"\n')
    assert "is no TOML" in load(str(path)).troubles[0]
    path.unlink()
    path.mkdir()
    assert "cannot be read: Is a directory" in load(str(path)).troubles[0]


# saving


def test_saving_makes_the_file_and_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "litetui" / "config.toml"
    save_theme(str(path), "nord")
    assert path.read_text() == 'theme = "nord"\n'
    assert os.listdir(path.parent) == ["config.toml"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('# mine\ntheme = "dracula"  # dark\nascii = true\n', '# mine\ntheme = "nord"  # dark\nascii = true\n'),
        ("ascii = true\n", 'theme = "nord"\nascii = true\n'),
        ("theme = 'dracula'\r\nascii = true\r\n", 'theme = "nord"\r\nascii = true\r\n'),
        ('[old]\ntheme = "dracula"\n', 'theme = "nord"\n[old]\ntheme = "dracula"\n'),
        ('time_zone = "UTC"', 'theme = "nord"\ntime_zone = "UTC"'),
    ],
)
def test_saving_leaves_the_rest_as_it_is(tmp_path: Path, before: str, after: str) -> None:
    path = Path(written(tmp_path, ""))
    path.write_bytes(before.encode())
    path.chmod(0o600)
    save_theme(str(path), "nord")
    assert path.read_bytes() == after.encode()
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["config.toml"]


@pytest.mark.parametrize(
    "text", ["theme = nord\n", 'theme = """\nnord"""\n', "theme = 3\n", 'a = """\ntheme = "x"\n"""\n']
)
def test_what_is_not_understood_is_not_written_to(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(OutputError, match="cannot save the theme"):
        save_theme(path, "dracula")
    assert Path(path).read_text() == text


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "litetui.toml"
    real.parent.mkdir()
    real.write_text('theme = "dracula"\n')
    link = tmp_path / "config.toml"
    link.symlink_to(real)
    save_theme(str(link), "nord")
    assert link.is_symlink()
    assert real.read_text() == 'theme = "nord"\n'


# in the app


async def test_the_theme_of_the_file_and_saving_the_next_one(golden: Golden, tmp_path: Path) -> None:
    path = tmp_path / "cfg" / "config.toml"
    async with session(golden("v03-multi-gen"), settings=replace(SETTINGS, theme="nord", config_path=str(path))) as ui:
        assert ui.app.theme == "nord"
        await ui.press("T")
        chosen = ui.app.theme
        assert chosen != "nord"
        assert not path.exists()  # only when asked to
        ui.app.browser.act("save_theme")
        await ui.idle()
        assert load(str(path)).theme == chosen
        assert any(str(path) in toast for toast in ui.toasts)


async def test_a_bad_file_is_said_at_the_start(golden: Golden) -> None:
    settings = replace(SETTINGS, theme="pink", config_path="/cfg.toml", troubles=("/cfg.toml: x: [no] such",))
    async with session(golden("v03-multi-gen"), settings=settings) as ui:
        assert "there is no 'pink'; there are" in ui.toasts[0]
        assert ui.toasts[1] == "/cfg.toml: x: [no] such"
        assert ui.app.theme == "textual-dark"


# the time zone


def test_clocks_show_their_zone() -> None:
    at = parse_time("2026-11-22T20:00:00.118Z")
    said = {}
    for name in ("", "UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"):
        set_clock_zone(name)
        said[name] = (format_clock(at, NOW), zone_heading(NOW))
    assert said == {
        "": ("20:00:00.118Z", "UTC"),
        "UTC": ("20:00:00.118Z", "UTC"),
        "Europe/Berlin": ("21:00:00.118+01", "+01"),
        "Asia/Kolkata": ("01:30:00.118+05:30", "+05:30"),
        "America/New_York": ("15:00:00.118-05", "-05"),
    }
    set_clock_zone("Asia/Kolkata")
    assert format_clock(parse_time("2026-11-22T18:00:00Z"), NOW, millis=False) == "22 Nov 23:30:00+05:30"  # yesterday
    with utc_clocks():
        assert format_clock(at, NOW) == "20:00:00.118Z"


def test_the_offset_is_that_of_the_time_not_of_now() -> None:
    set_clock_zone("Europe/Berlin")
    assert format_clock(parse_time("2026-07-01T12:00:00Z"), NOW, millis=False) == "1 Jul 14:00:00+02"
    before, after = parse_time("2026-10-25T00:59:59Z"), parse_time("2026-10-25T01:00:00Z")
    assert (offset_ns(before), offset_ns(after)) == (7200 * 10**9, 3600 * 10**9)


def test_ticks_are_round_in_the_zone_also_where_clocks_are_put_back() -> None:
    set_clock_zone("Europe/Berlin")
    axis = Axis(parse_time("2026-10-24T20:00:00Z"), parse_time("2026-10-25T08:00:00Z"), 120)
    assert [text for _, text in axis.ticks()][:2] == ["24 Oct 22:00+02", "25 Oct 00:00+02"]
    assert [text for _, text in axis.ticks()][-2:] == ["06:00+01", "08:00+01"]
    set_clock_zone("Asia/Kolkata")
    axis = Axis(parse_time("2026-11-20T20:00:00Z"), parse_time("2026-11-28T20:00:00Z"), 160)
    assert [text for _, text in axis.ticks()][:2] == ["22 Nov", "23 Nov"]
    assert axis.ticks()[0][0] == axis.cell(parse_time("2026-11-21T18:30:00Z"))


def test_the_days_of_the_tree_are_those_of_the_zone() -> None:
    hour = 3600 * 10**9
    times = np.array([parse_time("2026-11-20T12:00:00Z") + n * hour for n in range(72)])
    columns = index_columns(np.arange(72, dtype=np.uint32), times)
    said = {}
    for name in ("", "Europe/Berlin", "Asia/Kolkata"):
        set_clock_zone(name)
        days = groups(columns, 0, 72)
        assert days is not None
        said[name] = [(group_text(day, NOW), day.stop - day.start) for day in days]
    assert said[""] == [("20 Nov", 12), ("21 Nov", 24), ("22 Nov", 24), ("23 Nov", 12)]
    assert said["Europe/Berlin"] == [("20 Nov", 11), ("21 Nov", 24), ("22 Nov", 24), ("23 Nov", 13)]
    assert said["Asia/Kolkata"] == [("20 Nov", 7), ("21 Nov", 24), ("22 Nov", 24), ("23 Nov", 17)]
    set_clock_zone("Europe/Berlin")
    inside = groups(columns, 0, 30)
    assert inside is not None
    assert group_text(inside[0], NOW) == "20 Nov 13:00+01"


async def test_all_of_the_screen_is_in_the_zone_and_what_is_copied_is_not(golden: Golden) -> None:
    settings = replace(SETTINGS, time_zone="Europe/Berlin")
    async with session(golden("v03-multi-gen"), (160, 45), settings) as ui:
        text = ui.screen_text
        assert "names complete to 21:55:32+01 (4 min ago)" in text
        assert "Newest file (+01)" in text
        assert "20:55:32" not in text
        await ui.press("2")
        row = dict(copyable(ui.app.browser))["row"]
        assert "20:55:32.568Z" in row
        assert "21:55" not in row


async def test_a_typed_time_is_in_the_zone_of_the_file(golden: Golden) -> None:
    settings = replace(SETTINGS, time_zone="Europe/Berlin")
    async with session(golden("v03-multi-gen"), settings=settings) as ui:
        await ui.pilot.press("colon", *"21:55:33")
        await ui.press("enter")
        assert ui.app.browser.shown_key[0] == "index"
        assert "by 21:55:33.000+01: 21:55:32.568+01" in ui.toasts[-1]


async def test_an_exported_table_is_in_utc(golden: Golden, tmp_path: Path) -> None:
    settings = replace(SETTINGS, time_zone="Europe/Berlin")
    async with session(golden("v03-multi-gen"), settings=settings) as ui:
        await ui.press("2", "e", "enter")
        text = next(tmp_path.glob("work/*.csv")).read_text()
        assert "T20:55:32.568" in text
        assert "21:55" not in text
