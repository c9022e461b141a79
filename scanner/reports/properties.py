"""
What a workbook says of itself, and on each printed page.
"""

from openpyxl.packaging.core import DocumentProperties

from scanner.evidence import StoredRun
from scanner.reports.sheets import Print
from scanner.reports.wording import TITLE, list_notices
from scanner.summary import Summary


def describe_document(summary: Summary) -> DocumentProperties:
    """
    Return a workbook's own properties.
    """
    return DocumentProperties(
        title=f"{TITLE}: {summary.organization_id}, {summary.period}",
        subject=f"IAM users, root users and accounts of {summary.organization_id}",
        keywords=f"{summary.period}, AWS, IAM, MFA, credential report",
        category="Evidence",
        creator=f"orgproof {summary.tool_version}",
        lastModifiedBy=f"orgproof {summary.tool_version}",
        description=f"Run {summary.run_id}",
        language="en",
    )


def describe_page(run: StoredRun) -> Print:
    """
    Return what stands on each printed page of a workbook: the run, its notices, its seal.
    """
    summary = run.summary
    labels = ", ".join(notice.label for notice in list_notices(summary))
    return Print(
        header=f"{summary.organization_id}, {summary.period}",
        notice=f'&"Calibri,Bold"&K9B1C1C{labels}' if labels else "",
        footer=f"orgproof {summary.tool_version}, seal {run.manifest_sha256}",
    )
