"""
CONTRIBUTING says how to add a check and a framework; these tests do it, with what it says.
"""

import re
from pathlib import Path

import pandas as pd
import pytest
from pydantic import Field
from report_text import ACCOUNT, MADE, root_row, user_row, write_report

from scanner.checks import CHECKS, BoundCheck
from scanner.checks.facts import count_days, every_row, write_dates
from scanner.checks.registry import Parameters, Subject, check, decide
from scanner.credentials import build_table, parse_report
from scanner.errors import CatalogError
from scanner.findings import list_findings
from scanner.frameworks import bind_checks, read_framework
from scanner.judge import judge_table
from scanner.model import Account, Relation, Severity

ROOT = Path(__file__).resolve().parents[2]
WORDS = {
    "Field": Field,
    "Parameters": Parameters,
    "Severity": Severity,
    "Subject": Subject,
    "check": check,
    "count_days": count_days,
    "decide": decide,
    "every_row": every_row,
    "pd": pd,
    "write_dates": write_dates,
}


def read_block(language: str) -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(
        rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL
    )
    assert len(blocks) == 1, f"one block of {language}"
    return blocks[0]


@pytest.fixture(name="new_check")
def add_check():
    before = set(CHECKS)
    exec(compile(read_block("python"), "CONTRIBUTING.md", "exec"), dict(WORDS))  # noqa: S102 - our own text
    (added,) = set(CHECKS) - before
    yield CHECKS[added]
    del CHECKS[added]


def test_a_check_is_added_in_one_place(new_check):
    """
    The function and its decorator are all there is: verdicts, words, severity and parameters work.
    """
    report = write_report(
        root_row(),
        user_row("old", user_creation_time="2020-01-01T00:00:00Z"),
        user_row("new", user_creation_time=f"{MADE:%Y-%m-%dT%H:%M:%SZ}"),
        user_row("odd", user_creation_time="yesterday"),
    )
    bound = BoundCheck(new_check, new_check.parameters(days=7))
    table = judge_table(build_table([parse_report(report, ACCOUNT, MADE)]), [bound])
    found = list_findings(table, [bound], {ACCOUNT: Account(ACCOUNT, "shop", "", "ACTIVE")}, {}, {})

    assert bound.name == "user-made-lately:days=7"
    assert dict(zip(table["user"], table[bound.name], strict=True)) == {
        "<root_account>": "not-applicable",
        "old": "pass",
        "new": "needs-review",
        "odd": "unknown",
    }
    assert dict(zip(found["user"], found["observation"], strict=True)) == {
        "new": f"made on {MADE:%Y-%m-%d}",
        "odd": "the report does not make clear: user_creation_time",
    }
    assert "7 whole days" in bound.condition


def test_a_framework_is_added_in_one_file():
    """
    The file is accepted as it stands, and judged by.
    """
    framework = read_framework(read_block("yaml").encode(), "our-policy-2026.yaml")
    first, second = framework.controls

    assert [mapped.bound.name for mapped in first.checks] == [
        "console-no-mfa",
        "password-unused:days=30",
    ]
    assert first.relation is Relation.DIRECT
    assert second.not_tested is not None
    assert "console-no-mfa" in {bound.name for bound in bind_checks([framework])}


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("days: 30", "day: 30", "AC-1.*parameters.day"),
        ("days: 30", 'days: "30"', "AC-1.*parameters.days"),
        ("relation: direct", "relation: on", "AC-1.*relation"),
        ("check: console-no-mfa", "check: console-mfa", "no check 'console-mfa'"),
        ("id: AC-2", "id: AC-1", "AC-1.*appears twice"),
        ("checks: []", "checks: [x]", "AC-2"),
    ],
)
def test_a_slip_in_the_file_is_refused_by_name(right, wrong, said):
    """
    Misspelt parameters, text for numbers, YAML's own booleans, unknown checks and ids that appear twice.
    """
    source = read_block("yaml")
    assert source.count(right) >= 1

    with pytest.raises(CatalogError) as refused:
        read_framework(source.replace(right, wrong, 1).encode(), "our-policy-2026.yaml")

    assert re.search(said, str(refused.value), flags=re.DOTALL)


def test_one_slip_hides_no_other():
    """
    A wrong relation, a misspelt parameter, an unknown check, a twin id and the file's name: all are said.
    """
    source = read_block("yaml")
    for right, wrong in (
        ("relation: direct", "relation: direkt"),
        ("days: 30", "day: 30"),
        ("check: console-no-mfa", "check: console-mfa"),
        ("id: AC-2", "id: AC-1"),
    ):
        source = source.replace(right, wrong, 1)

    with pytest.raises(CatalogError) as refused:
        read_framework(source.encode(), "our-policy-2027.yaml")

    said = str(refused.value)
    for word in (
        "relation",
        "parameters.day",
        "no check 'console-mfa'",
        "appears twice",
        "file's name",
    ):
        assert word in said


@pytest.mark.parametrize("name", ["generic-username", "account-not-collected", "extra-credentials"])
def test_a_lead_is_never_direct(name):
    """
    What is only to be asked about, or is about the evidence itself, answers no control.
    """
    source = read_block("yaml").replace("check: console-no-mfa", f"check: {name}", 1)

    with pytest.raises(CatalogError, match="can only be supporting"):
        read_framework(source.encode(), "our-policy-2026.yaml")
