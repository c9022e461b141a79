"""
What an annex volume's template is filled with: plain values, so that another process can print it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from scanner.evidence import StoredRun
from scanner.reports.annexes import Annexes, Volume
from scanner.reports.container import LEVELS
from scanner.reports.doubts import build_doubts, list_ledger
from scanner.reports.finding_pages import list_anchors, list_volumes
from scanner.reports.naming import name_annex, name_document
from scanner.reports.wording import TITLE, complete, count, format_iso, format_moment, list_notices

UNITS_NAMED = 4
"""
How many OUs of a volume are named where it is described in one line.
"""

CONTENTS_LIMIT = 60
"""
How many OUs stand in a volume's table of contents.
"""


def describe_annexes(run: StoredRun, annexes: Annexes) -> list[dict[str, Any]]:
    """
    Return a line for each volume, as the main document lists them.
    """
    return [
        {
            "number": volume.number,
            "file": name_annex(run.summary, volume.number, len(annexes.volumes)),
            "units": describe_units(volume.units),
            "first": volume.shares[0].account_id,
            "accounts": len(volume.ledger),
            "findings": volume.findings,
        }
        for volume in annexes.volumes
    ]


def describe_units(units: Sequence[str]) -> dict[str, Any]:
    """
    Return the OUs of a volume that are named, and how many stand between the last two of those.
    """
    if len(units) <= UNITS_NAMED:
        return {"named": list(units), "between": 0, "last": None}
    named = list(units[: UNITS_NAMED - 1])
    return {"named": named, "between": len(units) - UNITS_NAMED, "last": units[-1]}


def say_contents(volume: Volume, volumes: int, document: str) -> str:
    """
    Say in one sentence what a volume holds. Whoever reads documents back looks for this sentence.
    """
    return (
        f"Volume {volume.number:,} of {volumes:,} of the annex to {document} holds "
        f"{count(volume.findings, 'finding')} and the ledger of {count(len(volume.ledger), 'account')} in "
        f"{count(len(volume.units), 'OU')}."
    )


def build_volumes(run: StoredRun, annexes: Annexes) -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Yield each volume's file name and the values that its template prints, one volume at a time.
    """
    summary, accounts = run.summary, run.accounts().set_index("account_id", drop=False)
    document, number = name_document(summary, "pdf"), len(annexes.volumes)
    common = {
        "title": TITLE,
        "created": format_iso(summary.window.finished),
        "organization": summary.organization_name or summary.organization_id,
        "organization_id": summary.organization_id,
        "management_account_id": summary.management_account_id,
        "period": summary.period,
        "run_id": summary.run_id,
        "tool_version": summary.tool_version,
        "max_age": summary.max_report_age_hours,
        "seal": run.manifest_sha256,
        "document": document,
        "level": LEVELS[0],
        "completeness": complete(summary),
        "collected": f"{format_moment(summary.window.started)} to {format_moment(summary.window.finished)}",
        "prepared_by": summary.prepared_by,
        "listed": summary.accounts.listed,
        "all_findings": summary.findings,
        "holds_findings": annexes.holds_findings,
        "notices": [
            {"kind": notice.kind, "label": notice.label, "sentence": notice.sentence}
            for notice in list_notices(summary)
        ],
    }
    for volume, blocks in list_volumes(run, annexes):
        anchors = list_anchors(blocks)
        own = accounts.loc[list(volume.ledger)].reset_index(drop=True)
        yield (
            name_annex(summary, volume.number, number),
            common
            | {
                "number": volume.number,
                "volumes": number,
                "sentence": say_contents(volume, number, document),
                "blocks": blocks,
                "all_units": describe_units(volume.units),
                "contents": anchors[:CONTENTS_LIMIT],
                "more_units": max(0, len(anchors) - CONTENTS_LIMIT),
                "continued": [share.account_id for share in volume.shares if share.start],
                "doubts": build_doubts(own, is_limited=False),
                "ledger": list_ledger(own),
            },
        )
