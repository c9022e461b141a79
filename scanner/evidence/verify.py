"""
Is this evidence whole, unchanged, and do its numbers follow from its raw reports? Ten steps, offline.

 1. Files and hashes: everything that is listed is there, byte for byte, and the lists agree with each other.
 2. Nothing extra: no file, folder, link or device that nothing lists.
 3. Signature: the key that was given signed this manifest and this list of documents.
 4. Chain: the copy of the run before is whole, and is that run.
 5. Accounts: every account that AWS listed has one outcome.
 6. Raw reports: each belongs to its account, and so does every row.
 7. Tables: derived again from the raw reports, they equal the stored ones, and so do the totals.
 8. Totals: every total is the sum of its parts, and the manifest says the same as the summary.
 9. Documents: each carries the numbers that were derived, and is what is drawn of them, where the same tools are here.
10. Derived later: what was judged or drawn again from this run stands the same tests.

The folder is hostile input. It is surveyed before anything in it is opened; steps 5 to 10 read it only when that
found nothing but regular files of sane sizes. A step that fails does not stop the others.

What this does not prove: without a signature, or a seal that was published where the writer could not reach
it, whoever can write the folder can make all of it again, and it verifies.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Protocol

import pyarrow.parquet as pq

from scanner.errors import EvidenceError, OrgproofError, SettingsError
from scanner.evidence.case import JUDGEMENT, Case, SkippedStepError, name_place
from scanner.evidence.chain import check_copy, check_given
from scanner.evidence.inventory import (
    DERIVED,
    check_files,
    find_extra,
    find_odd,
)
from scanner.evidence.population import (
    check_accounts,
    check_reports,
    check_rows,
    count_reports,
    find_strays,
)
from scanner.evidence.replica import (
    TABLES,
    Source,
    compare_summaries,
    compare_tables,
    list_rewritten,
)
from scanner.evidence.run import StoredRun
from scanner.evidence.seal import (
    DOCUMENTS,
    DOCUMENTS_SIGNATURE,
    MANIFEST,
    SIGNATURE,
    describe_run,
)
from scanner.evidence.signature import (
    MAX_ENVELOPE_BYTES,
    inspect_envelope,
    read_public_key,
    verify_envelope,
)
from scanner.evidence.survey import read_regular, survey
from scanner.evidence.totals import check_totals

DETAILS_LIMIT = 25
"""
How many faults one step names; the others are counted.
"""


class Result(StrEnum):
    """
    How a step ended.
    """

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step and its result.

    `said` is what was looked at, or why it was not; `faults` name the file, account or field; `limits` say what
    a step that went well did not show, and `partly` names the documents of which something was not compared.
    """

    number: int
    title: str
    result: Result
    said: str
    faults: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()


class DocumentsCheck(Protocol):
    """
    Documents that are being read back.

    After that `limits` says what could not be shown and why, and `partly` holds the paths of those that could not
    be compared whole.
    """

    limits: list[str]
    partly: list[str]

    def finish(self, run: StoredRun) -> tuple[str, list[str]]:
        """
        Say what was read, and what of it does not agree with a run's totals and tables.
        """
        ...


ReadDocuments = Callable[[ExitStack, Path, Iterable[str], str, Mapping[str, str]], DocumentsCheck]
"""
Begins to read documents back: what it starts ends with the stack. It is given the folder, paths below it, the seal,
and what the documents were made with, as their list says.
"""


@dataclass(slots=True)
class _Findings:
    """
    What a step found so far.
    """

    said: str = ""
    faults: list[str] = field(default_factory=list)
    more: int = 0
    limits: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)

    def add(self, faults: Iterable[str], prefix: str = "") -> None:
        """
        Take faults over, and count those beyond the limit.
        """
        faults = iter(faults)
        room = DETAILS_LIMIT - len(self.faults)
        self.faults += [f"{prefix}{fault}" for fault in islice(faults, max(room, 0))]
        self.more += sum(1 for _ in faults)


