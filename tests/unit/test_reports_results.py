"""
What documents say that a control's checks came to, and how many controls came to it.
"""

from collections import Counter

import pytest

from scanner.frameworks import load_framework
from scanner.model import Relation, Verdict
from scanner.reports.control_pages import RESULTS, count_results
from scanner.reports.wording import describe_result

PCI = load_framework("pci-dss-4.0.1")
BARE = next(control.id for control in PCI.controls if control.not_tested)
LEADS = next(
    control.id
    for control in PCI.controls
    if control.checks and control.relation is Relation.SUPPORTING
)
DIRECT = next(control.id for control in PCI.controls if control.relation is Relation.DIRECT)


def row(control, verdict="not-tested", **figures):
    return {
        "framework": PCI.id,
        "control_id": control,
        "verdict": verdict,
        "evaluated": 0,
        "failed": 0,
        "unknown": 0,
        "not_tested": 0,
        **figures,
    }


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"evaluated": 7}, "No lead noted"),
        (
            {"evaluated": 7, "not_tested": 1},
            "No lead noted in what was read, and 1 account was not tested",
        ),
        (
            {"evaluated": 7, "unknown": 2},
            "No lead noted in what was read, and 2 verdicts could not be reached",
        ),
        (
            {"evaluated": 7, "unknown": 1, "not_tested": 1_200},
            "No lead noted in what was read, 1 verdict could not be reached, and 1,200 accounts were not tested",
        ),
        (
            {},
            "Nothing to evaluate in what was read",
        ),
        (
            {"not_tested": 3},
            "Nothing to evaluate in what was read, and 3 accounts were not tested",
        ),
        (
            {"unknown": 4},
            "No verdict could be reached",
        ),
        (
            {"unknown": 1, "not_tested": 2},
            "No verdict could be reached, and 2 accounts were not tested",
        ),
    ],
)
def test_a_control_without_a_lead_says_what_was_not_looked_at(figures, words):
    """
    Accounts that nobody read, and verdicts that nobody could reach, are never "no lead noted" alone.
    """
    assert (
        describe_result(PCI, row(LEADS, **figures)) == f"{words}; supporting checks decide nothing"
    )


@pytest.mark.parametrize("not_tested", [0, 3])
def test_only_a_control_without_checks_is_not_tested_by_this_tool(not_tested):
    """
    Where checks found nothing to evaluate the control was looked at, and the sentence is another.
    """
    assert describe_result(PCI, row(BARE, not_tested=not_tested)) == "Not tested by this tool"
    assert "Not tested" not in describe_result(PCI, row(LEADS, not_tested=not_tested))
    assert describe_result(PCI, row(DIRECT)) == "Nothing to evaluate in what was read"


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.NOT_TESTED])
def test_every_other_result_is_in_the_frameworks_own_words(verdict):
    """
    What an auditor of the framework would say, whatever the figures are.
    """
    assert describe_result(PCI, row(DIRECT, str(verdict), not_tested=2)) == PCI.wording[verdict]


def test_the_overview_counts_what_was_not_tested_apart_from_what_gave_no_lead():
    """
    The number under "not tested by this tool" is that of the controls listed so, and all columns add up.
    """
    rows = [row(control.id) for control in PCI.controls]
    rows[0] |= {"verdict": "fail"}
    other = {**row(BARE), "framework": "another"}

    counts = count_results(PCI, [*rows, other])

    bare = sum(control.not_tested is not None for control in PCI.controls)
    assert counts == Counter(
        {"fail": 1, "not-tested": bare, "no-lead": len(PCI.controls) - bare - 1}
    )
    assert set(counts) <= {key for key, _ in RESULTS}
