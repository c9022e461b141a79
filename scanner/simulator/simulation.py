"""
The simulation as a whole: a world, its faults and its clock, behind a port.
"""

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Self

from scanner.errors import SettingsError
from scanner.simulator.clock import SimulatedClock
from scanner.simulator.estate import Estate
from scanner.simulator.faults import NO_FAULTS, FaultDesk, FaultPlan
from scanner.simulator.gateway import Gateway
from scanner.simulator.kinds import ASSUME, LIST
from scanner.simulator.quotas import TokenBucket
from scanner.simulator.server import HOST, Server
from scanner.simulator.sessions import Credentials, SessionRegistry
from scanner.simulator.shaping import find_slow_reports, shape_world
from scanner.simulator.world import World

REGION = "us-east-1"


class Simulator:
    """
    Serves a world over HTTP while it is entered as a context.

    `report_seconds` is how long an account takes to make a credential report, `latency` how long
    every answer is held back, `list_rate` how many ListAccounts calls a second are let through
    (AWS publishes 8) and `assume_rate` how many AssumeRole calls, without a limit when None. `world` is
    the given one with the plan's faults worked in.
    """

    def __init__(  # noqa: PLR0913 - each has a default that suits most
        self,
        world: World,
        plan: FaultPlan = NO_FAULTS,
        *,
        port: int = 0,
        report_seconds: float = 0.2,
        latency: float = 0.0,
        list_rate: float | None = None,
        assume_rate: float | None = None,
        clock: SimulatedClock | None = None,
    ) -> None:
        self.world = shape_world(world, plan)
        self.plan = plan
        self.clock = clock or SimulatedClock()
        self._estate = Estate(
            self.world,
            self.clock,
            report_seconds=report_seconds,
            slow_reports=find_slow_reports(self.world, plan),
        )
        self._sessions = SessionRegistry(world.seed, self.clock)
        self._gateway = Gateway(
            self._estate,
            self._sessions,
            FaultDesk(plan),
            {
                operation: TokenBucket(rate, self.clock.monotonic)
                for operation, rate in ((LIST, list_rate), (ASSUME, assume_rate))
                if rate is not None
            },
        )
        self._server = Server(
            self._gateway.answer, self.clock.signing_time, port=port, latency=latency
        )

    def __enter__(self) -> Self:
        """
        Open the port.
        """
        self._server.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """
        Close the port and everything connected to it.
        """
        self._server.stop()

    @property
    def url(self) -> str:
        """
        Where all three services answer.
        """
        return f"http://{HOST}:{self._server.port}"

    @property
    def caller_credentials(self) -> Credentials:
        """
        An administrator's role session in the management account.
        """
        return self.credentials_for(self.world.management_id)

    @property
    def requests(self) -> Mapping[str, int]:
        """
        How many authenticated requests came in, by operation such as `iam:ListUsers`.
        """
        with self._gateway.lock:
            return dict(self._gateway.requests)

    def credentials_for(
        self, account_id: str, *, as_user: bool = False, sign_in: int = 1
    ) -> Credentials:
        """
        Return an administrator's credentials in any account: a role session's, or a user's long-term key.

        Each further `sign_in` hands out other ones. Raises `SettingsError` when the world has no such account.
        """
        if account_id not in self.world.by_id:
            raise SettingsError(f"no account of the organization is {account_id}")
        with self._gateway.lock:
            return self._sessions.caller_for(
                account_id, as_user=as_user, sign_in=sign_in
            ).credentials

    def environment(self, account_id: str | None = None, *, sign_in: int = 1) -> dict[str, str]:
        """
        Return the environment variables that make an AWS SDK sign as an account's administrator.

        The management account's when none is given. Not the endpoint: a scan must be told that by hand.
        """
        credentials = self.credentials_for(account_id or self.world.management_id, sign_in=sign_in)
        variables = {
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            # boto3 reads the second, newer SDKs the first.
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if credentials.token is not None:
            variables["AWS_SESSION_TOKEN"] = credentials.token
        return variables

    def advance(self, seconds: float) -> None:
        """
        Move the organization's clock forward: reports age and sessions end. Signatures do not notice.
        """
        with self._gateway.lock:
            self.clock.advance(seconds)

    def create(self, account_id: str, user_name: str) -> None:
        """
        Make a user who holds nothing yet. A report already made stays as it is.
        """
        with self._gateway.lock:
            self._estate.account(account_id).create_user(user_name)

    def change(
        self,
        account_id: str,
        user_name: str,
        *,
        mfa: bool | None = None,
        password: bool | None = None,
        deleted: bool = False,
    ) -> None:
        """
        Give or take a user's MFA or password, or delete the user. A report already made stays as it is.
        """
        with self._gateway.lock:
            self._estate.account(account_id).change_user(
                user_name, mfa=mfa, password=password, deleted=deleted
            )


def serve(simulator: Simulator, announce: Callable[[Simulator], None]) -> None:
    """
    Serve until interrupted. `announce` is called once, when the port is open.
    """
    with simulator, contextlib.suppress(KeyboardInterrupt):
        announce(simulator)
        threading.Event().wait()
