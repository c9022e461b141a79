"""
What `[[organization]]` may say, and what the settings of each come to.
"""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from scanner.errors import SettingsError
from scanner.group import list_members, pick_member
from scanner.overview import Entry, sum_up
from scanner.reports.overview import write_overview

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
TWO = b"""
[scan]
period = "2026-Q4"
workers = 8
[aws]
role_name = "auditor"
[aws.roles]
"000000000001" = "other"
[[organization]]
name = "a"
[organization.aws]
profile = "a"
[[organization]]
name = "b"
[organization.scan]
workers = 4
[[organization.deliver]]
path = "/evidence/b"
"""


def test_common_settings_hold_where_an_organization_says_nothing_else():
    """
    Value by value within a table; what one says, the other does not hear.
    """
    first, second = [tomllib.loads(member.source.decode()) for member in list_members(TWO, "f")]

    assert first == {
        "scan": {"period": "2026-Q4", "workers": 8},
        "aws": {"role_name": "auditor", "roles": {"000000000001": "other"}, "profile": "a"},
    }
    assert second["scan"] == {"period": "2026-Q4", "workers": 4}
    assert "profile" not in second["aws"]
    assert second["deliver"] == [{"path": "/evidence/b"}]


def test_a_file_about_one_organization_is_taken_as_it_is():
    """
    Byte for byte, comments and all.
    """
    source = b"# ours\n[scan]\nworkers = 8\n"

    assert list_members(source, "f") == []
    assert pick_member(source, "f", None) == source


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"[organization]\nname = 'a'", r"write \[\[organization\]\]"),
        (b"organization = 'a'", r"write \[\[organization\]\]"),
        (b"organization = [1]", r"write \[\[organization\]\]"),
        (b"[[organization]]", "organization 1: name: must be"),
        (b"[[organization]]\nname = ''", "must be letters"),
        (b"[[organization]]\nname = '../x'", "must be letters"),
        (b"[[organization]]\nname = 'a b'", "must be letters"),
        (b"[[organization]]\nname = 7", "must be letters"),
        (b"[[organization]]\nname = 'a'\n[[organization]]\nname = 'a'", "more than one"),
        (b"[[organization]]\nname = 'a'\nprofile = 'x'", "profile: no table of settings"),
        (b"[[organization]]\nname = 'a'\n[organization.organization]", "no table of settings"),
        (b"[[organization]\n", "not TOML"),
    ],
)
def test_what_is_no_group_is_refused(source, words):
    """
    With the entry and the field, before anybody is called.
    """
    with pytest.raises(SettingsError, match=words):
        list_members(source, "f")


def test_one_must_be_chosen_by_a_name_that_is_there():
    """
    The sentence names those there are.
    """
    with pytest.raises(SettingsError, match=r"is about a, b; choose one with --organization"):
        pick_member(TWO, "f", None)
    with pytest.raises(SettingsError, match=r"has no organization 'c'; it has a, b"):
        pick_member(TWO, "f", "c")
    with pytest.raises(SettingsError, match=r"--organization names nothing"):
        pick_member(b"", "f", "a")


def entry(name, status, **changes):
    return replace(Entry(name, "scanned", status, organization_id=f"o-{name}", listed=2), **changes)


@pytest.mark.parametrize(
    ("statuses", "gravest"),
    [([0, 0], 0), ([0, 1], 1), ([1, 3], 3), ([3, 4], 4), ([4, 2], 2), ([2, 5], 5), ([0, 77], 77)],
)
def test_the_gravest_status_is_that_of_all(statuses, gravest):
    """
    In whichever order they come; no organization hides another one's.
    """
    entries = [entry(str(number), status) for number, status in enumerate(statuses)]

    assert sum_up(entries, NOW).exit_status == gravest
    assert sum_up(entries[::-1], NOW).exit_status == gravest


def test_nobody_scanned_is_no_pass():
    """
    An overview of nothing has shown nothing.
    """
    assert sum_up([Entry("a", "not-scanned", reason="left out")], NOW).exit_status == 2


def test_what_is_not_scanned_is_said_and_counted_nowhere():
    """
    Names and reasons do nothing in Markdown.
    """
    told = sum_up(
        [entry("a", 0, users=3), Entry("b", "failed", 2, "<img src=x> | `x` [l](http://x)")], NOW
    )
    page = write_overview(told)

    assert told.totals["users"] == 3
    assert told.exit_status == 2
    assert "1 of 2 organizations were scanned" in page
    assert "Nothing is said of `b`" in page
    assert "| ``<img src=x> [U+007C] `x` [l](http://x)`` |" in page
