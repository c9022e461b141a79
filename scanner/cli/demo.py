"""
`orgproof demo`: the whole job on a simulated organization.
"""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from scanner.cli.ending import foreseen
from scanner.cli.manner import Manner
from scanner.cli.options import Log, Quiet
from scanner.cli.printing import flush, say
from scanner.cli.scan import start_scan


def demo(
    output: Annotated[Path, typer.Option(help="Folder under which runs are kept.")] = Path(
        "outputs"
    ),
    serve: Annotated[
        bool, typer.Option("--serve", help="Only serve the simulated organization.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port to serve on; 0 takes a free one.")] = 0,
    quiet: Quiet = False,
    log_format: Log = None,
) -> None:
    """
    Do the whole job on a simulated organization; no AWS account is needed.

    The simulated organization is incomplete on purpose (the role is missing in one account), so the exit
    status is 3.
    """
    from scanner.simulator import READER_ROLE, Simulator, build_demo
    from scanner.simulator import serve as serve_until_stopped

    manner = Manner(quiet, log_format)
    with foreseen(manner=manner):
        simulator = Simulator(build_demo(), port=port, report_seconds=1.0)
        if serve:
            serve_until_stopped(simulator, _announce)
            return
        with simulator:
            _forget_aws_environment()
            os.environ.update(simulator.environment())
            overrides = {
                "scan": {
                    "organization_name": "Example Corporation (simulated)",
                    "prepared_by": "orgproof demo",
                },
                "aws": {"endpoint_url": simulator.url, "role_name": READER_ROLE},
            }
            start_scan(None, overrides, output, manner, simulated=True)


def _announce(simulator: Any) -> None:  # noqa: ANN401 - imported lazily
    say(f"serving {simulator.world.organization_id} on {simulator.url}; stop with Ctrl-C")
    say("# in another shell:")
    for name, value in simulator.environment().items():
        say(f"export {name}={value}")
    say(f"orgproof scan --endpoint-url {simulator.url}")
    flush()


def _forget_aws_environment() -> None:
    """
    Keep a person's own AWS profile and files out of the demo.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.devnull
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
