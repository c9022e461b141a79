"""
`orgproof deliver`: a finished run sent to where it is kept.
"""

from pathlib import Path
from typing import Annotated

import typer

from scanner import __version__
from scanner.cli.ending import foreseen
from scanner.cli.options import OneOrganization, Run, check_finished, load_settings
from scanner.cli.printing import print_lines, say
from scanner.errors import SettingsError
from scanner.stopping import DOES_NOT_VERIFY, STOP


def deliver(
    run: Run,
    config: Annotated[
        Path | None,
        typer.Option(help="Settings file that says where to; by default the run's own."),
    ] = None,
    organization: OneOrganization = None,
) -> None:
    """
    Send a finished run where [[deliver]] says; what is there already is not sent twice.

    Nothing is ever overwritten, and what was sent is read back. A receipt is kept under derived/ in the run
    folder, and the last line printed is where.
    """
    from scanner.delivery import deliver_run, describe_delivery, name_repeat
    from scanner.settings import read_settings_file, read_stored_settings
    from scanner.wiring import SystemClock, choose_destinations

    with foreseen(evidence_status=DOES_NOT_VERIFY):
        check_finished(run)
        if config is not None:
            settings, _ = load_settings(config, {}, organization)
        else:
            kept = run / "inputs" / "settings.toml"
            source = read_settings_file(kept) if kept.exists() else b""
            settings = read_stored_settings(source, str(kept), {})
        destinations = choose_destinations(settings)
        if not destinations:
            raise SettingsError(
                f"{config or run}: the settings name nowhere to deliver to; add [[deliver]] to a settings "
                "file and name it with --config"
            )
        STOP.folder, STOP.redeliver = run, name_repeat(run, config)
        delivered = deliver_run(run, destinations, SystemClock(), __version__, config=config)
        print_lines(describe_delivery(delivered))
        say(str(delivered.folder))
