"""
One scan, in the order of the job: discover, collect, store raw, judge, confirm, seal, render.

Follow one account: `scan` lists it, `_collect` has a collector read it and keep its raw answers,
`derive_tables` turns the stored bytes into rows and verdicts, `seal` fixes them, and each renderer draws
a document from the tables. An account that cannot be read walks the same way with its reason.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from scanner import __version__
from scanner.acceptances import AcceptanceFile
from scanner.errors import SettingsError
from scanner.evidence import Store, StoredRun
from scanner.evidence.derived import seal_derived
from scanner.evidence.previous import Search, find_previous, name_inputs, take_previous
from scanner.evidence.replay import ACCEPTANCES_FILE, NOTES_FILE, derive_tables
from scanner.evidence.run import SETTINGS_JSON, is_catalog, name_catalogs
from scanner.evidence.seal import DOCUMENTS, DocumentList, check_seal, list_documents, seal
from scanner.evidence.store import hash_file, make_folder, make_run_folder, read_file
from scanner.frameworks import Framework
from scanner.interfaces import Clock, Collector, Directory, Executor, Progress
from scanner.model import (
    Account,
    Caller,
    Notes,
    ScanRecord,
    Terms,
)
from scanner.organization import (
    ORGANIZATION_FILE,
    TAGS_FILE,
    check_selection,
    leave_out,
    read_answers,
    read_organization_id,
    read_tags,
)
from scanner.records import decode, decode_object, encode
from scanner.scopes import resolve_scopes
from scanner.summary import Summary

Renderer = Callable[[StoredRun, Path], list[Path]]
"""
Draws one kind of document from a finished run into a folder, and returns the files it wrote.
"""


@dataclass(frozen=True, slots=True)
class Job:
    """
    A scan, ready to run: what was asked for, and who does it.

    `inputs` holds the exact bytes of what the terms came from, by name under `inputs/`. `previous` is the run
    to compare with, None for the newest under the same output folder.
    """

    terms: Terms
    frameworks: tuple[Framework, ...]
    acceptances: AcceptanceFile | None
    inputs: Mapping[str, bytes]
    output: Path
    previous: Path | None
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
    answers = job.directory.ask(with_tags=any(rule.tags for rule in job.terms.scopes))
    described = decode_object(answers[ORGANIZATION_FILE], ORGANIZATION_FILE)
    store = Store.create(job.output, read_organization_id(described), job.terms.period, started)
    job.progress.opened(store.folder)
    for name, content in answers.items():
        store.keep(name, content)

    organization = read_answers(answers)
    check_selection(organization, job.terms.selection, job.terms.roles)
    tags = read_tags(answers[TAGS_FILE]) if TAGS_FILE in answers else {}
    resolve_scopes(job.terms.frameworks, job.terms.scopes, organization, tags)
    _keep_inputs(store, job, started)

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


def judge_again(
    folder: Path,
    frameworks: tuple[Framework, ...] | None,
    acceptances: AcceptanceFile | None,
    renderers: Mapping[str, Renderer],
    clock: Clock,
) -> Finished:
    """
    Judge a finished run's raw answers again, by other catalogs or acceptances, and draw its documents.

    All of it goes into `derived/<time>/`, with its own manifest, which names the run; the run itself stays
    as it was. None leaves the run's own frameworks or acceptances in force; acceptances are held to the
    day of this judgement. Raises `EvidenceError` when the evidence is not what was sealed.
    """
    if not (folder / "raw").is_dir():
        raise SettingsError(
            f"{folder}: holds no raw reports, for it was derived from a run; give the run itself"
        )
    check_seal(folder, with_raw=True)
    now = clock.now()
    run = StoredRun(folder)
    store = Store(make_run_folder(folder / "derived", now))
    inputs = run.read_inputs()
    if frameworks is not None:
        inputs = {name: content for name, content in inputs.items() if not is_catalog(name)}
        terms = decode(Terms, inputs[SETTINGS_JSON], f"inputs/{SETTINGS_JSON}")
        names = tuple(framework.id for framework in frameworks)
        inputs[SETTINGS_JSON] = encode(replace(terms, frameworks=names))
        inputs |= name_catalogs(frameworks)
    if acceptances is not None:
        inputs[ACCEPTANCES_FILE] = acceptances.source
    notes = decode(Notes, inputs[NOTES_FILE], f"inputs/{NOTES_FILE}")
    inputs[NOTES_FILE] = encode(replace(notes, judged=now))
    for name, content in inputs.items():
        store.write(f"inputs/{name}", content)
    summary = derive_tables(
        store.folder,
        raw=folder / "raw",
        parent=run.manifest_sha256,
        run_id=run.summary.run_id,
    )
    store.write("summary.json", encode(summary))
    facts = {
        "kind": "judgement",
        "judged": now.isoformat().replace("+00:00", "Z"),
        "tool": {"name": "orgproof", "version": __version__},
    }
    seal_derived(store.folder, folder, facts)
    return Finished(store.folder, summary, render(store.folder, renderers))


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


def _keep_inputs(store: Store, job: Job, started: datetime) -> None:
    """
    Keep the exact bytes of everything the run will be judged by.
    """
    organization = store.folder.parents[1]
    search = Search(job.previous, ()) if job.previous else find_previous(organization, started)
    inputs = {
        SETTINGS_JSON: encode(job.terms),
        NOTES_FILE: encode(Notes(started, search.warnings)),
        **name_catalogs(job.frameworks),
        **job.inputs,
    }
    if job.acceptances:
        inputs[ACCEPTANCES_FILE] = job.acceptances.source
    if search.folder:
        inputs |= name_inputs(_take_previous(search.folder, organization.name, started))
    for name, content in inputs.items():
        store.write(f"inputs/{name}", content)


def _take_previous(folder: Path, organization: str, started: datetime) -> Mapping[str, bytes]:
    taken = take_previous(folder)
    before = decode(Summary, taken["summary.json"], str(folder / "summary.json"))
    if before.window.started > started:
        raise SettingsError(
            f"previous run {folder}: began after this one; give an earlier run, or set the clock right"
        )
    if before.organization_id != organization:
        raise SettingsError(
            f"previous run {folder}: belongs to organization {before.organization_id}; give one of this "
            "organization"
        )
    return taken


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
