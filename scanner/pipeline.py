"""
One scan, in the order of the job: discover, collect, store raw, judge, confirm, seal, render.

Follow one account: `_list` finds it, `_collect` has a collector read it and keep its raw answers, while AWS lists on,
`derive_tables` turns the stored bytes into rows and verdicts, `seal` fixes them, and each renderer draws
a document from the tables. An account that cannot be read walks the same way with its reason. A scan that
was stopped goes on where it was: `resume`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from scanner.acceptances import AcceptanceFile
from scanner.drawing import Finished, Press, render
from scanner.errors import DiscoveryError, SettingsError
from scanner.evidence import Store, StoredRun
from scanner.evidence.inputs import ACCEPTANCES_FILE, NOTES_FILE
from scanner.evidence.previous import Search, find_previous, name_inputs, take_previous
from scanner.evidence.replay import derive_tables
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
from scanner.evidence.run import SETTINGS_JSON, name_catalogs
from scanner.evidence.seal import DOCUMENTS, check_seal, seal
from scanner.evidence.sittings import name_answer, name_began, name_ended, read_sittings
from scanner.evidence.store import discard, hold, name_place, read_file, stage_run
from scanner.frameworks import Framework
from scanner.interfaces import (
    Clock,
    Collector,
    Directory,
    Engine,
    Executor,
    Progress,
    Signer,
    Steps,
)
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
from scanner.records import decode, decode_object, encode
from scanner.scopes import resolve_scopes
from scanner.summary import Summary


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
class Means:
    """
    Who does the job: an implementation for every seam.

    `signer` is None where nothing is to be signed, and `engine` where all of it is done here.
    """

    directory: Directory
    collector_for: Callable[[Caller], Collector]
    executor: Executor
    clock: Clock
    signer: Signer | None
    press: Press
    progress: Progress
    tool_version: str
    engine: Engine | None = None


@dataclass(frozen=True, slots=True)
class _Sitting:
    """
    One stretch of collecting: what it fills, who does it, its number, as whom, and which accounts it is about.
    """

    store: Store
    means: Means
    number: int
    caller: Caller
    listing: Listing


def scan(order: Order, means: Means) -> Finished:
    """
    Do the whole job once.

    Raises `SettingsError` before any account is read, `DiscoveryError` when the account list cannot be had whole,
    `EvidenceError` when evidence cannot be stored or does not add up, `RenderError` when a document cannot be made
    from evidence that is whole. What was read by then is kept. A scan that is interrupted once the list is whole is
    finished with what it has: it is sealed, and says so.
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
        sitting = _Sitting(store, means, 1, caller, Listing(terms))
        _begin(sitting, started)
    with hold(store.folder, is_new=True):
        try:
            _collect(sitting, _list(sitting))
        except (DiscoveryError, SettingsError, KeyboardInterrupt) as exc:
            listing = sitting.listing
            if not (listing.pages if isinstance(exc, DiscoveryError) else listing.has_begun):
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


def _begin(sitting: _Sitting, started: datetime) -> None:
    began = SittingBegan(started, sitting.caller.arn, sitting.means.tool_version)
    sitting.store.keep(name_began(sitting.number), encode(began))


def _end(sitting: _Sitting, *, interrupted: bool) -> None:
    ended = SittingEnded(sitting.means.clock.now(), interrupted)
    sitting.store.keep(name_ended(sitting.number), encode(ended))


def _collect(sitting: _Sitting, lister: Steps[Listed] | None = None) -> None:
    """
    Read accounts, and say when this sitting ended and whether it was interrupted before all had their outcome.

    `lister` fills the listing meanwhile, None where it is whole already. What stops a scan before the list is whole is
    raised: nobody can say yet which accounts it lacks.
    """
    progress = sitting.means.progress
    progress.stage("collect")
    is_whole = lister is None
    read = 0
    try:
        run = sitting.means.executor.run(
            _name_jobs(sitting), source=lister, must_stop=progress.must_stop
        )
        with closing(run) as ends:
            for end in ends:
                match end:
                    case Listed():
                        is_whole = True
                        progress.opened(sitting.store.folder)
                        progress.listed(end.accounts, end.selected)
                    case Collected() | NotCollected():
                        read += 1
                        progress.collected(end)
    except (DiscoveryError, SettingsError, KeyboardInterrupt) as exc:
        # Accounts that were not begun, or did not end in time, have no outcome: they are found to be interrupted
        # when the folder is read.
        _end(sitting, interrupted=not is_whole or read < sitting.listing.selected)
        if not (is_whole and isinstance(exc, KeyboardInterrupt)):
            raise
    else:
        _end(sitting, interrupted=False)


