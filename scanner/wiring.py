"""
Settings in, a ready scan out. Alone in choosing implementations.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scanner import __version__
from scanner.acceptances import AcceptanceFile, load_acceptances_file
from scanner.aws import (
    AwsCollector,
    AwsDirectory,
    AwsExaminer,
    RemoteCollector,
    RolePlan,
    connect,
    measure_clock,
)
from scanner.aws.bucket import Bucket, LockMode
from scanner.aws.s3 import connect_bucket
from scanner.delivery import Destination, FolderDestination
from scanner.doctor import Instruments
from scanner.drawing import Press, Renderer, begin_nothing
from scanner.errors import CatalogError, SettingsError
from scanner.evidence.run import SETTINGS_JSON
from scanner.evidence.store import make_folder, read_file
from scanner.executor import ThreadExecutor
from scanner.frameworks import (
    Framework,
    find_frameworks,
    load_framework,
    load_framework_file,
)
from scanner.interfaces import Clock, Collector, Engine, Examiner, PdfSigner, Progress, Signer
from scanner.model import Caller, Terms, show
from scanner.pipeline import Means, Order
from scanner.records import decode
from scanner.reports import FORMATS, draw_pdf, draw_workbook, find_missing
from scanner.reports.beside import draw_beside
from scanner.reports.equality import compare_documents
from scanner.reports.toolchain import describe_extras, describe_fonts, describe_tools
from scanner.settings import FolderTable, S3Table, Settings, name_quarter
from scanner.signing import choose_pdf_signer, choose_signer

if TYPE_CHECKING:
    from scanner.reports.extras import Extras


class SystemClock:
    """
    The machine's own clock. See `Clock`.
    """

    def now(self) -> datetime:
        """
        Return the current moment in UTC, to the whole second as AWS writes times.
        """
        return datetime.now(UTC).replace(microsecond=0)

    def monotonic(self) -> float:
        """
        Return seconds that never run backwards.
        """
        return time.monotonic()


def choose_renderers(formats: list[str]) -> dict[str, Renderer]:
    """
    Return the renderers of the formats named, or raise `SettingsError` naming those there are, or what is missing.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise SettingsError(f"no format {', '.join(unknown)}; there are: {', '.join(FORMATS)}")
    lacking = [missing for name in formats if (missing := find_missing(name))]
    if lacking:
        raise SettingsError("; ".join(lacking))
    return {name: FORMATS[name] for name in formats}


def list_formats(folder: Path) -> list[str]:
    """
    Return the formats that a run's settings name. Raises `EvidenceError` when they cannot be read.
    """
    path = folder / "inputs" / SETTINGS_JSON
    return list(decode(Terms, read_file(path), str(path)).formats)


def choose_frameworks(names: Sequence[str], files: Sequence[str]) -> tuple[Framework, ...]:
    """
    Return the frameworks named, and those of catalog files of one's own, or raise `CatalogError`.
    """
    frameworks = (
        *(load_framework(name) for name in names),
        *(load_framework_file(Path(name)) for name in files),
    )
    counts = Counter(framework.id for framework in frameworks)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise CatalogError(
            [
                f"framework {name} is given twice; give a catalog of your own an id of its own"
                for name in twice
            ]
        )
    return frameworks


def choose_acceptances(name: str | None) -> AcceptanceFile | None:
    """
    Return the accepted risks of a file, None where none is named, or raise `AcceptanceError`.
    """
    return load_acceptances_file(Path(name)) if name is not None else None


def _check_scopes(settings: Settings, frameworks: Sequence[Framework]) -> None:
    """
    Raise `SettingsError` for a scope of a framework that there is not: it would count for nothing.
    """
    known = {*find_frameworks(), *(framework.id for framework in frameworks)}
    unknown = sorted(set(settings.scope) - known)
    if unknown:
        raise SettingsError(
            f"scope: no framework {', '.join(unknown)}; `orgproof frameworks list` names those there are"
        )


