"""Tables fit the terminal: what is cut, what goes on below, what becomes a block."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from rig.cli import history, humanize
from rig.contract.releases import Release, ReleasePage, SourceInfo
from tests.unit.printed import err, out, output, plain_environment  # noqa: F401 - the last is for every test


def test_a_table_fits_the_width_and_cuts_what_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    printed = output(terminal=True, color=False)
    printed.table(("NAME", "NOTE", "URL"), [("demo/hello", "x" * 100, "https://" + "y" * 60)])
    widest = max(len(line) for line in out(printed).splitlines())
    assert widest <= 80
    assert "…" in out(printed)
    assert "demo/hello" in out(printed)


def test_a_name_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    printed = output(terminal=True, color=False)
    name = "network-" + "n" * 50
    printed.table(("NAME", "NOTE"), [(name, "a long note")])
    assert out(printed).splitlines() == [f"NAME  {name}", "NOTE  a long note"]


def test_the_last_column_goes_on_below_before_others_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    printed = output(terminal=True, color=False)
    printed.table(("NAME", "WHEN", "NOTE"), [("shop", "2026-11-01", "a note of more than twenty columns")])
    assert out(printed).splitlines()[1:] == [
        "shop  2026-11-01  a note of more than",
        "                  twenty columns",
    ]
    monkeypatch.setenv("COLUMNS", "72")
    printed = output(terminal=True, color=False)
    printed.table(("NAME", "WHEN", "NOTE"), [("shop", "w" * 72, "a note of more than twenty columns")])
    assert out(printed).splitlines()[1] == "shop  " + "w" * 49 + "…  a note of more"


def test_a_time_is_not_cut_while_a_name_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    printed = output(terminal=True, color=False)
    moments = ("2026-11-01 12:00:00Z", "2026-11-01 12:00:01Z")
    rows = [(n, at, "w" * (19 - n), "x" * 14) for n, at in enumerate(moments)]
    printed.table(("#", "WHEN", "WHAT", "FROM"), rows)
    assert all(at in out(printed) for at in moments)
    printed = output(terminal=True, color=False)
    printed.table(("#", "WHEN", "WHAT", "FROM"), [(n, at, "w" * (41 - n), "x" * 14) for n, at in enumerate(moments)])
    assert all(at in out(printed) for at in moments)
    assert "www…" in out(printed)


def test_on_a_slim_terminal_a_row_that_does_not_fit_is_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    url = "http://hello.demo.localhost:27480/a-long-way"
    printed = output(terminal=True, color=False)
    printed.table(("APP", "NOTE", "URL"), [("demo/hello", "more words than one line can take", url), ("x", "", "y")])
    assert out(printed).splitlines() == [
        "APP   demo/hello",
        "NOTE  more words than one line can take",
        f"URL   {url}",
        "",
        "APP   x",
        "URL   y",
    ]
    printed = output(terminal=True, color=False)
    printed.table(("APP", "URL"), [("demo/hello", "short")])
    assert out(printed).splitlines() == ["APP         URL", "demo/hello  short"]


def test_so_is_one_whose_columns_do_not_fit_however_much_they_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    printed = output(terminal=True, color=False)
    printed.table(tuple("ABCDEFGHIJKL"), [tuple("x" * 10 for _ in range(12))])
    assert out(printed).splitlines() == [f"{name}  {'x' * 10}" for name in "ABCDEFGHIJKL"]


def test_columns_stand_below_each_other_whatever_their_letters() -> None:
    printed = output()
    printed.table(("NAME", "NOTE"), [("東京", "a"), ("e\u0301te", "b"), ("plain", "c")])
    assert out(printed) == "NAME   NOTE\n東京   a\ne\u0301te    b\nplain  c\n"


def test_a_pipe_gets_every_value_whole() -> None:
    printed = output()
    printed.table(("NAME", "NOTE"), [("demo", "x" * 500)])
    assert "x" * 500 in out(printed)
    assert out(printed).splitlines()[0] == "NAME  NOTE"


def test_an_empty_table_says_so_on_stderr() -> None:
    printed = output()
    printed.table(("NAME",), [], empty="None yet.")
    assert (out(printed), err(printed)) == ("", "None yet.\n")


def test_the_releases_of_an_app_fit_eighty_columns_and_say_why_one_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(columns: int) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        printed = output(terminal=True, color=False)
        history.show(page, printed)
        assert max(map(len, out(printed).splitlines())) <= columns
        return out(printed)

    year = 2026
    monkeypatch.setattr(humanize, "time", SimpleNamespace(gmtime=lambda now: SimpleNamespace(tm_year=year)))
    failed = Release(
        app="demo/shop",
        version=2,
        phase="done",
        outcome="failed",
        code="build_timeout",
        url="",
        created_at=f"{year}-11-20T09:00:00Z",
        created_by="user:ana",
        bundle="1f0c" * 16,
        source=SourceInfo(commit="0823c798" * 5, dirty=True),
    )
    old = replace(failed, version=1, outcome="succeeded", code="", created_at=f"{year - 1}-11-20T09:00:00Z")
    page = ReleasePage(releases=[failed])
    assert re.search(r"v2 +build_timeout +11-20 09:00Z +ana +0823c798\+ +1f0c1f0c", shown(80))
    page = ReleasePage(releases=[failed, old])
    assert re.search(rf"v2 +failed: build_timeout +{year}-11-20 09:00Z +ana", shown(120))
    assert re.search(r"v1 +succeeded, collected ", shown(120))
    assert re.search(r"v2 +build_tim.*… +11-20 09:00Z +ana +0823c798\+ +1f0c1f0c", shown(80)), "times are cut last"
    assert re.search(rf"v1 +collected +{year - 1}-11-20 09:00Z", shown(80))
