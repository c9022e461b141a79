"""
One scan, in the order of the job: discover, collect, store raw, judge, confirm, seal, render.

Follow one account: `scan` lists it, `_collect` has a collector read it and keep its raw answers,
`derive_tables` turns the stored bytes into rows and verdicts, `seal` fixes them, and each renderer draws
a document from the tables. An account that cannot be read walks the same way with its reason.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from scanner.evidence import Store, StoredRun
from scanner.evidence.replay import derive_tables
from scanner.evidence.seal import DOCUMENTS, DocumentList, check_seal, list_documents, seal
from scanner.evidence.store import hash_file, make_folder, make_run_folder, read_file
from scanner.frameworks import Framework
from scanner.interfaces import Clock, Collector, Directory, Executor, Progress
from scanner.model import Account, Caller, ScanRecord, Summary, Terms
from scanner.organization import (
    ORGANIZATION_FILE,
    check_selection,
    leave_out,
    read_answers,
    read_organization_id,
)
from scanner.records import decode, decode_object, encode

Renderer = Callable[[StoredRun, Path], list[Path]]
"""
Draws one kind of document from a finished run into a folder, and returns the files it wrote.
"""


@dataclass(frozen=True, slots=True)
class Job:
    """
    A scan, ready to run: what was asked for, and who does it.

    `inputs` holds the exact bytes of what the terms came from, by name under `inputs/`.
    """

    terms: Terms
    frameworks: tuple[Framework, ...]
    inputs: Mapping[str, bytes]
    output: Path
    directory: Directory
    collector_for: Callable[[Caller], Collector]
    executor: Executor
    clock: Clock
    renderers: Mapping[str, Renderer]
    progress: Progress
    tool_version: str


@dataclass(frozen=True, slots=True)
class Finished:
    """
    What a scan leaves: the run folder, its totals, and the documents drawn from it.
    """

    folder: Path
    summary: Summary
    documents: tuple[Path, ...]


def scan(job: Job) -> Finished:
    """
    Do the whole job once.

    Raises `DiscoveryError` or `SettingsError` before any account is read, `EvidenceError` when evidence
    cannot be stored or does not add up, `RenderError` when a document cannot be made from evidence that
    is whole. An interrupted scan is finished with what it has: it is sealed, and says so.
    """
    started = job.clock.now()
    job.progress.stage("discover")
    answers = job.directory.ask()
    described = decode_object(answers[ORGANIZATION_FILE], ORGANIZATION_FILE)
    store = Store.create(job.output, read_organization_id(described), job.terms.period, started)
    job.progress.opened(store.folder)
    for name, content in answers.items():
        store.keep(name, content)
    _keep_inputs(store, job)

    organization = read_answers(answers)
    check_selection(organization, job.terms.selection, job.terms.roles)

    selected = [
        account
        for account in organization.accounts
        if leave_out(account, job.terms.selection) is None
    ]
    job.progress.listed(len(organization.accounts), len(selected))
    job.progress.stage("collect")
    interrupted = _collect(job, store, job.collector_for(organization.caller), selected)
    record = ScanRecord(started, job.clock.now(), interrupted, job.tool_version)
    store.keep("scan.json", encode(record))

    job.progress.stage("judge")
    summary = derive_tables(store.folder)
    store.write("summary.json", encode(summary))
    job.progress.stage("seal")
    seal(store, summary)

    job.progress.stage("render")
    documents = render(store.folder, job.renderers)
    return Finished(store.folder, summary, documents)


def render(folder: Path, renderers: Mapping[str, Renderer]) -> tuple[Path, ...]:
    """
    Draw a run's documents into its `reports/` folder and list them in `documents.json`.
    """
    documents = _draw(StoredRun(folder), folder / "reports", renderers)
    Store(folder).write(DOCUMENTS, encode(list_documents(folder, documents)))
    return documents


def render_again(folder: Path, renderers: Mapping[str, Renderer], clock: Clock) -> "Redrawn":
    """
    Draw documents from a finished run once more. Nothing that is there already is changed.

    Into `reports/` when the run has none; else into `derived/<time>/`, and the result says whether they
    equal those of `documents.json`. Raises `EvidenceError` when the evidence is not what was sealed.
    """
    check_seal(folder)
    listed = folder / DOCUMENTS
    if not listed.exists() and not (folder / "reports").exists():
        return Redrawn(render(folder, renderers), None)
    target = make_run_folder(folder / "derived", clock.now())
    documents = _draw(StoredRun(folder), target, renderers)
    if not listed.exists():
        return Redrawn(documents, None)
    before = decode(DocumentList, read_file(listed), str(listed))
    hashes = {Path(entry.path).name: entry.sha256 for entry in before.documents}
    return Redrawn(documents, all(hashes.get(p.name) == hash_file(p) for p in documents))


@dataclass(frozen=True, slots=True)
class Redrawn:
    """
    Documents drawn once more. `is_same` is None when there was nothing to compare them with.
    """

    documents: tuple[Path, ...]
    is_same: bool | None


def _draw(run: StoredRun, folder: Path, renderers: Mapping[str, Renderer]) -> tuple[Path, ...]:
    make_folder(folder)
    return tuple(path for draw in renderers.values() for path in draw(run, folder))


def _keep_inputs(store: Store, job: Job) -> None:
    store.write("inputs/settings.json", encode(job.terms))
    for framework in job.frameworks:
        store.write(f"inputs/frameworks/{framework.id}.yaml", framework.source)
    for name, content in job.inputs.items():
        store.write(f"inputs/{name}", content)


def _collect(job: Job, store: Store, collector: Collector, selected: Sequence[Account]) -> bool:
    """
    Read the selected accounts; return whether the scan was interrupted before all had their outcome.
    """
    steps = (collector.collect(account, store.keep_for(account.id)) for account in selected)
    outcomes = job.executor.run(steps)
    try:
        with closing(outcomes):
            for outcome in outcomes:
                job.progress.collected(outcome)
    except KeyboardInterrupt:
        # Accounts in flight finish their step and may have stored their outcome; the others have none,
        # and are found to be interrupted when the folder is read.
        return True
    return False
