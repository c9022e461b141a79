"""
`orgproof diff`: what changed between two runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.ending import foreseen
from scanner.cli.options import Run, check_finished
from scanner.cli.printing import print_lines, say
from scanner.stopping import DOES_NOT_VERIFY


def diff(
    run: Run,
    older: Annotated[
        Path, typer.Argument(help="Folder of an earlier run of the same organization.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the changes as JSON.")] = False,
) -> None:
    """
    Say what changed between two runs: new, still open, fixed, reopened, not scanned, joined, left.
    """
    from scanner.comparison import compare_runs, describe_changes, encode_changes
    from scanner.evidence import StoredRun

    with foreseen(evidence_status=DOES_NOT_VERIFY):
        check_finished(run)
        check_finished(older)
        changes = compare_runs(StoredRun(run), StoredRun(older))
        if as_json:
            say(encode_changes(changes).removesuffix("\n"))
            return
        print_lines(describe_changes(changes))
