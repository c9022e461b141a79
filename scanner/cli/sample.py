"""
`orgproof sample`: a sample for an auditor.
"""

from typing import Annotated

import typer

from scanner import __version__
from scanner.cli.ending import foreseen
from scanner.cli.options import Run, check_finished
from scanner.cli.printing import print_lines, say
from scanner.model import Strata
from scanner.stopping import DOES_NOT_VERIFY


def sample(
    run: Run,
    size: Annotated[int, typer.Option(min=1, help="How many users and root users to draw.")] = 25,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Any whole number, best the auditor's; without it the run's seal gives one."
        ),
    ] = None,
    stratify: Annotated[
        Strata | None, typer.Option(help="Draw from each OU, account or verdict in proportion.")
    ] = None,
    check: Annotated[
        str, typer.Option(help="The check whose verdicts are to be tested.")
    ] = "console-no-mfa",
) -> None:
    """
    Draw a sample for an auditor, each item with its line in the raw report.

    The same seed draws the same sample again. It is kept, with seed and population, under derived/ in the
    run folder, and the last line printed is where.
    """
    from scanner.evidence import StoredRun
    from scanner.evidence.sample import SampleOrder, take_sample
    from scanner.reports.sample import describe_sample, keep_sample
    from scanner.wiring import SystemClock

    with foreseen(evidence_status=DOES_NOT_VERIFY):
        check_finished(run)
        stored = StoredRun(run)
        drawn = take_sample(stored, SampleOrder(size, check, seed, stratify), __version__)
        folder = keep_sample(stored, drawn, SystemClock().now())
        print_lines(describe_sample(drawn))
        say(str(folder))
