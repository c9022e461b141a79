"""
How a command ends that goes wrong: with a message and an exit status.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from scanner.cli.manner import Manner
from scanner.cli.printing import warn
from scanner.stopping import STOPPED, explain_end


@contextmanager
def foreseen(evidence_status: int = STOPPED, manner: Manner | None = None) -> Iterator[None]:
    """
    Turn what goes wrong into a message and an exit status.
    """
    try:
        yield
    except typer.Exit:
        raise
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the last door
        end = explain_end(exc, evidence_status)
        warn(end.lines, manner or Manner())
        raise typer.Exit(end.status) from None
