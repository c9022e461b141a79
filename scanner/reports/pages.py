"""
What the PDF's template is filled with: plain values, grouped as they stand on the pages.
"""

from typing import Any

from scanner.checks import title_check
from scanner.evidence import StoredRun
from scanner.reports import facts, method
from scanner.reports.annexes import plan_annexes
from scanner.reports.attachments import collect_attachments
from scanner.reports.census import mark_stale, take_census
from scanner.reports.change_pages import describe_changes
from scanner.reports.container import LEVELS
from scanner.reports.control_pages import RESULTS, list_frameworks
from scanner.reports.doubts import build_doubts, build_ledger
from scanner.reports.finding_pages import build_findings
from scanner.reports.remediation import build_remediation
from scanner.reports.root_pages import build_roots
from scanner.reports.summary_page import build_summary_page
from scanner.reports.tables import list_records
from scanner.reports.volume_pages import describe_annexes
from scanner.reports.wording import (
    TITLE,
    complete,
    conclude,
    describe_accepted,
    describe_parent,
    format_iso,
    list_notices,
)

WARNINGS_LIMIT = 25
"""
How many warnings are printed on the summary's page.
"""

KEY_DIGITS = 16
"""
How many digits of the id of the key that signed the run stand beside the seal.
"""

FRAMEWORKS_ON_COVER = 6
"""
With more frameworks than this the cover gives their number, and the list of contents their names.
"""

_CHAPTERS = (
    ("summary", "Summary"),
    ("figures", "Figures"),
    ("controls", "Results by control"),
    ("findings", "Findings by account"),
    ("roots", "Root users"),
    ("not-assessed", "Accounts not assessed or in doubt"),
    ("accepted", "Accepted risks"),
    ("changes", "Since the previous run"),
    ("remediation", "How to put it right"),
    ("method", "Method and limits"),
)
NUMBERS = {name: number for number, (name, _) in enumerate(_CHAPTERS, 1)}
"""
The chapters' numbers, for a sentence that points to one.
"""

_PARTS = {
    "remediation": (
        ("remediation-user", "For the user: a device in the console"),
        ("remediation-admin", "For the administrator: with the AWS CLI"),
        ("remediation-hardware", "Passkeys, security keys and hardware tokens"),
        ("remediation-passwords", "Passwords that nobody needs"),
        ("remediation-center", "Move people to IAM Identity Center"),
        ("remediation-policy", "Deny everything else without MFA"),
        ("remediation-root", "Root users"),
        ("remediation-lost", "When a device is lost"),
    ),
    "method": (
        ("method-population", "Population"),
        ("method-checks", "The checks and their exact conditions"),
        ("method-timing", "Timing and clocks"),
        ("method-run", "What was run"),
        ("method-calls", "Calls made and permissions used"),
        ("method-limits", "What this evidence cannot show"),
        ("method-verify", "How to verify"),
        ("method-words", "Words"),
    ),
}
"""
The parts of a chapter that the list of contents names, by their anchors.
"""


def build_pages(run: StoredRun) -> dict[str, Any]:
    """
    Return every value that the template prints.
    """
    summary = run.summary
    listed, annexes = run.accounts(), plan_annexes(run)
    accounts = list_records(listed.assign(is_stale=mark_stale(listed)))
    doubts = build_doubts(listed)
    census = take_census(run)
    return {
        "title": TITLE,
        "created": format_iso(summary.window.finished),
        "summary": summary,
        "seal": run.manifest_sha256,
        "signature": facts.describe_signature(run, KEY_DIGITS),
        "parts": facts.describe_parts(summary),
        "attached": collect_attachments(run),
        "level": LEVELS[0],
        "chapters": {name: f"{NUMBERS[name]} {title}" for name, title in _CHAPTERS},
        "numbers": NUMBERS,
        "parts_of": _PARTS,
        "notices": list_notices(summary),
        "conclusion": conclude(summary),
        "completeness": complete(summary),
        "parent": describe_parent(summary),
        "warnings": summary.warnings[:WARNINGS_LIMIT],
        "identity": dict(facts.list_identity(run)),
        "coverage": facts.list_coverage(summary),
        "coverage_sum": facts.add_up_coverage(summary),
        "users": facts.list_users(summary),
        "checks": [(check, facts.list_check_figures(check)) for check in summary.checks],
        "verdict_words": facts.describe_verdicts(summary),
        "accepted_words": describe_accepted(summary),
        "asked": facts.describe_asked(summary),
        "titles": {check.check: title_check(check.check) for check in summary.checks},
        "population": facts.describe_population(run),
        "overview": build_summary_page(run, accounts, census.console),
        "frameworks": list_frameworks(run),
        "results": RESULTS,
        "frameworks_on_cover": FRAMEWORKS_ON_COVER,
        "findings": build_findings(run, annexes),
        "volumes": describe_annexes(run, annexes),
        "acceptances": facts.list_accepted_risks(run),
        "roots": build_roots(run, census.roots, accounts),
        "changes": describe_changes(run),
        "remediation": build_remediation(summary.partition),
        "doubts": doubts,
        "differences": doubts["differences"],
        "ledger": build_ledger(listed, annexes),
        "method": method,
        "calls": method.list_calls(run),
        "conditions": method.list_conditions(run),
    }
