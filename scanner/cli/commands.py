"""
The commands, in the order in which help lists them, and the way in.
"""

import gc
import os
import signal
import sys
from typing import Annotated

import typer

from scanner import __version__
from scanner.cli.deliver import deliver
from scanner.cli.demo import demo
from scanner.cli.diff import diff
from scanner.cli.doctor import doctor
from scanner.cli.ending import foreseen
from scanner.cli.frameworks import frameworks_app
from scanner.cli.printing import flush, say
from scanner.cli.render import render
from scanner.cli.sample import sample
from scanner.cli.scan import scan
from scanner.cli.verify import verify
from scanner.stopping import STOPPED, interrupt

_COLLECT_AFTER = 50_000
"""
How many new objects there may be before Python looks for cycles among them; its own default is 700.
"""

_SWITCH_AFTER = 0.05
"""
Seconds for which a thread may run Python while others want to; its own default is a tenth of that.
"""

_RUN = "outputs/o-exampleorg/2026-Q4/20261124T101500Z"

app = typer.Typer(
    name="orgproof",
    help="Evidence, account by account, of who can sign in to the AWS console without MFA.",
    epilog="Example: orgproof demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(epilog="Example: orgproof scan --profile security-audit --period 2026-Q4")(scan)
app.command(epilog="Example: orgproof doctor --profile security-audit")(doctor)
app.command(epilog="Example: orgproof demo --output outputs")(demo)
app.command(epilog=f"Example: orgproof render {_RUN}")(render)
app.command(epilog="Example: orgproof diff outputs/o-1/2026-Q4/20261124T101500Z OLDER_RUN")(diff)
app.command(epilog=f"Example: orgproof sample {_RUN} --seed 7")(sample)
app.command(epilog=f"Example: orgproof deliver {_RUN}")(deliver)
app.command(epilog=f"Example: orgproof verify {_RUN}")(verify)
app.add_typer(frameworks_app, name="frameworks")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        with foreseen():
            say(f"orgproof {__version__}")
            raise typer.Exit


def main() -> None:
    """
    Run the command line. The first signal stops the scan in good order, a second one at once.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a name shows its code instead; it is no reason to end.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # numpy would start threads for algebra that nobody here does; they spin, and cost more than the judgement.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Nothing here makes cycles by the thousand, and each collection looks at all that pandas and boto3 hold.
    gc.set_threshold(_COLLECT_AFTER)
    # Threads that wait for AWS let go of Python by themselves; asking for it 200 times a second each costs more than it
    # brings.
    sys.setswitchinterval(_SWITCH_AFTER)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name, signal.SIGTERM), interrupt)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    finally:
        flush()
