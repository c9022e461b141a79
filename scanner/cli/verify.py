"""
`orgproof verify`: whether evidence is whole, unchanged, and follows from its raw reports.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.ending import foreseen
from scanner.cli.options import Run
from scanner.cli.printing import flush, print_lines
from scanner.errors import SettingsError
from scanner.stopping import DOES_NOT_VERIFY


def verify(
    run: Run,
    public_key: Annotated[
        Path | None, typer.Option(help="Public key (PEM) of whoever signed the run.")
    ] = None,
    previous: Annotated[
        Path | None, typer.Option(help="Folder of the run before, to check the chain against.")
    ] = None,
    redraw: Annotated[
        bool,
        typer.Option(
            "--redraw/--no-redraw",
            help="Draw the PDFs again and compare each byte, which takes most of the time. Without it their figures "
            "are read, and what their pages show is not compared.",
        ),
    ] = True,
) -> None:
    """
    Test whether evidence is whole, unchanged, and follows from its raw reports. Needs no network.

    Each step is printed with its result. The exit status is 0 when no step failed, and 4 otherwise.
    """
    from scanner.evidence.verify import conclude, verify_run
    from scanner.reports.readback import Readback
    from scanner.transcript import describe_step, describe_verification

    with foreseen(evidence_status=DOES_NOT_VERIFY):
        for folder in (run, previous):
            if folder is not None and not folder.is_dir():
                raise SettingsError(f"{folder}: is no folder; give the folder that a scan printed")
        key = _read_key(public_key) if public_key is not None else None
        steps = []
        read_documents = partial(Readback, redraw=redraw)
        for step in verify_run(
            run, public_key=key, previous=previous, read_documents=read_documents
        ):
            steps.append(step)
            print_lines(describe_step(step))
            flush()
        print_lines(describe_verification(steps))
        if not conclude(steps):
            raise typer.Exit(DOES_NOT_VERIFY)


def _read_key(file: Path) -> bytes:
    from scanner.errors import EvidenceError
    from scanner.evidence.signature import MAX_KEY_BYTES
    from scanner.evidence.survey import open_regular

    try:
        with open_regular(file.resolve()) as source:
            return source.read(MAX_KEY_BYTES + 1)
    except EvidenceError as exc:
        raise SettingsError(f"the public key: {exc}") from exc
