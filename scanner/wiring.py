"""
Settings in, a ready scan out. Alone in choosing implementations.
"""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from scanner import __version__
from scanner.aws import AwsCollector, AwsDirectory, RolePlan, connect
from scanner.errors import SettingsError
from scanner.evidence.store import make_folder
from scanner.executor import ThreadExecutor
from scanner.frameworks import Framework, load_framework
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


def prepare_scan(  # noqa: PLR0913 - what the command line decides
    settings: Settings,
    inputs: Mapping[str, bytes],
    progress: Progress,
    *,
    output: Path | None = None,
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
    frameworks = tuple(load_framework(name) for name in settings.scan.frameworks)
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
        inputs=inputs,
        output=folder,
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
