"""
Documents read back, and held against the numbers that follow from the raw reports.

Workbook and PDF are opened in processes of their own, with limits, and only figures come back from there: see
`scanner.reports.unpack`. Every other format is drawn again and compared byte for byte. Of the PDF's pages the cover and
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
from typing import TYPE_CHECKING, Any

from scanner.errors import EvidenceError
from scanner.evidence import StoredRun
from scanner.evidence.quarantine import Limits, Quarantine
from scanner.evidence.store import hash_bytes
from scanner.reports import FORMATS, facts, find_missing
from scanner.reports.annexes import plan_annexes
from scanner.reports.attachments import collect_attachments
from scanner.reports.naming import find_format, name_annex, name_document
from scanner.reports.text import fit_cell, make_visible
from scanner.reports.unpack import TableDigest, read_workbook, spell
from scanner.reports.volume_pages import say_contents
from scanner.reports.wording import conclude
from scanner.summary import CheckTotals, Summary

if TYPE_CHECKING:
    from scanner.reports.sheet_rows import Batch
    from scanner.reports.sheets import TableLayout

_ANNEX = re.compile(r"-annex-[0-9]+\.pdf$", re.ASCII)
_UNPACK = Path(__file__).with_name("unpack.py")
_MODULES = {"xlsx": ("openpyxl",), "pdf": ("pypdf",)}
_SHOWN = 100
_FOREIGN = "is no document that orgproof draws of this run"
_LARGE_PDF = 2 * 1024 * 1024
"""
A PDF larger than this is read before the tables are derived, and not meanwhile: either takes much memory.
"""


class Readback:
    """
    A run's documents, being read back since it was made. See `scanner.evidence.verify.DocumentsCheck`.

    `limits` says, once it has finished, which documents were not compared and why.
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
        self.limits: list[str] = []
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
        others: dict[str, list[str]] = {}
        volumes = _list_volumes(run)
        for path in self._paths:
            if path in volumes:
                yield from ((path, fault) for fault in self._compare_volume(path, run, volumes))
            elif path == f"reports/{name_document(run.summary, 'xlsx')}":
                yield from ((path, fault) for fault in self._compare_workbook(path, run))
            elif path == f"reports/{name_document(run.summary, 'pdf')}":
                yield from ((path, fault) for fault in self._compare_pdf(path, run))
            else:
                kind = find_format(run.summary, path.rpartition("/")[2])
                others.setdefault(kind, []).append(path)
        if f"reports/{name_document(run.summary, 'pdf')}" in self._paths:
            for path in sorted(volumes.keys() - set(self._paths)):
                yield path, "is missing, and the PDF says that it stands beside it"
        for kind, paths in others.items():
            yield from self._compare_drawn(kind, paths, run)

    def _compare_drawn(
        self, kind: str, paths: Iterable[str], run: StoredRun
    ) -> Iterator[tuple[str, str]]:
        """
        Draw the documents of one format again, and hold those that were found against them.
        """
        if kind not in FORMATS or kind in _MODULES:
            yield from ((path, _FOREIGN) for path in paths)
            return
        if missing := find_missing(kind):
            self.limits += [
                f"that {path} follows from the raw reports: {missing}" for path in paths
            ]
            return
        with tempfile.TemporaryDirectory(prefix="orgproof-") as place:
            # These are copies of the stored tables, which another pyarrow may have written in other bytes.
            source = StoredRun(self._folder) if kind == "parquet" else run
            drawn = {f"reports/{path.name}": path for path in FORMATS[kind](source, Path(place))}
            for path in paths:
                if path not in drawn:
                    yield path, _FOREIGN
                elif fault := _find_difference(self._folder / path, drawn[path]):
                    yield path, fault

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
    # All of these bring openpyxl along, which a PDF has no use for.
    from scanner.reports.extras import Extras  # noqa: PLC0415
    from scanner.reports.sheet_rows import list_values  # noqa: PLC0415
    from scanner.reports.workbook import draw_workbook  # noqa: PLC0415

    due: dict[str, TableDigest] = {}

    def take(layout: "TableLayout", batch: "Batch") -> None:
        table = due.setdefault(layout.title, _begin_table(layout))
        table.add(tuple(map(_print_cell, row)) for row in list_values(batch))

    content = BytesIO()
    draw_workbook(run, content, Extras(), witness=take)
    drawn = read_workbook(content)
    faults = [
        *_compare_pages(found.get("pages", {}), drawn["pages"]),
        *_compare_tables(found.get("tables", {}), drawn["tables"], due),
    ]
    yield from faults or _compare_parts(found, drawn)


def _begin_table(layout: "TableLayout") -> TableDigest:
    return TableDigest([spell(make_visible(name)) for name in layout.columns])


def _compare_tables(
    found: Mapping[str, Any], drawn: Mapping[str, Any], due: Mapping[str, TableDigest]
) -> Iterator[str]:
    """
    Yield where tables differ. `drawn` has them without rows, and those of an empty one with what explains it.
    """
    for title, empty in drawn.items():
        if title not in found:
            yield f"has no sheet {title}"
        else:
            yield from _compare_table(
                title, found[title], due[title].describe() if title in due else empty
            )
    for title in found:
        if title not in drawn:
            yield f"has a sheet {title[:_SHOWN]}, which orgproof never writes"


def _compare_parts(found: Mapping[str, Any], drawn: Mapping[str, Any]) -> Iterator[str]:
    """
    Yield where something besides values differs: a link, a chart, a rule, a row that is hidden.
    """
    for kind, words in (
        ("sheets", "sheet {}: its links, rules, rows or settings are not as orgproof draws them"),
        ("parts", "{} is not as orgproof draws it"),
    ):
        read, due = found.get(kind, {}), drawn[kind]
        for name in sorted(read.keys() | due.keys()):
            if read.get(name) != due.get(name):
                yield words.format(name[:_SHOWN])


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
