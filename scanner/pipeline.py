"""
One scan, in the order of the job: discover, collect, store raw, judge, confirm, seal, render.

Follow one account: `_list` finds it, `_collect` has a collector read it and keep its raw answers, while AWS lists on,
`derive_tables` turns the stored bytes into rows and verdicts, `seal` fixes them, and each renderer draws
a document from the tables. An account that cannot be read walks the same way with its reason. A scan that
was stopped goes on where it was: `resume`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from scanner import __version__
from scanner.acceptances import AcceptanceFile
from scanner.errors import DiscoveryError, SettingsError
from scanner.evidence import Store, StoredRun
from scanner.evidence.derived import seal_derived, stage_derived
from scanner.evidence.documents import (
    Comparison,
    clear_documents,
    compare_documents,
    list_documents,
    write_documents,
)
from scanner.evidence.previous import Search, find_previous, name_inputs, take_previous
from scanner.evidence.replay import ACCEPTANCES_FILE, NOTES_FILE, derive_tables
from scanner.evidence.resumption import (
    check_unsealed,
    clear_derived,
    clear_partial,
    is_listed,
    is_sealed,
    list_missing,
    list_selected,
    read_task,
    read_terms,
    set_listing_aside,
    set_strangers_aside,
    take_over,
)
from scanner.evidence.run import SETTINGS_JSON, is_catalog, name_catalogs
from scanner.evidence.seal import DOCUMENTS, check_seal, seal
from scanner.evidence.sittings import name_answer, name_began, name_ended, read_sittings
from scanner.evidence.store import discard, hold, make_folder, name_place, read_file, stage_run
from scanner.frameworks import Framework
from scanner.interfaces import Clock, Collector, Directory, Executor, Progress, Signer, Steps
from scanner.listing import Listed, Listing
from scanner.model import (
    Caller,
    Collected,
    NotCollected,
    Notes,
    Outcome,
    SittingBegan,
    SittingEnded,
    Terms,
)
from scanner.organization import (
    ACCOUNTS_FILE,
    CALLER_FILE,
    ORGANIZATION_FILE,
    TAGS_FILE,
    check_selection,
    read_answers,
    read_caller,
    read_organization_id,
    read_tags,
)
from scanner.records import decode, decode_object, encode, write_moment
from scanner.scopes import resolve_scopes
from scanner.summary import Summary

Renderer = Callable[[StoredRun, Path], list[Path]]
"""
Draws one kind of document from a finished run into a folder, and returns the files it wrote.
"""


@dataclass(frozen=True, slots=True)
class Order:
    """
    What is asked of a scan: its terms, and what it is to be judged by.

    `inputs` holds the exact bytes of what the terms came from, by name under `inputs/`. `previous` is the run
    to compare with, None for the newest under the same output folder.
    """

    terms: Terms
    frameworks: tuple[Framework, ...]
    acceptances: AcceptanceFile | None
    inputs: Mapping[str, bytes]
    output: Path
    previous: Path | None


@dataclass(frozen=True, slots=True)
class Press:
    """
    What documents are drawn with: a renderer for each format.

    `describe_tools` names the programs, libraries and fonts behind documents, with their versions. `compare` says how
    a document differs from an earlier one, None where only its bytes do. `signer` signs their list. `drawing` is told
    of each format before its documents are drawn. See `Progress.drawing`. `extras` says of which formats a document
    holds more than the run, and what: it is never drawn into a run's own reports.
    """

    renderers: Mapping[str, Renderer]
    describe_tools: Callable[[Sequence[Path]], Mapping[str, str]]
    compare: Callable[[Path, Path], str | None]
    signer: Signer | None = None
    drawing: Callable[[str, int, int], None] = lambda _name, _number, _total: None
    extras: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Means:
    """
    Who does the job: an implementation for every seam. `signer` is None where nothing is to be signed.
    """

    directory: Directory
    collector_for: Callable[[Caller], Collector]
    executor: Executor
    clock: Clock
    signer: Signer | None
    press: Press
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


def scan(order: Order, means: Means) -> Finished:
    """
    Do the whole job once.

    Raises `DiscoveryError` or `SettingsError` before any account is read, `EvidenceError` when evidence
    cannot be stored or does not add up, `RenderError` when a document cannot be made from evidence that
    is whole. An interrupted scan is finished with what it has: it is sealed, and says so.
    """
    terms, started = order.terms, means.clock.now()
    means.progress.stage("discover")
    answers = means.directory.identify()
    caller = read_caller(decode_object(answers[CALLER_FILE], CALLER_FILE))
    described = decode_object(answers[ORGANIZATION_FILE], ORGANIZATION_FILE)
    place = name_place(order.output, read_organization_id(described), terms.period)
    with stage_run(place, started) as store:
        for name, content in answers.items():
            store.keep(name, content)
        _keep_inputs(store, order, place.parent, started)
        _begin_sitting(store, means, 1, caller, started)
    with hold(store.folder, is_new=True):
        listing = Listing(terms)
        try:
            _collect(store, means, 1, caller, listing, _list(store, means, 1, listing))
        except (DiscoveryError, SettingsError, KeyboardInterrupt):
            if not listing.has_begun:
                discard(store.folder)  # it holds nothing that the next scan would not ask for again
            raise
        return _conclude(store, means)


def resume(folder: Path, means: Means, *, retry_failed: bool = False) -> Finished:
    """
    Go on with a run that was stopped: collect what is missing or failed for a passing reason, and finish it.

    With `retry_failed` every account that could not be read is tried again. A run that is not sealed is
    finished in its own folder. A sealed one never changes: what it holds is taken over into a new run beside
    it, which names it. Raises `SettingsError` when there is nothing to resume, the caller belongs to another
    organization or somebody else is at work in the run, and `SealError` when it is not what was sealed.
    """
    started = means.clock.now()
    read_terms(folder)  # what is no run folder is left alone
    with hold(folder):
        clear_partial(folder)
        if not is_sealed(folder):
            check_unsealed(folder)
            means.progress.opened(folder)
            clear_derived(folder)
            return _go_on(Store(folder), means, started, retry_failed=retry_failed)
        check_seal(folder, with_raw=True)
        if StoredRun(folder).signed_by and means.signer is None:
            raise SettingsError(f"{folder}: is signed; give the key to sign with as well")
        is_drawn = (folder / DOCUMENTS).exists()
        documents = () if is_drawn else render(folder, means.press)
        if not list_missing(read_task(folder), retry_failed=retry_failed):
            if is_drawn:
                raise SettingsError(
                    f"{folder}: is finished, and no account in it is to be read again"
                )
            return Finished(folder, StoredRun(folder).summary, documents)
        _ask_caller(folder, means)
        with stage_run(folder.parent, started) as store:
            take_over(folder, store)
    with hold(store.folder, is_new=True):
        means.progress.opened(store.folder)
        return _go_on(store, means, started, retry_failed=retry_failed)


def render(folder: Path, press: Press) -> tuple[Path, ...]:
    """
    Draw a sealed run's documents into its `reports/` folder and list them in `documents.json`.

    What an earlier attempt drew and never listed is drawn anew.
    """
    clear_documents(folder)
    documents = _draw(StoredRun(folder), folder / "reports", press)
    listed = list_documents(folder, documents, press.describe_tools(documents))
    write_documents(folder, listed, press.signer)
    return documents


def render_again(folder: Path, press: Press, clock: Clock) -> "Redrawn":
    """
    Draw documents from a finished run once more. Nothing that is listed already is changed.

    Into `reports/` when the run lists no documents; else into `derived/<time>/`, with a manifest of its own
    that names the run, and compared with those that the run lists. Raises `EvidenceError` when the evidence is
    not what was sealed.
    """
    check_seal(folder)
    if not (folder / DOCUMENTS).exists():
        if press.extras:
            raise SettingsError(
                f"{folder}: its own documents were not drawn yet, and they hold the run alone; draw them first "
                "with `orgproof render RUN`"
            )
        if StoredRun(folder).signed_by and press.signer is None:
            raise SettingsError(
                f"{folder}: is signed, and so must the list of its documents be; draw them with "
                "`orgproof scan --resume` and the key"
            )
        with hold(folder):
            clear_partial(folder)
            return Redrawn(render(folder, press), None)
    now = clock.now()
    with stage_derived(folder, now) as store:
        drawn = _draw(StoredRun(folder), store.folder, press)
        made_with = press.describe_tools(drawn)
        facts = {"kind": "documents", "drawn": write_moment(now), "made_with": dict(made_with)}
        seal_derived(store.folder, folder, facts | _list_extras(press))
        # A document that holds more than the run cannot be the one that the run lists.
        alike = [path for path in drawn if path.suffix[1:] not in press.extras]
        comparison = compare_documents(folder, alike, made_with, press.compare) if alike else None
        names = [path.name for path in drawn]
    return Redrawn(tuple(store.folder / name for name in names), comparison)


def judge_again(
    folder: Path,
    frameworks: tuple[Framework, ...] | None,
    acceptances: AcceptanceFile | None,
    press: Press,
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
    facts = {
        "kind": "judgement",
        "judged": write_moment(now),
        "tool": {"name": "orgproof", "version": __version__},
    }
    with stage_derived(folder, now) as store:
        for name, content in inputs.items():
            store.write(f"inputs/{name}", content)
        summary = derive_tables(
            store.folder,
            raw=folder / "raw",
            parent=run.manifest_sha256,
            run_id=run.summary.run_id,
        )
        store.write("summary.json", encode(summary))
        seal_derived(store.folder, folder, facts | _list_extras(press))
        documents = [path.name for path in render(store.folder, press)]
    reports = store.folder / "reports"
    return Finished(store.folder, summary, tuple(reports / name for name in documents))


@dataclass(frozen=True, slots=True)
class Redrawn:
    """
    Documents drawn once more, and how they compare; None when there was nothing to compare them with.
    """

    documents: tuple[Path, ...]
    comparison: Comparison | None


def _list_extras(press: Press) -> dict[str, object]:
    return {name: fact for facts in press.extras.values() for name, fact in facts.items()}


def _draw(run: StoredRun, folder: Path, press: Press) -> tuple[Path, ...]:
    make_folder(folder)
    drawn: list[Path] = []
    for number, (name, draw) in enumerate(press.renderers.items(), 1):
        press.drawing(name, number, len(press.renderers))
        drawn += draw(run, folder)
    return tuple(drawn)


def _keep_inputs(store: Store, order: Order, organization: Path, started: datetime) -> None:
    """
    Keep the exact bytes of everything the run will be judged by. `organization` is the folder of all its runs.
    """
    search = Search(order.previous, ()) if order.previous else find_previous(organization, started)
    inputs = {
        SETTINGS_JSON: encode(order.terms),
        NOTES_FILE: encode(Notes(started, search.warnings)),
        **name_catalogs(order.frameworks),
        **order.inputs,
    }
    if order.acceptances:
        inputs[ACCEPTANCES_FILE] = order.acceptances.source
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


def _begin_sitting(
    store: Store, means: Means, number: int, caller: Caller, started: datetime
) -> None:
    began = SittingBegan(started, caller.arn, means.tool_version)
    store.keep(name_began(number), encode(began))


def _collect(  # noqa: PLR0913, PLR0917 - what a sitting consists of
    store: Store,
    means: Means,
    number: int,
    caller: Caller,
    listing: Listing,
    lister: Steps[Listed] | None = None,
) -> None:
    """
    Read accounts, and say when this sitting ended and whether it was interrupted before all had their outcome.

    `lister` fills the listing meanwhile, None where it is whole already. A scan that is stopped before the list was
    whole raises what stopped it: nobody can say yet which accounts it lacks.
    """
    means.progress.stage("collect")
    is_whole = lister is None
    try:
        jobs = _name_jobs(store, means, caller, listing)
        with closing(means.executor.run(jobs, source=lister)) as ends:
            for end in ends:
                match end:
                    case Listed():
                        is_whole = True
                        means.progress.opened(store.folder)
                        means.progress.listed(end.accounts, end.selected)
                    case Collected() | NotCollected():
                        means.progress.collected(end)
    except KeyboardInterrupt:
        # Accounts in flight finish their step and may have stored their outcome; the others have none,
        # and are found to be interrupted when the folder is read.
        _end_sitting(store, means, number, interrupted=True)
        if not is_whole:
            raise
    except (DiscoveryError, SettingsError):
        _end_sitting(store, means, number, interrupted=True)
        raise
    else:
        _end_sitting(store, means, number, interrupted=False)


def _end_sitting(store: Store, means: Means, number: int, *, interrupted: bool) -> None:
    ended = SittingEnded(means.clock.now(), interrupted)
    store.keep(name_ended(number), encode(ended))


def _name_jobs(
    store: Store,
    means: Means,
    caller: Caller,
    listing: Listing,
) -> Iterator[Steps[Listed | Outcome] | None]:
    """
    Yield every account's collection once the account is listed; None while the next one is not.

    From the first account on there is something to go on with.
    """
    collector = means.collector_for(caller)
    for account in listing.take():
        if account is None:
            yield None
        else:
            means.progress.opened(store.folder)
            yield collector.collect(account, store.keep_for(account.id))


def _list(
    store: Store, means: Means, number: int, listing: Listing, *, retry_failed: bool | None = None
) -> Steps[Listed]:
    """
    List the organization in steps, page by page into a listing, and see that the settings fit it.

    What AWS answered is kept before it is read: under the number of the sitting where it turns out to be no list.

    `retry_failed` is None for a run that begins; see `resume` otherwise.
    """
    terms = read_terms(store.folder)

    def hear(page: Mapping[str, Any]) -> None:
        listing.hear(page)
        means.progress.found(listing.count)

    with_tags = any(rule.tags for rule in terms.scopes)
    answers = yield from means.directory.list_accounts(hear, with_tags=with_tags)
    known = {name: read_file(store.raw / name) for name in (CALLER_FILE, ORGANIZATION_FILE)}
    try:
        organization = read_answers({**known, **answers})
    except DiscoveryError:
        for name, content in answers.items():
            store.keep(name_answer(number, name), content)
        raise
    check_selection(organization, terms.selection, terms.roles)
    tags = read_tags(answers[TAGS_FILE]) if TAGS_FILE in answers else {}
    resolve_scopes(terms.frameworks, terms.scopes, organization, tags)
    # The list comes last: where it is, all that was asked about the organization is.
    for name in sorted(answers, key=lambda name: name == ACCOUNTS_FILE):
        store.keep(name, answers[name])
    selected = list_selected(organization, terms)
    if retry_failed is not None:
        selected = list_missing(read_task(store.folder), retry_failed=retry_failed)
    listing.finish(selected)
    return Listed(len(organization.accounts), len(selected))


def _go_on(store: Store, means: Means, started: datetime, *, retry_failed: bool) -> Finished:
    """
    Collect what a run that is not sealed lacks, in another sitting, and finish it.
    """
    sittings = read_sittings(store.raw)
    number = len(sittings) + 1
    task = read_task(store.folder) if is_listed(store.folder) else None
    missing = list_missing(task, retry_failed=retry_failed) if task else []
    if task and not (missing or sittings[-1].interrupted):
        return _conclude(store, means)
    means.progress.stage("discover")
    answers, caller = _ask_caller(store.folder, means)
    # First, for a sitting that has begun takes its number, whatever becomes of it.
    _begin_sitting(store, means, number, caller, started)
    for name, content in answers.items():
        store.keep(name_answer(number, name), content)
    listing = Listing(read_terms(store.folder), is_held=True)
    lister = None
    if task:
        listing.finish(missing)
        means.progress.listed(len(task.organization.accounts), len(missing))
    else:
        set_listing_aside(store.folder, number - 1)
        lister = _list(store, means, number, listing, retry_failed=retry_failed)
    _collect(store, means, number, caller, listing, lister)
    return _conclude(store, means)


def _ask_caller(folder: Path, means: Means) -> tuple[Mapping[str, bytes], Caller]:
    """
    Ask who calls, and refuse a caller of another organization than the run's.
    """
    answers = means.directory.identify()
    described = read_file(folder / "raw" / ORGANIZATION_FILE)
    ours = read_organization_id(decode_object(described, ORGANIZATION_FILE))
    theirs = read_organization_id(decode_object(answers[ORGANIZATION_FILE], ORGANIZATION_FILE))
    if theirs != ours:
        raise SettingsError(
            f"{folder}: is a run of organization {ours}, and the credentials belong to {theirs}; sign in to "
            f"{ours}"
        )
    return answers, read_caller(decode_object(answers[CALLER_FILE], CALLER_FILE))


def _conclude(store: Store, means: Means) -> Finished:
    """
    Judge, seal and render what was collected.
    """
    set_strangers_aside(read_task(store.folder))
    means.progress.stage("judge")
    summary = derive_tables(store.folder)
    store.write("summary.json", encode(summary))
    means.progress.stage("seal")
    seal(store, summary, means.signer)
    means.progress.stage("render")
    return Finished(store.folder, summary, render(store.folder, means.press))
