"""
The overview of several organizations on one page of Markdown, for people.
"""

from collections.abc import Iterator

from scanner.overview import FIGURES, SCANNED, Overview
from scanner.reports.github import quote, tabulate
from scanner.reports.wording import MISSING, TITLE, count, format_moment

_WORDS = {
    "listed": "Listed",
    "collected": "Collected",
    "not_collected": "Not collected",
    "excluded": "Excluded",
    "not_active": "Not active",
    "stale": "Report too old",
    "users": "IAM users",
    "console": "Console users",
    "without_mfa": "without MFA",
    "not_clear": "Not clear",
    "exceptions": "Exceptions",
    "unknown": "Unable to determine",
    "accepted": "Accepted",
}


def write_overview(overview: Overview) -> str:
    """
    Return the page. Names and reasons stand in code spans, and do nothing.
    """
    return "\n".join([*_write(overview), ""])


def _write(overview: Overview) -> Iterator[str]:
    entries = overview.organizations
    scanned = [entry for entry in entries if entry.state == SCANNED]
    missed = [entry for entry in entries if entry.state != SCANNED]
    yield f"# {TITLE}: {count(len(entries), 'organization')}"
    yield ""
    yield f"Made {format_moment(overview.made)}. {len(scanned):,} of {count(len(entries), 'organization')} were scanned."
    if missed:
        yield ""
        yield (
            "**INCOMPLETE** Nothing is said of "
            f"{', '.join(quote(entry.name) for entry in missed)}, and no figure counts them."
        )
    yield from ("", "## Figures", "")
    header = ("Organization", "Id", "Period", *(_WORDS[name] for name in FIGURES), "Status")
    rows = [
        (
            quote(entry.name),
            quote(entry.organization_id or ""),
            quote(entry.period or ""),
            *(getattr(entry, name) for name in FIGURES),
            entry.status,
        )
        for entry in scanned
    ]
    rows.append(
        ("all of these", MISSING, MISSING, *(overview.totals[name] for name in FIGURES), MISSING)
    )
    yield from tabulate(header, rows, texts=3)
    yield from (
        "",
        "Listed accounts are collected, not collected, excluded and not active ones together.",
    )
    if missed:
        yield from ("", "## Not scanned, or failed", "")
        yield from tabulate(
            ("Organization", "State", "Status", "Why"),
            [
                (quote(entry.name), entry.state, entry.status or MISSING, quote(entry.reason))
                for entry in missed
            ],
            texts=4,
        )
    yield from ("", "## Where the evidence is", "")
    yield "This page is no evidence: each run is, and is checked with `orgproof verify RUN`."
    yield ""
    yield from tabulate(
        ("Organization", "Run", "Seal (SHA-256 of manifest.json)"),
        [(quote(entry.name), quote(entry.run or ""), quote(entry.seal or "")) for entry in scanned],
        texts=3,
    )
    yield from ("", "Whether a requirement is met is for the assessor to determine.")
