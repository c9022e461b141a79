"""
Serves a simulated organization until interrupted: `python -m scanner.simulator --accounts 200`.

Prints one line of JSON with the address and the caller's credentials as environment variables.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from scanner.errors import OrgproofError
from scanner.simulator.crowd import build_world
from scanner.simulator.demo import build_demo
from scanner.simulator.faults import NO_FAULTS, FaultPlan
from scanner.simulator.simulation import Simulator, serve
from scanner.simulator.world import READER_ROLE, World


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Serve what the command line asks for. Returns the exit status.
    """
    # A supervisor ends it the way a person at the terminal does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _build_parser().parse_args(arguments)
    try:
        plan = FaultPlan.parse(options.faults.read_text()) if options.faults else NO_FAULTS
        simulator = Simulator(
            _choose_world(options),
            plan,
            port=options.port,
            report_seconds=options.report_seconds,
            latency=options.latency,
            list_rate=options.list_rate,
            assume_rate=options.assume_rate,
        )
        serve(simulator, _announce)
    except (OrgproofError, OSError) as exc:
        print(exc, file=sys.stderr)
        return 2
    return 0


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scanner.simulator", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="serve the demo's organization")
    parser.add_argument("--accounts", type=int, default=200, help="how many accounts")
    parser.add_argument("--users", type=int, default=12, help="how many users in each account")
    parser.add_argument("--seed", type=int, help="the same seed makes the same organization")
    parser.add_argument("--offenders", type=float, default=0.08, help="share of users without MFA")
    parser.add_argument("--clean", action="store_true", help="nobody without MFA, nothing old")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="a fault plan in JSON")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--report-seconds", type=float, default=0.2, help="to make one report")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--list-rate", type=float, help="ListAccounts calls a second; AWS: 8")
    parser.add_argument("--assume-rate", type=float, help="AssumeRole calls a second")
    return parser


def _choose_world(options: argparse.Namespace) -> World:
    if options.demo:
        return build_demo() if options.seed is None else build_demo(options.seed)
    return build_world(
        accounts=options.accounts,
        users=options.users,
        seed=1 if options.seed is None else options.seed,
        clean=options.clean,
        offenders=options.offenders,
    )


def _announce(simulator: Simulator) -> None:
    world = simulator.world
    line = {
        "url": simulator.url,
        "environment": simulator.environment(),
        "organization_id": world.organization_id,
        "management_account_id": world.management_id,
        "role_name": READER_ROLE,
        "external_id": world.external_id,
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
