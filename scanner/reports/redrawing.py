"""
PDFs drawn again from what was derived, and compared byte for byte with those that were found.

A PDF can show something else than it says: a white field over a sentence is no text. So nothing but drawing it again
settles what it shows. Where it is not done, or other tools explain a difference, the seal is looked for on each of its pages, and it is said.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scanner.errors import EvidenceError, RenderError
from scanner.evidence import StoredRun
from scanner.evidence.store import read_file
from scanner.reports import draw_pdf
from scanner.reports.annexes import plan_annexes
from scanner.reports.pdf_faults import list_marks
from scanner.reports.toolchain import compare_tools, describe_fonts, name_tools

ROWS_LIMIT = 4_000
"""
With more findings and accounts on their pages PDFs are not drawn again: some 300 pages, and a minute or two.
"""

PAGES_LIMIT = 300
"""
Of how many pages in all the text is read where PDFs are not drawn again. A page takes 50 ms.
"""

_PLACES_NAMED = 3


class Redrawing:
    """
    The comparison of a run's PDFs. `read` opens one of them confined.

    Afterwards `limits` says what was not shown, and `partly` which documents were not compared whole.
    """

    def __init__(
        self,
        folder: Path,
        run: StoredRun,
        then: Mapping[str, str],
        now: Mapping[str, str],
        read: Callable[[str, list[str]], dict[str, Any]],
    ) -> None:
        self._folder = folder
        self._run = run
        self._then, self._now = then, now
        self._read = read
        self._room = PAGES_LIMIT
        self.limits: list[str] = []
        self.partly: list[str] = []

    def compare(self, paths: list[str], *, wanted: bool) -> Iterator[tuple[str, str]]:
        """
        Yield the paths of PDFs that are not what a run draws, each with what is wrong.
        """
        if reason := self._find_reason(wanted=wanted):
            yield from self._give_up(paths, reason)
            return
        with tempfile.TemporaryDirectory(prefix="orgproof-") as place:
            try:
                drawn = {f"reports/{path.name}": path for path in draw_pdf(self._run, Path(place))}
                tools = self._compare_tools(drawn)
            except RenderError as exc:
                yield from self._give_up(paths, f"it could not be drawn again: {exc}")
                return
            for path in paths:
                yield from self._hold(path, read_file(drawn[path]), tools)

    def _find_reason(self, *, wanted: bool) -> str | None:
        if not wanted:
            return "it was not drawn again, as was asked"
        rows = _count_rows(self._run)
        if rows > ROWS_LIMIT:
            return (
                f"with {rows:,} findings and accounts it is too long to draw again here; `orgproof render RUN "
                "--format pdf` draws it and compares"
            )
        return None

    def _compare_tools(self, drawn: Mapping[str, Path]) -> dict[str, str]:
        if not self._now:
            return {}
        now = {**self._now, **describe_fonts(drawn.values())}
        return compare_tools(self._then, now, "pdf", with_fonts=True)

    def _hold(self, path: str, drawn: bytes, tools: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        found = read_file(self._folder / path)
        if found == drawn:
            return
        if found.startswith(drawn):
            yield from self._hold_signature(path, len(drawn))
        elif tools:
            reason = f"it differs, and by documents.json it was drawn with other tools ({name_tools(tools)})"
            yield from self._give_up([path], reason)
        else:
            yield path, "is not, byte for byte, the document that follows from the raw reports"

    def _hold_signature(self, path: str, length: int) -> Iterator[tuple[str, str]]:
        """
        Yield what is wrong with bytes after those that were drawn: they may sign them, and change nothing.
        """
        try:
            found = self._read(path, ["revision", str(length)])
        except EvidenceError as exc:
            yield path, str(exc).removeprefix(f"{self._folder / path}: ")
            return
        if changed := found.get("changed"):
            named = ", ".join(changed[:_PLACES_NAMED])
            yield (
                path,
                f"was changed by what is appended to it ({named}), and a signature changes nothing",
            )
        elif not found.get("is_signed"):
            yield path, "goes on after its end, and what follows is no signature"
        else:
            self.limits.append(
                f"who signed {path}: it is the document that follows, with a signature of its own, which a reader of "
                "PDF checks"
            )

    def _give_up(self, paths: list[str], reason: str) -> Iterator[tuple[str, str]]:
        """
        Look for the seal on each page instead of drawing, and say that this is all.
        """
        for path in paths:
            try:
                found = self._read(path, ["text", self._run.manifest_sha256, str(self._room)])
            except EvidenceError as exc:
                yield path, str(exc).removeprefix(f"{self._folder / path}: ")
                continue
            if faults := list(list_marks(found, self._run)):
                yield from ((path, fault) for fault in faults)
                continue
            pages, read = found["pages"], min(found["pages"], self._room)
            self._room -= read
            unread = (
                f"; the text of its pages from {read + 1} on was not read" if read < pages else ""
            )
            self.partly.append(path)
            self.limits.append(
                f"that {path} shows on its pages what follows from the raw reports: {reason}. Its figures were read, "
                f"and its pages carry seal and number{unread}"
            )


def _count_rows(run: StoredRun) -> int:
    annexes = plan_annexes(run)
    are_printed = annexes.is_listed or annexes.holds_findings
    return run.summary.accounts.listed + (run.summary.findings if are_printed else 0)
