"""
What a scan found: told, delivered, and turned into the exit status.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from scanner import __version__
from scanner.cli.manner import Manner
from scanner.cli.options import Overrides
from scanner.cli.printing import draw, open_terminal, print_lines, say, warn
from scanner.stopping import STOP, say_how_to_resume

if TYPE_CHECKING:
    from scanner.delivery import Destination
    from scanner.drawing import Finished
    from scanner.transcript import Next


def choose_steps(
    finished: "Finished",
    overrides: Overrides,
    *,
    config: Path | None = None,
    previous: Path | None = None,
) -> "Sequence[Next]":
    """
    Return what to do next. `config` is the settings file of a resumed run, which the run does not keep.
    """
    from scanner.evidence.previous import locate_previous
    from scanner.transcript import choose_next

    sign = overrides.get("sign", {})
    again = {
        "--config": config,
        "--profile": overrides["aws"].get("profile"),
        "--sign-key": sign.get("key"),
        "--sign-kms": sign.get("kms_key"),
    }
    return choose_next(
        finished.summary,
        finished.folder,
        older=locate_previous(finished.folder, finished.summary, previous),
        access=[str(word) for option, value in again.items() if value for word in (option, value)],
    )


def finish(
    finished: "Finished",
    destinations: "tuple[Destination, ...]",
    config: Path | None,
    steps: "Sequence[Next]",
    manner: Manner,
) -> NoReturn:
    """
    Say what was found, deliver it, and end with the run's status.
    """
    from scanner.delivery import deliver_run, describe_delivery, name_repeat
    from scanner.wiring import SystemClock

    is_stopped = finished.summary.interrupted
    delivered = None
    try:
        # Before anything is printed: nobody may be reading any more.
        if destinations and not is_stopped:
            STOP.redeliver = name_repeat(finished.folder, config)
            delivered = deliver_run(
                finished.folder, destinations, SystemClock(), __version__, config=config
            )
    finally:
        # Whatever becomes of the delivery: the run is whole, and its folder is what scripts wait for.
        if not manner.quiet:
            tell_run(finished, manner)
            print_lines(describe_delivery(delivered) if delivered else ())
        elif is_stopped:
            # A script that is quiet reads one line, the folder.
            warn([say_how_to_resume(finished.folder)], manner)
        if is_stopped and destinations:
            warn(["not delivered, for the scan was stopped"], manner)
        if not manner.quiet:
            _tell_next(steps, manner)
        say(str(finished.folder))
    raise typer.Exit(finished.summary.exit_status)


def tell_run(finished: "Finished", manner: Manner) -> None:
    """
    Say what a run found: as a table to somebody at a terminal, else in plain lines.
    """
    from scanner.transcript import describe_run, draw_run

    if not manner.is_drawn:
        print_lines(describe_run(finished.summary, finished.documents))
        return
    documents = [
        (str(path.relative_to(finished.folder)), path.stat().st_size) for path in finished.documents
    ]
    console = open_terminal()
    draw(console, draw_run(finished.summary, documents, console.width))


def _tell_next(steps: "Sequence[Next]", manner: Manner) -> None:
    from scanner.transcript import describe_next, draw_next

    if manner.is_drawn:
        draw(open_terminal(), *draw_next(steps), soft_wrap=True)
    else:
        print_lines(describe_next(steps))