def verify_run(
    folder: Path,
    *,
    public_key: bytes | None = None,
    previous: Path | None = None,
    read_documents: ReadDocuments | None = None,
) -> Iterator[Step]:
    """
    Examine a run folder and yield each step when it is done. Nothing in the folder is changed.

    `public_key` is PEM, `previous` the folder of the run before. Documents are read back only with
    `read_documents`. Raises `SettingsError` when the folder cannot be looked at or the key cannot be used, and
    nothing else: whatever is wrong with the evidence fails a step.
    """
    try:
        found = survey(folder)
    except EvidenceError as exc:
        raise SettingsError(str(exc)) from exc
    if public_key is not None:
        read_public_key(public_key)
    with ExitStack() as stack:
        case = Case(folder, stack, found)
        documents = _start_documents(case, stack, read_documents)
        steps: tuple[tuple[str, Callable[[_Findings], None]], ...] = (
            ("files and hashes", lambda said: _check_files(case, said)),
            ("nothing extra", lambda said: _check_extra(case, said)),
            ("signature", lambda said: _check_signature(case, public_key, said)),
            ("chain", lambda said: _check_chain(case, previous, said)),
            ("accounts", lambda said: _check_accounts(case, said)),
            ("raw reports", lambda said: _check_reports(case, said)),
            ("tables", lambda said: _check_tables(case, said)),
            ("totals", lambda said: _check_totals(case, said)),
            ("documents", lambda said: _check_documents(case, documents, said)),
            ("derived later", lambda said: _check_derived(case, stack, read_documents, said)),
        )
        for number, (title, examine) in enumerate(steps, 1):
            yield _take(number, title, examine)


def _take(number: int, title: str, examine: Callable[[_Findings], None]) -> Step:
    """
    Take one step. Whatever goes wrong in it is its result, and no reason to leave out the next.
    """
    said = _Findings()
    try:
        examine(said)
    except SkippedStepError as exc:
        return Step(number, title, Result.SKIPPED, str(exc), limits=tuple(said.limits))
    except OrgproofError as exc:
        said.add(str(exc).splitlines())
    except Exception as exc:  # noqa: BLE001 - hostile input must end in a failed step, whatever it breaks
        said.add([f"cannot be read: {name_place(exc)}; this is no evidence that orgproof wrote"])
    faults = tuple(said.faults)
    if said.more:
        faults += (f"and {said.more:,} more",)
    result = Result.FAILED if faults else Result.OK
    return Step(number, title, result, said.said, faults, tuple(said.limits), tuple(said.partly))


def _check_files(case: Case, said: _Findings) -> None:
    inventory = case.inventory
    said.add(inventory.problems)
    said.add(check_files(case.folder, inventory.files, case.found))
    documents = inventory.documents.documents if inventory.documents else ()
    said.add(check_files(case.folder, documents, case.found))
    size = sum(entry.size for entry in (*inventory.files, *documents))
    said.said = (
        f"{_count(len(inventory.files), 'file')} and {_count(len(documents), 'document')}, "
        f"{size / 1e6:,.1f} MB"
    )


def _check_extra(case: Case, said: _Findings) -> None:
    said.add(find_odd(case.found))
    try:
        said.add(find_extra(case.found, case.inventory))
    except EvidenceError:
        said.add([f"{MANIFEST}: cannot be read, so nobody can say what belongs here"])
    said.said = f"{_count(len(case.found.files), 'file')} and nothing else"


def _check_signature(case: Case, public_key: bytes | None, said: _Findings) -> None:
    envelopes = {MANIFEST: SIGNATURE, DOCUMENTS: DOCUMENTS_SIGNATURE}
    present = [name for name, envelope in envelopes.items() if envelope in case.found.files]
    if public_key is None and not present:
        said.limits.append(
            "who sealed it: the run is not signed, so whoever can write to the folder can make all of it again"
        )
        raise SkippedStepError("the run is not signed, and no key was given")
    keys = set()
    for name, envelope in envelopes.items():
        if envelope not in case.found.files:
            said.add([f"{envelope}: is missing, so {name} is not signed"])
            continue
        case.need(envelope, name)
        content = read_regular(case.folder / name, case.found.files[name])
        signed = read_regular(case.folder / envelope, MAX_ENVELOPE_BYTES)
        try:
            keys.add(
                inspect_envelope(signed, name, content)
                if public_key is None
                else verify_envelope(signed, public_key, name, content)
            )
        except EvidenceError as exc:
            said.add([str(exc)])
    named = ", ".join(sorted(keys)) or "none"
    said.said = f"by key {named}"
    if public_key is None and not said.faults:
        said.limits.append(
            f"who sealed it: the signature names key {named} and was not checked; give --public-key"
        )
        raise SkippedStepError(
            f"signed by key {named}, and no --public-key was given to check it with"
        )


