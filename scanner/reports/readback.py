"""
Documents read back, and held against the numbers that follow from the raw reports.

Workbook and PDF are opened in processes of their own, with limits, and only figures come back from there: see
`scanner.reports.unpack` and `scanner.reports.unpack_pdf`. All but the workbook are then drawn again, from what was
derived here and from nothing of theirs, and compared byte for byte. Where they were drawn with other tools, or are too
long to draw again, that cannot be asked of them: then figures are held against the run, and `limits` says so.
"""

import filecmp
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from scanner.errors import EvidenceError
from scanner.evidence import StoredRun
from scanner.evidence.quarantine import Limits, Quarantine
from scanner.reports import FORMATS, find_missing
from scanner.reports.annexes import plan_annexes
from scanner.reports.naming import find_format, name_annex, name_document
from scanner.reports.pdf_faults import compare_pdf, compare_volume
from scanner.reports.redrawing import Redrawing
from scanner.reports.toolchain import (
    WORDING,
    compare_tools,
    describe_extras,
    describe_tools,
    name_tools,
)
from scanner.reports.volume_pages import say_contents

_ANNEX = re.compile(r"-annex-[0-9]+\.pdf$", re.ASCII)
_READERS = {
    "xlsx": (Path(__file__).with_name("unpack.py"), "openpyxl"),
    "pdf": (Path(__file__).with_name("unpack_pdf.py"), "pypdf"),
}
_FOREIGN = "is no document that orgproof draws of this run"
_LARGE_PDF = 2 * 1024 * 1024
"""
A PDF larger than this is read before the tables are derived, and not meanwhile: either takes much memory.
"""


