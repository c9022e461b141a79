"""
Documents read back, and held against the numbers that follow from the raw reports.

Workbook and PDF are opened in processes of their own, with limits, and only figures come back from there: see
`scanner.reports.unpack`. CSV and JSON are drawn again and compared byte for byte. Of the PDF's pages the cover and
the totals are read, and every file inside it; of its annex volumes the first pages, and what each says that it
holds. The rest of their text is covered by `documents.json` alone.
"""

import filecmp
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

from scanner.errors import EvidenceError
from scanner.evidence import StoredRun
from scanner.evidence.quarantine import Limits, Quarantine
from scanner.evidence.store import hash_bytes
from scanner.reports import facts
from scanner.reports.annexes import plan_annexes
from scanner.reports.attachments import collect_attachments
from scanner.reports.csv_files import render_csv
from scanner.reports.json_file import render_json
from scanner.reports.naming import name_annex, name_document
from scanner.reports.text import fit_cell, make_visible
from scanner.reports.unpack import TableDigest, read_workbook, spell
from scanner.reports.volume_pages import say_contents
from scanner.reports.wording import conclude
from scanner.summary import CheckTotals, Summary

_ANNEX = re.compile(r"-annex-[0-9]+\.pdf$", re.ASCII)
_UNPACK = Path(__file__).with_name("unpack.py")
_MODULES = {"xlsx": ("openpyxl",), "pdf": ("pypdf",)}
_SHOWN = 100
_LARGE_PDF = 2 * 1024 * 1024
"""
A PDF larger than this is read before the tables are derived, and not meanwhile: either takes much memory.
"""


class Readback:
    """
    A run's documents, being read back since it was made. See `scanner.evidence.verify.DocumentsCheck`.
    """

    def __init__(
        self,
        stack: ExitStack,
        folder: Path,
        paths: Iterable[str],
        seal: str,
        limits: Limits | None = None,
    ) -> None:
        self._folder = folder
        self._paths = sorted(paths)
        self._seal = seal
        self._limits = limits
        self._reading: dict[str, Quarantine] = {}
        # There can be many annex volumes, so they are read one after another, at the end.
        for path in (path for path in self._paths if not _ANNEX.search(path)):
            kind = path.rpartition(".")[2]
            if kind in _MODULES:
                words = [seal] if kind == "pdf" else []
                modules = _MODULES[kind]
                reading = Quarantine(folder / path, _UNPACK, modules, [kind, *words], limits)
                self._reading[path] = stack.enter_context(reading)
                if (folder / path).stat().st_size > _LARGE_PDF and kind == "pdf":
                    reading.wait()

    def finish(self, run: StoredRun) -> tuple[str, list[str]]:
        """
        Say what was read, and what of it does not agree with a run that was derived again.
        """
        faults = [f"{path}: {fault}" for path, fault in self._compare(run)]
        names = ", ".join(path.rpartition("/")[2] for path in self._paths)
        return (f"{names}: they carry these numbers" if names else "none was drawn"), faults

    def _compare(self, run: StoredRun) -> Iterator[tuple[str, str]]:
        with tempfile.TemporaryDirectory(prefix="orgproof-") as place:
            drawn = _draw_again(run, Path(place), self._paths)
            volumes = _list_volumes(run)
            for path in self._paths:
                if path in volumes:
                    yield from ((path, fault) for fault in self._compare_volume(path, run, volumes))
                elif path in drawn:
                    fault = _find_difference(self._folder / path, drawn[path])
                    yield from [(path, fault)] if fault else []
                elif path == f"reports/{name_document(run.summary, 'xlsx')}":
                    yield from ((path, fault) for fault in self._compare_workbook(path, run))
                elif path == f"reports/{name_document(run.summary, 'pdf')}":
                    yield from ((path, fault) for fault in self._compare_pdf(path, run))
                else:
                    yield path, "is no document that orgproof draws of this run"
            if f"reports/{name_document(run.summary, 'pdf')}" in self._paths:
                for path in sorted(volumes.keys() - set(self._paths)):
                    yield path, "is missing, and the PDF says that it stands beside it"

    def _compare_workbook(self, path: str, run: StoredRun) -> Iterator[str]:
        try:
            found = self._reading[path].finish()
        except EvidenceError as exc:
            yield str(exc).removeprefix(f"{self._folder / path}: ")
            return
        yield from compare_workbook(found, run)

    def _compare_pdf(self, path: str, run: StoredRun) -> Iterator[str]:
        try:
            found = self._reading[path].finish()
        except EvidenceError as exc:
            yield str(exc).removeprefix(f"{self._folder / path}: ")
            return
        yield from compare_pdf(found, run)

    def _compare_volume(
        self, path: str, run: StoredRun, sentences: Mapping[str, str]
    ) -> Iterator[str]:
        try:
            words = ["annex", self._seal]
            with Quarantine(
                self._folder / path, _UNPACK, ("pypdf",), words, self._limits
            ) as reading:
                found = reading.finish()
        except EvidenceError as exc:
            yield str(exc).removeprefix(f"{self._folder / path}: ")
            return
        yield from compare_volume(found, run, sentences[path])