def _check_chain(case: Case, previous: Path | None, said: _Findings) -> None:
    case.need_sane()
    summary = case.summary
    said.add(check_copy(case.folder, summary))
    named = summary.previous
    if named is None and previous is None:
        said.said = "there is no run before this one"
    elif named is not None:
        said.said = f"after run {named.run_id} of {named.period}, seal {named.manifest_sha256}"
    if summary.continues is not None:
        before = summary.continues
        said.said += f"; completes run {before.run_id}, seal {before.manifest_sha256}"
    if previous is not None:
        _check_previous(case, previous, said)
    elif named is not None:
        said.limits.append(
            "that the run before was sealed so: the chain was checked against the copy in inputs/previous "
            "alone; give --previous"
        )


def _check_previous(case: Case, previous: Path, said: _Findings) -> None:
    """
    Hold the run that was given against the one that is named, file by file.
    """
    found = survey(previous)
    before = Case(previous, ExitStack(), found)
    inventory = before.inventory
    said.add(check_given(previous, case.summary.previous, inventory.sha256))
    inner = _Findings()
    _check_files(before, inner)
    _check_extra(before, inner)
    said.add(inner.faults, f"{previous}: ")
    said.more += inner.more
    said.said += ", and that run's files are whole"


def _check_accounts(case: Case, said: _Findings) -> None:
    case.need_sane()
    population = case.population
    said.add(check_accounts(population))
    said.add(find_strays(population.raw))
    said.said = (
        f"{_count(len(population.organization.accounts), 'account')} listed, each with one outcome"
    )


def _check_reports(case: Case, said: _Findings) -> None:
    case.need_sane()
    said.add(check_reports(case.population))
    said.add(check_rows(case.population, case.replica.choose("users")))
    said.said = f"{_count(count_reports(case.population), 'raw report')}, each of its own account"


def _check_tables(case: Case, said: _Findings) -> None:
    case.need_sane()
    replica = case.replica
    said.add(compare_tables(replica))
    said.add(_compare_names(case))
    case.need("summary.json")
    said.add(compare_summaries(replica))
    rewritten = list_rewritten(replica) if not said.faults else []
    said.said = f"{_count(len(TABLES), 'table')} and the totals, derived again from the raw reports"
    if rewritten:
        said.said += f"; {', '.join(rewritten)} equal in content and not in bytes, so another pyarrow wrote them"


def _compare_names(case: Case) -> Iterator[str]:
    expected = {f"tables/{table}.parquet" for table in TABLES}
    for path in sorted(
        {path for path in case.found.files if path.startswith("tables/")} - expected
    ):
        yield f"{path}: is no table of a run"


def _check_totals(case: Case, said: _Findings) -> None:
    case.need_sane()
    summary = case.summary
    try:
        check_totals(summary)
    except EvidenceError as exc:
        said.add([f"summary.json: {exc}"])
    counted = {
        table: pq.read_metadata(case.replica.choose(table)).num_rows
        for table in ("accounts", "users", "findings")
    }
    for table, total, what in (
        ("accounts", summary.accounts.listed, "accounts listed"),
        ("users", summary.users.users + summary.users.roots, "users and root users"),
        ("findings", summary.findings, "findings"),
    ):
        if counted[table] != total:
            said.add(
                [
                    f"tables/{table}.parquet: has {counted[table]:,} rows; summary.json counts {total:,} {what}"
                ]
            )
    if sum(summary.findings_by_verdict.values()) != summary.findings:
        said.add(["summary.json: findings_by_verdict does not add up to findings"])
    if not case.source.parent:
        said.add(_compare_facts(case))
    said.said = (
        f"{_count(summary.accounts.listed, 'account')}, "
        f"{_count(summary.users.users, 'user')}, {_count(summary.findings, 'finding')}; "
        "each total is the sum of its parts"
    )