def _name_jobs(sitting: _Sitting) -> Iterator[Steps[Listed | Outcome] | None]:
    """
    Yield every account's collection once the account is listed; None while the next one is not.

    From the first account on there is something to go on with.
    """
    store, means = sitting.store, sitting.means
    collector = means.collector_for(sitting.caller)
    for account in sitting.listing.take():
        if account is None:
            yield None
        else:
            means.progress.opened(store.folder)
            yield collector.collect(account, store.keep_for(account.id))


def _list(sitting: _Sitting, *, retry_failed: bool = False) -> Steps[Listed]:
    """
    List the organization in steps, page by page into the sitting's listing, and see that the settings fit it.

    Of a run that was begun before, only what it lacks is to be read then: see `resume`.
    """
    store, listing, progress = sitting.store, sitting.listing, sitting.means.progress
    terms = read_terms(store.folder)

    def hear(page: Mapping[str, Any]) -> None:
        listing.hear(page)
        progress.found(listing.count)

    try:
        with_tags = any(rule.tags for rule in terms.scopes)
        answers = yield from sitting.means.directory.list_accounts(hear, with_tags=with_tags)
        known = {name: read_file(store.raw / name) for name in (CALLER_FILE, ORGANIZATION_FILE)}
        organization = read_answers({**known, **answers})
    except DiscoveryError:
        if listing.pages:
            # What AWS did list may explain why it is no list.
            pages = encode({"pages": listing.pages})
            store.keep(name_answer(sitting.number, ACCOUNTS_FILE), pages)
            progress.opened(store.folder)
        raise
    check_selection(organization, terms.selection, terms.roles)
    tags = read_tags(answers[TAGS_FILE]) if TAGS_FILE in answers else {}
    resolve_scopes(terms.frameworks, terms.scopes, organization, tags)
    is_first = sitting.number == 1
    if not is_first:
        set_strangers_aside(store.raw, organization, sitting.number)
    # The list comes last: where it is, all else about the organization is.
    for name in sorted(answers, key=lambda name: name == ACCOUNTS_FILE):
        store.keep(name, answers[name])
    if is_first:
        selected = list_selected(organization, terms)
    else:
        selected = list_missing(read_task(store.folder), retry_failed=retry_failed)
    listing.finish(selected)
    return Listed(len(organization.accounts), len(selected))


def _go_on(store: Store, means: Means, started: datetime, *, retry_failed: bool) -> Finished:
    """
    Collect what a run that is not sealed lacks, in another sitting, and finish it.
    """
    sittings = read_sittings(store.raw)
    task = read_task(store.folder) if is_listed(store.folder) else None
    missing = list_missing(task, retry_failed=retry_failed) if task else []
    if task and not (missing or sittings[-1].interrupted):
        return _conclude(store, means)
    means.progress.stage("discover")
    answers, caller = _ask_caller(store.folder, means)
    listing = Listing(read_terms(store.folder), is_held=True)
    sitting = _Sitting(store, means, len(sittings) + 1, caller, listing)
    # First, for a sitting that has begun takes its number, whatever becomes of it.
    _begin(sitting, started)
    for name, content in answers.items():
        store.keep(name_answer(sitting.number, name), content)
    if task:
        listing.finish(missing)
        means.progress.listed(len(task.organization.accounts), len(missing))
        _collect(sitting)
    else:
        set_listing_aside(store.folder, sitting.number - 1)
        _collect(sitting, _list(sitting, retry_failed=retry_failed))
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
    means.progress.stage("judge")
    summary = derive_tables(store.folder, engine=means.engine)
    store.write("summary.json", encode(summary))
    means.progress.stage("seal")
    seal(store, summary, means.signer)
    means.progress.stage("render")
    return Finished(store.folder, summary, render(store.folder, means.press))
