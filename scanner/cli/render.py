"""
`orgproof render`: a run's documents drawn again, or its reports judged again.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scanner.cli.ending import foreseen
from scanner.cli.manner import Manner, watch
from scanner.cli.options import Formats, Run, check_finished, split_names
from scanner.cli.printing import print_lines, say
from scanner.cli.results import tell_run
from scanner.errors import SettingsError
from scanner.stopping import DOES_NOT_VERIFY

if TYPE_CHECKING:
    from scanner.drawing import Finished, Redrawn
    from scanner.reports.extras import Extras


def render(
    run: Run,
    formats: Formats = None,
    framework: Annotated[
        list[str] | None, typer.Option(help="Judge again by this framework; repeatable.")
    ] = None,
    framework_file: Annotated[
        list[Path] | None,
        typer.Option(help="Judge again by a catalog of your own; repeatable."),
    ] = None,
    acceptances: Annotated[
        Path | None, typer.Option(help="Judge again with these accepted risks (YAML).")
    ] = None,
    carry_notes: Annotated[
        Path | None,
        typer.Option(
            help="Older workbook whose status, assignee and note go into the new one.",
            metavar="OLD.xlsx",
        ),
    ] = None,
    sample: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a sample of this run, to be a sheet of the workbook.", metavar="DERIVED"
        ),
    ] = None,
) -> None:
    """
    Draw a run's documents again, from its stored evidence, without any network.

    With other frameworks or acceptances the same raw reports are judged again, into a folder of its own
    under derived/. The run itself stays as it was. Notes that people wrote in an older workbook are carried
    over by finding_id, and those whose finding is gone are listed.
    """
    from scanner.console import is_terminal
    from scanner.drawing import judge_again, render_again
    from scanner.wiring import (
        SystemClock,
        choose_acceptances,
        choose_frameworks,
        choose_press,
        list_formats,
    )

    with foreseen(evidence_status=DOES_NOT_VERIFY):
        check_finished(run)
        extras = None
        if carry_notes is not None or sample is not None:
            extras = _read_extras(run, carry_notes, sample)
        names = split_names(formats) or list_formats(run)
        files = [str(path) for path in framework_file or []]
        frameworks = choose_frameworks(framework or [], files) if framework or files else None
        accepted = choose_acceptances(str(acceptances) if acceptances else None)
        is_judged = frameworks is not None or accepted is not None
        if is_judged and sample is not None:
            raise SettingsError(
                "--sample: was drawn from the run as it was judged; leave out --framework and --acceptances"
            )
        with watch(Manner(quiet=not is_terminal(sys.stderr))) as watched:
            press = choose_press(names, watched, extras=extras)
            watched.stage("render")
            if is_judged:
                drawn: Finished | Redrawn = judge_again(
                    run, frameworks, accepted, press, SystemClock()
                )
            else:
                drawn = render_again(run, press, SystemClock())
        _tell_drawn(drawn, run, extras.describe() if extras else ())


def _read_extras(run: Path, notes: Path | None, sample: Path | None) -> "Extras":
    """
    Read what goes into a workbook besides its run. It brings a library along that other renderings do without.
    """
    from scanner.evidence import StoredRun
    from scanner.reports.extras import read_extras

    return read_extras(StoredRun(run), notes, sample)


def _tell_drawn(drawn: "Finished | Redrawn", run: Path, extras: Iterable[str]) -> None:
    """
    Say what `render` made: a judgement of its own, or documents beside those that the run lists.

    `extras` says what the workbook holds besides.
    """
    from scanner.drawing import Finished
    from scanner.transcript import describe_comparison

    if isinstance(drawn, Finished):
        tell_run(drawn, Manner())
        print_lines(extras)
        say(str(drawn.folder))
        return
    print_lines(extras)
    if drawn.comparison is not None:
        print_lines(describe_comparison(drawn.comparison, run / "documents.json"))
    for path in drawn.documents:
        say(str(path))
