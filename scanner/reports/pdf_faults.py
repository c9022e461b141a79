"""
A PDF that was read back, held against what follows from the raw reports: its seal, its figures, the files inside it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scanner.evidence import StoredRun
from scanner.evidence.store import hash_bytes
from scanner.reports import facts
from scanner.reports.attachments import collect_attachments
from scanner.reports.wording import conclude
from scanner.summary import CheckTotals, Summary

_SHOWN = 100
_MISSING = "missing"
_TABLE = ".csv"


def compare_pdf(found: Mapping[str, Any], run: StoredRun) -> tuple[list[str], list[str]]:
    """
    Return where a PDF is not of this run, and what of it no other version explains.
    """
    summary = run.summary
    text = " ".join(" ".join(found.get("texts", ())).split())
    marks = list(list_marks(found, run))
    worded = []
    if _squeeze(conclude(summary)) not in _squeeze(text):
        worded.append(f"does not say what follows from the raw reports: {conclude(summary)}")
    figures = [
        *_compare_figures(text, summary),
        *(_compare_check(text, check) for check in summary.checks),
    ]
    figures = [(fault, is_missing) for fault, is_missing in figures if fault]
    attached = list(_compare_attached(found.get("attached", {}), run))
    faults = [fault for fault, _ in (*figures, *attached)]
    # Another version may have other names for figures, and other tables inside. Wrong ones it does not have.
    firm = [fault for fault, is_explained in (*figures, *attached) if not is_explained]
    return [*marks, *worded, *faults], [*marks, *firm]


def compare_volume(found: Mapping[str, Any], run: StoredRun, sentence: str) -> Iterator[str]:
    """
    Yield where an annex volume that was read back is not of this run: its seal, its pages, what it says it holds.
    """
    yield from list_marks(found, run)
    first = next(iter(found.get("texts", ())), "")
    if _squeeze(sentence) not in _squeeze(first):
        yield f"does not say what follows from the raw reports: {sentence}"
    for name in sorted(found.get("attached", {})):
        yield f"has {name[:_SHOWN]!r} inside it, and nothing is attached to an annex volume"


def list_marks(found: Mapping[str, Any], run: StoredRun) -> Iterator[str]:
    """
    Yield where the pages that were read do not carry the seal and their number, or the document acts.
    """
    if lacking := found.get("lacking"):
        yield f"page {lacking[0]} does not carry the seal {run.manifest_sha256}"
    if miscounted := found.get("miscounted"):
        yield (
            f"page {miscounted[0]} does not say that it is page {miscounted[0]} of {found.get('pages')}: pages were "
            "taken out, put in or moved"
        )
    if actions := found.get("actions"):
        yield f"does something when it is opened ({', '.join(actions)}), and orgproof's documents never do"
    for words in found.get("strange", ()):
        yield f"has {words}, and orgproof's documents never do"


def _compare_figures(text: str, summary: Summary) -> Iterator[tuple[str, bool]]:
    """
    Yield what is wrong with figures, each with whether the figure is only missing.
    """
    accounts = summary.accounts
    sentences: list[tuple[str, str, tuple[int, ...]]] = [
        ("Accounts", r"Accounts {} of {} listed were read", (accounts.collected, accounts.listed)),
        (
            "Findings",
            r"Findings {}, of them accepted risks {}",
            (summary.findings, summary.accepted),
        ),
        *(
            (
                figure.label,
                f"{re.escape(figure.label)} {{}} ?{re.escape(figure.meaning)}",
                (figure.number,),
            )
            for figure in (*facts.list_coverage(summary), *facts.list_users(summary))
        ),
    ]
    for label, pattern, numbers in sentences:
        due = tuple(f"{number:,}" for number in numbers)
        shown = re.findall(pattern.replace("{}", r"([0-9][0-9,]*)"), text)
        printed = {value if isinstance(value, tuple) else (value,) for value in shown}
        if printed != {due}:
            said = " and ".join(", ".join(values) for values in sorted(printed)) or _MISSING
            fault = (
                f"the figure {label} is {said}, and {', '.join(due)} follows from the raw reports"
            )
            yield fault, said == _MISSING


def _compare_check(text: str, check: CheckTotals) -> tuple[str, bool]:
    """
    Hold the line of a check's totals, wherever its name was broken, against the summary. See `_compare_figures`.
    """
    name = r"\s?".join(map(re.escape, check.check))
    pattern = rf"(?<![\w:-]){name} · {check.severity} · {re.escape(check.subject)}((?: [0-9,]+){{7}})(?![0-9,])"
    numbers = [*(number for _, number in facts.list_check_figures(check)), check.accepted]
    due = " ".join(f"{number:,}" for number in numbers)
    printed = {found.strip() for found in re.findall(pattern, text)}
    if printed == {due}:
        return "", False
    said = " and ".join(sorted(printed)) or _MISSING
    fault = (
        f"the totals of {check.check} are {said[:_SHOWN]}, and {due} follow from the raw reports"
    )
    return fault, said == _MISSING


def _compare_attached(found: Mapping[str, Any], run: StoredRun) -> Iterator[tuple[str, bool]]:
    """
    Yield which files inside are not the run's, each with whether another version may have had it so.
    """
    due = {file.name: hash_bytes(file.content) for file in collect_attachments(run).files}
    for name in sorted(due.keys() - found.keys()):
        yield f"has no {name} inside it", name.endswith(_TABLE)
    for name in sorted(found.keys() - due.keys()):
        words = f"has {name[:_SHOWN]!r} inside it, which orgproof does not attach"
        yield words, name.endswith(_TABLE)
    for name in sorted(due.keys() & found.keys()):
        if [entry.get("sha256") for entry in found[name]] != [due[name]]:
            yield f"{name} inside it is not the run's own", name.endswith(_TABLE)


def _squeeze(text: str) -> str:
    return "".join(text.split())
