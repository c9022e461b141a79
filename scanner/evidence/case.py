"""
One folder under examination: a run, or a judgement that was derived from one.

What a step of `scanner.evidence.verify` needs is read or derived when the first of them asks for it, and never
from a file that is not known to be safe to open.
"""

import tempfile
import traceback
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from scanner.errors import EvidenceError, OrgproofError
from scanner.evidence.inventory import DERIVED, Inventory, read_inventory
from scanner.evidence.population import Population, read_population
from scanner.evidence.previous import read_summary
from scanner.evidence.replica import Replica, Source, make_replica
from scanner.evidence.survey import Survey
from scanner.summary import Summary

JUDGEMENT = "judgement"
"""
What the manifest of a derived folder calls a judgement by other catalogs or acceptances.
"""


class SkippedStepError(Exception):
    """
    That a step has nothing to look at, or cannot look.
    """


class Case:
    """
    One folder under examination: a run, or a judgement that was derived from one.
    """

    def __init__(
        self, folder: Path, stack: ExitStack, found: Survey, derived_from: Source | None = None
    ) -> None:
        self.folder = folder
        self.found = found
        self._stack = stack
        self._derived_from = derived_from

    @cached_property
    def inventory(self) -> Inventory:
        """
        What the folder's own lists say is in it.
        """
        return read_inventory(
            self.folder,
            self.found,
            below=_is_derived_evidence if self._derived_from else _is_evidence,
            has_documents=lambda facts: not self._derived_from or facts.get("kind") == JUDGEMENT,
        )

    @cached_property
    def source(self) -> Source:
        """
        Where the tables come from. A run's id is what its manifest says: a kept folder may be called anything.
        """
        if self._derived_from is not None:
            return self._derived_from
        return Source(self.folder, self.folder / "raw", str(self.inventory.facts.get("run_id")))

    @cached_property
    def summary(self) -> Summary:
        """
        The totals as they are stored.
        """
        self.need("summary.json")
        return read_summary(self.folder / "summary.json")

    @cached_property
    def _made(self) -> Replica | OrgproofError:
        place = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="orgproof-")))
        try:
            return make_replica(self.source, place)
        except OrgproofError as exc:
            return exc
        except Exception as exc:  # noqa: BLE001 - as in `verify`: hostile input
            return EvidenceError(name_place(exc))

    @property
    def replica(self) -> Replica:
        """
        The tables and totals, derived again.
        """
        if isinstance(self._made, OrgproofError):
            raise EvidenceError(f"the tables cannot be derived again: {self._made}")
        return self._made

    @cached_property
    def population(self) -> Population:
        """
        The accounts that AWS listed, and what the folder says of each.
        """
        accounts = self.replica.choose("accounts")
        return read_population(self.folder, self.source.raw, accounts)

    def need(self, *names: str) -> None:
        """
        Raise `EvidenceError` unless these are regular files of sane sizes.
        """
        for name in names:
            if name in self.found.oddities:
                raise EvidenceError(f"{name}: {self.found.oddities[name]}, and is not opened")
            if name not in self.found.files:
                raise EvidenceError(f"{name}: is missing")

    def need_sane(self) -> None:
        """
        Skip the step when the folder holds what cannot be read safely.
        """
        if self.found.oddities:
            raise SkippedStepError("the folder holds what is not safe to read; see step 2")


def name_place(error: Exception) -> str:
    """
    Name an error that nobody foresaw by its kind and the line it comes from.
    """
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "scanner" in Path(frame.filename).parts] or frames
    return f"{type(error).__name__} in {Path(ours[-1].filename).name}, line {ours[-1].lineno}"


def _is_evidence(path: str) -> bool:
    return path == "summary.json" or path.startswith(("raw/", "inputs/", "tables/"))


def _is_derived_evidence(path: str) -> bool:
    return not path.startswith(("raw/", f"{DERIVED}/"))