def _list_volumes(run: StoredRun) -> dict[str, str]:
    """
    Return the paths of a run's annex volumes, each with the sentence in which it says what it holds.
    """
    volumes = plan_annexes(run).volumes
    main = name_document(run.summary, "pdf")
    return {
        f"reports/{name_annex(run.summary, volume.number, len(volumes))}": say_contents(
            volume, len(volumes), main
        )
        for volume in volumes
    }


def _draw_again(run: StoredRun, folder: Path, paths: Iterable[str]) -> dict[str, Path]:
    """
    Draw those documents again that are made in a moment, and return them by the paths they have in a run.
    """
    endings = {path.rpartition(".")[2] for path in paths}
    drawn = []
    if "csv" in endings:
        drawn += render_csv(run, folder)
    if "json" in endings:
        drawn += render_json(run, folder)
    return {f"reports/{path.name}": path for path in drawn}


def _find_difference(found: Path, drawn: Path) -> str | None:
    if filecmp.cmp(found, drawn, shallow=False):
        return None
    number = 0
    with found.open("rb") as left, drawn.open("rb") as right:
        for line in right:
            number += 1
            if left.readline(len(line) + 1) != line:
                return f"line {number} is not the one that follows from the raw reports"
    return f"goes on after line {number}, and nothing follows"


def compare_workbook(found: Mapping[str, Any], run: StoredRun) -> Iterator[str]:
    """
    Yield where a workbook that was read back is not the one that a run makes.
    """
    from scanner.reports.workbook import list_tables  # noqa: PLC0415 - openpyxl, which a PDF has no use for

    yield from _compare_pages(found.get("pages", {}), _draw_pages(run))
    tables = dict(found.get("tables", {}))
    for layout, rows in list_tables(run):
        table = tables.pop(layout.title, None)
        if table is None:
            yield f"has no sheet {layout.title}"
            continue
        due = TableDigest([spell(make_visible(name)) for name in layout.columns])
        due.add(tuple(map(_print_cell, row)) for row in rows)
        if not due.rows:
            due.add([(fit_cell(make_visible(layout.empty)),)])
        yield from _compare_table(layout.title, table, due.describe())
    yield from (f"has a sheet {title[:_SHOWN]}, which orgproof never writes" for title in tables)


def _print_cell(value: object) -> object:
    return fit_cell(make_visible(value)) if isinstance(value, str) else value


def _compare_table(title: str, found: Mapping[str, Any], due: Mapping[str, Any]) -> Iterator[str]:
    if found.get("columns") != due["columns"]:
        yield f"sheet {title}: has other columns than the table"
        return
    if found.get("rows") != due["rows"]:
        yield f"sheet {title}: has {found.get('rows')} rows, and the table has {due['rows']}"
        return
    for name, digest, right in zip(
        due["columns"], found.get("digests", ()), due["digests"], strict=True
    ):
        if digest != right:
            yield f"sheet {title}: column {name[1:]} does not hold the table's values"


def _draw_pages(run: StoredRun) -> dict[str, list[list[str]]]:
    """
    Return the sheets Summary and Method as they are written, and read back in the same way.
    """
    from scanner.reports.archive import open_workbook, save_workbook  # noqa: PLC0415 - openpyxl
    from scanner.reports.covers import write_method, write_summary  # noqa: PLC0415
    from scanner.reports.workbook import describe_document, describe_page  # noqa: PLC0415

    page, content = describe_page(run), BytesIO()
    with open_workbook(describe_document(run.summary)) as workbook:
        write_summary(workbook, run, page)
        write_method(workbook, run, page)
        save_workbook(workbook, content, run.summary.window.finished)
    pages: dict[str, list[list[str]]] = read_workbook(content)["pages"]
    return pages


