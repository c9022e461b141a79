"""
Settings in, a ready scan out. Alone in choosing implementations.
"""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from scanner import __version__
from scanner.acceptances import AcceptanceFile, load_acceptances_file
from scanner.aws import AwsCollector, AwsDirectory, RolePlan, connect
from scanner.errors import CatalogError, SettingsError
from scanner.evidence.store import make_folder
from scanner.executor import ThreadExecutor
from scanner.frameworks import (
    Framework,
    find_frameworks,
    load_framework,
    load_framework_file,
)
from scanner.interfaces import Clock, Collector, Progress
from scanner.model import Caller, Terms, show
from scanner.pipeline import Job, Renderer
from scanner.reports import FORMATS
from scanner.settings import Settings, name_quarter


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
    Return the renderers of the formats named, or raise `SettingsError` naming those there are.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise SettingsError(f"no format {', '.join(unknown)}; there are: {', '.join(FORMATS)}")
    return {name: FORMATS[name] for name in formats}


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


def prepare_scan(  # noqa: PLR0913 - what the command line decides
    settings: Settings,
    inputs: Mapping[str, bytes],
    progress: Progress,
    *,
    output: Path | None = None,
    previous: Path | None = None,
    simulated: bool = False,
    clock: Clock | None = None,
) -> Job:
    """
    Choose an implementation for every seam and return the scan, ready to run.

    Everything that can be wrong with settings, catalogs and credentials is found here, before the first
    call: `SettingsError` or `CatalogError`.
    """
    clock = clock or SystemClock()
    renderers = choose_renderers(settings.scan.formats)
    frameworks = choose_frameworks(settings.scan.frameworks, settings.scan.framework_files)
    _check_scopes(settings, frameworks)
    acceptances = choose_acceptances(settings.scan.acceptances)
    terms = _agree(settings, frameworks, clock, simulated=simulated)
    folder = output or Path(settings.scan.output)
    _check_output(folder)
    clients = connect(
        profile=settings.aws.profile,
        region=settings.aws.region,
        endpoint=settings.aws.endpoint_url,
        workers=settings.scan.workers,
    )
    roles = RolePlan(
        name=settings.aws.role_name,
        others=settings.aws.roles,
        external_id=settings.aws.external_id,
        session_name=f"orgproof-{clock.now():%Y%m%dT%H%M%SZ}",
    )

    def collector_for(caller: Caller) -> Collector:
        return AwsCollector(
            clients,
            clock,
            caller=caller,
            roles=roles,
            account_deadline=terms.account_deadline,
            confirm=terms.confirm,
        )

    return Job(
        terms=terms,
        frameworks=frameworks,
        acceptances=acceptances,
        inputs=inputs,
        output=folder,
        previous=previous,
        directory=AwsDirectory(clients, clock),
        collector_for=collector_for,
        executor=ThreadExecutor(settings.scan.workers, clock),
        clock=clock,
        renderers=renderers,
        progress=progress,
        tool_version=__version__,
    )


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
    )