def _compare_facts(case: Case) -> Iterator[str]:
    """
    Yield each fact of the manifest that is not the summary's.
    """
    stated = case.inventory.facts
    due = describe_run(case.summary, case.replica.run.frameworks)
    for name in sorted({*stated, *due}):
        if name not in stated or name not in due or stated[name] != due[name]:
            yield f"{MANIFEST}: {name} is not what summary.json says"


def _start_documents(
    case: Case, stack: ExitStack, read_documents: ReadDocuments | None
) -> DocumentsCheck | None:
    """
    Begin to read documents back while the other steps are taken: it needs as long as all of them.
    """
    if read_documents is None or case.found.oddities:
        return None
    try:
        documents = case.inventory.documents
        if documents is None:
            return None
        paths = [entry.path for entry in documents.documents if entry.path in case.found.files]
        seal = case.inventory.sha256
        return read_documents(stack, case.folder, paths, seal, documents.made_with)
    except OrgproofError:
        # Step 1 says what is wrong.
        return None


def _check_documents(case: Case, documents: DocumentsCheck | None, said: _Findings) -> None:
    case.need_sane()
    listed = case.inventory.documents
    if listed is None:
        raise EvidenceError(f"{DOCUMENTS}: cannot be read, so no document is known")
    if documents is None:
        said.limits.append("that the documents carry these numbers: they were not read back")
        raise SkippedStepError("the documents were not read back")
    said.said, faults = documents.finish(case.replica.run)
    said.add(faults)
    said.limits += documents.limits
    said.partly += documents.partly


def _check_derived(
    case: Case, stack: ExitStack, read_documents: ReadDocuments | None, said: _Findings
) -> None:
    inside = {path for path in case.found.folders if path.startswith(f"{DERIVED}/")}
    names = sorted(path for path in inside if path.count("/") == 1)
    loose = [path for path in case.found.files if path.startswith(f"{DERIVED}/")]
    said.add(
        f"{path}: lies in no folder that has a manifest; remove it"
        for path in sorted(loose)
        if path.count("/") == 1
    )
    if DERIVED in case.found.folders and not names:
        said.add([f"{DERIVED}: is empty; remove it"])
    if not names and not said.faults:
        raise SkippedStepError("nothing was derived later")
    for name in names:
        inner = _Findings()
        _examine_derived(case, case.folder / name, stack, read_documents, inner)
        said.add(inner.faults, f"{name}/")
        said.more += inner.more
        said.limits += [limit for limit in inner.limits if limit not in said.limits]
        said.partly += [f"{name}/{path}" for path in inner.partly]
    said.said = f"{_count(len(names), 'folder')}, each of this run"


def _examine_derived(
    run: Case,
    folder: Path,
    stack: ExitStack,
    read_documents: ReadDocuments | None,
    said: _Findings,
) -> None:
    """
    Take the steps that a derived folder has, and stop where one cannot be taken.
    """
    try:
        found = survey(folder)
        seal = run.inventory.sha256
        run_id = str(run.inventory.facts.get("run_id"))
        case = Case(folder, stack, found, Source(folder, run.source.raw, run_id, seal))
        _check_files(case, said)
        _check_extra(case, said)
        if case.inventory.facts.get("run") != {"run_id": run_id, "manifest_sha256": seal}:
            said.add([f"{MANIFEST}: does not name this run by its id and seal"])
        if case.inventory.facts.get("kind") != JUDGEMENT:
            return
        run.need_sane()
        documents = _start_documents(case, stack, read_documents)
        for examine in (_check_tables, _check_totals):
            examine(case, said)
        if documents is not None:
            _, faults = documents.finish(case.replica.run)
            said.add(faults)
            said.limits += documents.limits
            said.partly += documents.partly
    except (OrgproofError, SkippedStepError) as exc:
        said.add(str(exc).splitlines())


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def conclude(steps: Iterable[Step]) -> bool:
    """
    Tell whether evidence verifies: no step failed, and the files were looked at.
    """
    results: Mapping[int, Result] = {step.number: step.result for step in steps}
    return results.get(1) is Result.OK and Result.FAILED not in results.values()