def _compare_pages(
    found: Mapping[str, list[list[str]]], due: Mapping[str, list[list[str]]]
) -> Iterator[str]:
    for title, rows in due.items():
        read = found.get(title)
        if read is None:
            yield f"has no sheet {title}"
            continue
        number = next(
            (n for n, (row, right) in enumerate(zip(read, rows, strict=False)) if row != right),
            min(len(read), len(rows)),
        )
        if number < max(len(read), len(rows)):
            yield (
                f"sheet {title}: row {number + 1} is {_quote(read, number)}, and {_quote(rows, number)} "
                "follows from the raw reports"
            )


def _quote(rows: list[list[str]], number: int) -> str:
    if number >= len(rows):
        return "missing"
    text = ", ".join(value[1:] for value in rows[number])
    return repr(text[:_SHOWN])


def compare_pdf(found: Mapping[str, Any], run: StoredRun) -> Iterator[str]:
    """
    Yield where a PDF that was read back is not of this run: its totals, its seal, the files inside it.
    """
    summary = run.summary
    text = " ".join(" ".join(found.get("texts", ())).split())
    yield from _compare_marks(found, run)
    if _squeeze(conclude(summary)) not in _squeeze(text):
        yield f"does not say what follows from the raw reports: {conclude(summary)}"
    yield from _compare_figures(text, summary)
    for check in summary.checks:
        if fault := _compare_check(text, check):
            yield fault
    yield from _compare_attached(found.get("attached", {}), run)


def compare_volume(found: Mapping[str, Any], run: StoredRun, sentence: str) -> Iterator[str]:
    """
    Yield where an annex volume that was read back is not of this run: its seal, its pages, what it says it holds.
    """
    yield from _compare_marks(found, run)
    first = next(iter(found.get("texts", ())), "")
    if _squeeze(sentence) not in _squeeze(first):
        yield f"does not say what follows from the raw reports: {sentence}"
    for name in sorted(found.get("attached", {})):
        yield f"has {name[:_SHOWN]!r} inside it, and nothing is attached to an annex volume"


def _compare_marks(found: Mapping[str, Any], run: StoredRun) -> Iterator[str]:
    """
    Yield where the pages that were read do not carry the seal and their number, or the document does something.
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


def _compare_figures(text: str, summary: Summary) -> Iterator[str]:
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
                f"{re.escape(figure.label)} {{}} {re.escape(figure.meaning)}",
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
            said = " and ".join(", ".join(values) for values in sorted(printed)) or "missing"
            yield f"the figure {label} is {said}, and {', '.join(due)} follows from the raw reports"


def _compare_check(text: str, check: CheckTotals) -> str | None:
    """
    Hold the line of a check's totals, wherever its name was broken, against the summary.
    """
    name = r"\s?".join(map(re.escape, check.check))
    pattern = rf"(?<![\w:-]){name} · {check.severity} · {re.escape(check.subject)}((?: [0-9,]+){{7}})(?![0-9,])"
    numbers = [*(number for _, number in facts.list_check_figures(check)), check.accepted]
    due = " ".join(f"{number:,}" for number in numbers)
    printed = {found.strip() for found in re.findall(pattern, text)}
    if printed == {due}:
        return None
    said = " and ".join(sorted(printed)) or "missing"
    return f"the totals of {check.check} are {said[:_SHOWN]}, and {due} follow from the raw reports"


def _compare_attached(found: Mapping[str, Any], run: StoredRun) -> Iterator[str]:
    due = {file.name: hash_bytes(file.content) for file in collect_attachments(run).files}
    for name in sorted(due.keys() - found.keys()):
        yield f"has no {name} inside it"
    for name in sorted(found.keys() - due.keys()):
        yield f"has {name[:_SHOWN]!r} inside it, which orgproof does not attach"
    for name in sorted(due.keys() & found.keys()):
        if [entry.get("sha256") for entry in found[name]] != [due[name]]:
            yield f"{name} inside it is not the run's own"


def _squeeze(text: str) -> str:
    return "".join(text.split())