def prepare_order(
    settings: Settings,
    inputs: Mapping[str, bytes],
    *,
    output: Path | None = None,
    previous: Path | None = None,
    simulated: bool = False,
) -> Order:
    """
    Read what a scan is to be judged by, and see that runs can be kept.

    Everything that can be wrong with settings and catalogs is found here, before the first call:
    `SettingsError`, `CatalogError` or `AcceptanceError`.
    """
    choose_renderers(settings.scan.formats)
    frameworks = choose_frameworks(settings.scan.frameworks, settings.scan.framework_files)
    _check_scopes(settings, frameworks)
    acceptances = choose_acceptances(settings.scan.acceptances)
    folder = output or Path(settings.scan.output)
    _check_output(folder)
    return Order(
        terms=_agree(settings, frameworks, SystemClock(), simulated=simulated),
        frameworks=frameworks,
        acceptances=acceptances,
        inputs=inputs,
        output=folder,
        previous=previous,
    )


def prepare_means(
    settings: Settings, terms: Terms, progress: Progress, engine: Engine | None = None
) -> Means:
    """
    Choose an implementation for every seam, or raise `SettingsError` before the first call.

    The terms say what the run is to do, so that a resumed run is collected just as it began. The settings say
    only how this machine reaches AWS and signs. An `engine` shares the work.
    """
    clock = SystemClock()
    clients = connect(
        profile=settings.aws.profile,
        region=settings.aws.region,
        endpoint=terms.endpoint,
        workers=settings.scan.workers,
    )
    if terms.uses_external_id and settings.aws.external_id is None:
        raise SettingsError("the run uses an external id, which is not kept; give --external-id")
    roles = _plan_roles(settings, terms, clock)

    appoint: Callable[..., Collector] = AwsCollector
    if engine is not None:
        appoint = partial(RemoteCollector, engine=engine, endpoint=terms.endpoint)

    def collector_for(caller: Caller) -> Collector:
        return appoint(
            clients,
            clock,
            caller=caller,
            roles=roles,
            account_deadline=terms.account_deadline,
            confirm=terms.confirm,
        )

    signer = choose_signer(settings, os.environ)
    if terms.is_signed and signer is None:
        raise SettingsError(
            "the run was begun with a key to sign it, which is not kept; give --sign-key or --sign-kms"
        )
    return Means(
        directory=AwsDirectory(clients, clock),
        collector_for=collector_for,
        executor=ThreadExecutor(settings.scan.workers, clock),
        clock=clock,
        signer=signer,
        press=choose_press(
            list(terms.formats), progress, signer, choose_pdf_signer(settings, os.environ, clock)
        ),
        progress=progress,
        tool_version=__version__,
        engine=engine,
    )


def prepare_instruments(settings: Settings, terms: Terms) -> Instruments:
    """
    Choose what the set-up is examined with, or raise `SettingsError` before the first call.
    """
    clock = SystemClock()
    clients = connect(
        profile=settings.aws.profile,
        region=settings.aws.region,
        endpoint=terms.endpoint,
        workers=settings.scan.workers,
    )
    choose_signer(settings, os.environ)
    choose_destinations(settings)

    def examiner_for(caller: Caller) -> Examiner:
        return AwsExaminer(
            clients,
            clock,
            caller=caller,
            roles=_plan_roles(settings, terms, clock),
            account_deadline=terms.account_deadline,
        )

    return Instruments(
        directory=AwsDirectory(clients, clock),
        examiner_for=examiner_for,
        executor=ThreadExecutor(settings.scan.workers, clock),
        measure_clock=lambda: measure_clock(clients, clock),
    )


def _plan_roles(settings: Settings, terms: Terms, clock: Clock) -> RolePlan:
    return RolePlan(
        name=terms.role_name,
        others=terms.roles,
        external_id=settings.aws.external_id,
        session_name=f"orgproof-{clock.now():%Y%m%dT%H%M%SZ}",
    )