class Readback:
    """
    A run's documents, being read back since it was made. See `scanner.evidence.verify.DocumentsCheck`.

    `made_with` is what the list of documents says that they were made with; without it they are taken to be made
    with what is here. `redraw` tells whether PDFs are drawn again. `limits` says, once it has finished, what was
    not shown and why, and `partly` which documents were not compared whole.
    """

    def __init__(  # noqa: PLR0913 - what is read, what the list says of it, and how far to go
        self,
        stack: ExitStack,
        folder: Path,
        paths: Iterable[str],
        seal: str,
        made_with: Mapping[str, str] | None = None,
        *,
        limits: Limits | None = None,
        redraw: bool = True,
    ) -> None:
        self._folder = folder
        self._paths = sorted(paths)
        self._seal = seal
        self._limits = limits
        self._redraw = redraw
        names = [folder / path for path in self._paths]
        now = {**describe_tools(), **describe_extras(names)} if made_with is not None else {}
        self._then, self._now = made_with or {}, now
        self._reading: dict[str, Quarantine] = {}
        self._unread: set[str] = set()
        self.limits: list[str] = []
        self.partly: list[str] = []
        # There can be many annex volumes, so they are read one after another, at the end.
        for path in (path for path in self._paths if not _ANNEX.search(path)):
            kind = path.rpartition(".")[2]
            if kind in _READERS:
                words = ["main", seal] if kind == "pdf" else [kind]
                reading = stack.enter_context(self._open(path, words))
                self._reading[path] = reading
                if (folder / path).stat().st_size > _LARGE_PDF and kind == "pdf":
                    reading.wait()

    def finish(self, run: StoredRun) -> tuple[str, list[str]]:
        """
        Say what was read, and what of it does not agree with a run that was derived again.
        """
        faults = [f"{path}: {fault}" for path, fault in self._compare(run)]
        read = _name([path for path in self._paths if path not in self._unread])
        said = f"{read}: they carry these numbers" if read else "none was drawn"
        if self._unread:
            unread = f"{_name(sorted(self._unread))}: not compared, see below"
            said = f"{said}; {unread}" if read else unread
        return said, faults

    def _open(self, path: str, words: list[str]) -> Quarantine:
        script, module = _READERS[path.rpartition(".")[2]]
        return Quarantine(self._folder / path, script, (module,), words, self._limits)

    def _list_tools(self, kind: str) -> dict[str, str]:
        return compare_tools(self._then, self._now, kind)

    def _compare(self, run: StoredRun) -> Iterator[tuple[str, str]]:
        others: dict[str, list[str]] = {}
        volumes = _list_volumes(run)
        main = f"reports/{name_document(run.summary, 'pdf')}"
        whole: list[str] = []
        for path in self._paths:
            if path in volumes or path == main:
                faults = self._compare_pdf(path, run, volumes.get(path))
                yield from ((path, fault) for fault in faults)
                whole += [] if faults else [path]
            elif path == f"reports/{name_document(run.summary, 'xlsx')}":
                yield from ((path, fault) for fault in self._compare_workbook(path, run))
            else:
                kind = find_format(run.summary, path.rpartition("/")[2])
                others.setdefault(kind, []).append(path)
        if main in self._paths:
            for path in sorted(volumes.keys() - set(self._paths)):
                yield path, "is missing, and the PDF says that it stands beside it"
        for kind, paths in others.items():
            yield from self._compare_drawn(kind, paths, run)
        if whole:
            yield from self._compare_printed(whole, run)

    def _compare_drawn(
        self, kind: str, paths: Iterable[str], run: StoredRun
    ) -> Iterator[tuple[str, str]]:
        """
        Draw the documents of one format again, and hold those that were found against them.
        """
        if kind not in FORMATS or kind in _READERS:
            yield from ((path, _FOREIGN) for path in paths)
            return
        if missing := find_missing(kind):
            self._unread |= set(paths)
            self.partly += paths
            self.limits += [
                f"that {path} follows from the raw reports: {missing}" for path in paths
            ]
            return
        tools = self._list_tools(kind)
        with tempfile.TemporaryDirectory(prefix="orgproof-") as place:
            # These are copies of the stored tables, which another pyarrow may have written in other bytes.
            source = StoredRun(self._folder) if kind == "parquet" else run
            drawn = {f"reports/{path.name}": path for path in FORMATS[kind](source, Path(place))}
            for path in paths:
                fault = (
                    _find_difference(self._folder / path, drawn[path])
                    if path in drawn
                    else _FOREIGN
                )
                if fault and tools:
                    self._unread.add(path)
                    self._excuse(path, [fault], tools)
                elif fault:
                    yield path, fault

    def _excuse(self, path: str, faults: list[str], tools: Mapping[str, str]) -> None:
        """
        Say that a document differs and that other tools may be why: that is no fault, and shows nothing either.
        """
        more = f" (and {len(faults) - 1} more such differences)" if len(faults) > 1 else ""
        self.partly.append(path)
        self.limits.append(
            f"that {path} is what orgproof draws of this run: {faults[0]}{more}. By "
            f"documents.json it was drawn with other tools, which may be why: {name_tools(tools)}"
        )

    def _compare_workbook(self, path: str, run: StoredRun) -> list[str]:
        from scanner.reports.workbook_faults import compare_workbook  # noqa: PLC0415 - brings openpyxl along

        try:
            found = self._reading[path].finish()
        except EvidenceError as exc:
            return [str(exc).removeprefix(f"{self._folder / path}: ")]
        faults, firm = compare_workbook(found, run)
        tools = self._list_tools("xlsx")
        return self._weigh(path, faults, firm, tools)

    def _weigh(
        self, path: str, faults: list[str], firm: list[str], tools: Mapping[str, str]
    ) -> list[str]:
        """
        Return the faults of a document, and where other tools drew it those alone that they do not explain.
        """
        if not tools:
            return faults
        if faults and not firm:
            self._excuse(path, faults, tools)
        return firm

    def _compare_pdf(self, path: str, run: StoredRun, sentence: str | None) -> list[str]:
        """
        Return what is wrong with the main PDF, or with an annex volume, which says what it holds in a sentence.
        """
        try:
            if sentence is None:
                found = self._reading[path].finish()
            else:
                found = self._read(path, ["annex", self._seal])
        except EvidenceError as exc:
            return [str(exc).removeprefix(f"{self._folder / path}: ")]
        if sentence is None:
            faults, firm = compare_pdf(found, run)
        else:
            faults = firm = list(compare_volume(found, run, sentence))
        # Another font does not change what is written.
        tools = self._list_tools("pdf")
        return self._weigh(path, faults, firm, tools if tools.keys() & set(WORDING) else {})

    def _read(self, path: str, words: list[str]) -> dict[str, Any]:
        with self._open(path, words) as reading:
            return reading.finish()

    def _compare_printed(self, paths: list[str], run: StoredRun) -> Iterator[tuple[str, str]]:
        redrawing = Redrawing(self._folder, run, self._then, self._now, self._read)
        yield from redrawing.compare(paths, wanted=self._redraw)
        self.limits += redrawing.limits
        # Another version's PDF can be excused twice: for its figures, and for its pages.
        self.partly += [path for path in redrawing.partly if path not in self.partly]


def _name(paths: Iterable[str]) -> str:
    return ", ".join(path.rpartition("/")[2] for path in paths)


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