def choose_press(
    formats: list[str],
    progress: Progress,
    signer: Signer | None = None,
    sign_pdf: PdfSigner | None = None,
    extras: "Extras | None" = None,
) -> Press:
    """
    Return what draws the documents of these formats, and signs their list and the PDF where it is told to.

    `progress` is told which are being drawn. `extras` go into the workbook. Raises `SettingsError` where none is to
    be drawn.
    """
    renderers = choose_renderers(formats)
    added = {} if extras is None else extras.identify()
    if added:
        if "xlsx" not in renderers:
            raise SettingsError(
                "--carry-notes and --sample go into the workbook; add xlsx to --format"
            )
        renderers["xlsx"] = partial(draw_workbook, extras=extras)
    if sign_pdf is not None and "pdf" in renderers:
        renderers["pdf"] = partial(draw_pdf, sign=sign_pdf)
    return Press(
        renderers=renderers,
        describe_tools=lambda documents: (
            describe_tools() | describe_extras(documents) | describe_fonts(documents)
        ),
        compare=compare_documents,
        signer=signer,
        drawing=progress.drawing,
        # Another process knows nothing of notes and samples, so that such a workbook is drawn here.
        beside=begin_nothing if added else draw_beside,
        extras={"xlsx": added} if added else {},
    )


_LOCK_MODES: Mapping[str, LockMode] = {"governance": "GOVERNANCE", "compliance": "COMPLIANCE"}


def choose_destinations(settings: Settings) -> tuple[Destination, ...]:
    """
    Return where `[[deliver]]` sends finished runs, none where nothing is said.

    Nothing is sent yet and nobody is called. Raises `SettingsError` for a folder that is not there, a profile
    or credentials that are not, and an endpoint that is refused.
    """
    return tuple(_choose_destination(table) for table in settings.deliver)


def _choose_destination(table: FolderTable | S3Table) -> Destination:
    match table:
        case FolderTable():
            return FolderDestination(Path(table.path), table.contents)
        case S3Table():
            bucket = Bucket(
                name=table.bucket,
                prefix=table.prefix,
                kms_key=table.kms_key,
                lock_mode=_LOCK_MODES[table.lock_mode] if table.lock_mode else None,
                retain=timedelta(days=table.retain_days) if table.retain_days else None,
                expected_owner=table.expected_owner,
                endpoint=table.endpoint_url,
            )
            try:
                return connect_bucket(
                    bucket,
                    profile=table.profile,
                    region=table.region,
                    contents=table.contents,
                    clock=SystemClock(),
                )
            except SettingsError as exc:
                raise SettingsError(f"deliver: bucket {table.bucket}: {exc}") from exc


def _check_output(folder: Path) -> None:
    """
    Raise `SettingsError` unless runs can be written to the folder: better said before AWS is asked.
    """
    try:
        make_folder(folder)
    except (OSError, ValueError) as exc:
        raise SettingsError(f"output folder {show(str(folder))}: cannot be made: {exc}") from exc
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise SettingsError(
            f"output folder {folder}: cannot be written to; choose another --output"
        )


def _agree(
    settings: Settings, frameworks: tuple[Framework, ...], clock: Clock, *, simulated: bool
) -> Terms:
    return Terms(
        period=settings.scan.period or name_quarter(clock.now()),
        selection=settings.selection,
        scopes=settings.scopes,
        max_report_age_hours=settings.scan.max_report_age_hours,
        frameworks=tuple(framework.id for framework in frameworks),
        formats=tuple(settings.scan.formats),
        role_name=settings.aws.role_name,
        roles=settings.aws.roles,
        uses_external_id=settings.aws.external_id is not None,
        confirm=settings.confirm.enabled,
        owner_tags=tuple(settings.confirm.owner_tags),
        workers=settings.scan.workers,
        account_deadline=settings.aws.account_deadline_seconds,
        endpoint=settings.aws.endpoint_url,
        simulated=simulated,
        organization_name=settings.scan.organization_name,
        prepared_by=settings.scan.prepared_by,
        is_signed=settings.sign.key is not None or settings.sign.kms_key is not None,
        findings_limit=settings.documents.findings_limit,
        annex_limit=settings.documents.annex_limit,
    )
