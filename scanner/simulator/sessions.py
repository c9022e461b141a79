"""
Who is who: every access key that the simulation gave out, and what it stands for.

Keys, secrets and tokens are made up from the world's seed. They open nothing but the simulation, and
still keep out of every `repr`, because the code that uses them is written for real ones.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scanner.simulator.clock import SimulatedClock
from scanner.simulator.policies import SessionPolicy
from scanner.simulator.wire import ServiceError


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    What a client signs with. `token` is None for a user's long-term key.
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(slots=True)
class Principal:
    """
    A user or a role session that calls. `calls` counts its requests.

    `is_caller` marks credentials that the simulation started with: those the scanner itself runs
    under, as opposed to sessions it assumed. `expires` is None where nothing ends them.
    """

    account_id: str
    arn: str
    unique_id: str
    credentials: Credentials
    is_caller: bool
    expires: datetime | None = None
    policy: SessionPolicy | None = None
    calls: int = 0

    @property
    def is_session(self) -> bool:
        """
        Whether this is a role session rather than a user.
        """
        return self.credentials.token is not None

    @property
    def user_name(self) -> str | None:
        """
        The user's own name, None for a role session, which has none.
        """
        return None if self.is_session else self.arn.rpartition("/")[2]


class SessionRegistry:
    """
    Gives out credentials and recognises them again.
    """

    def __init__(self, seed: int, clock: SimulatedClock) -> None:
        self._seed = seed
        self._clock = clock
        self._issued = 0
        self._principals: dict[str, Principal] = {}
        self._callers: dict[tuple[str, bool, int], Principal] = {}

    def caller_for(self, account_id: str, *, as_user: bool, sign_in: int = 1) -> Principal:
        """
        Return the administrator of an account whose credentials the simulation starts with.

        Each further `sign_in` has credentials of its own.
        """
        known = self._callers.get((account_id, as_user, sign_in))
        if known is not None:
            return known
        again = f" {sign_in}" if sign_in > 1 else ""
        digest = self._digest(f"caller {account_id} {as_user}{again}")
        if as_user:
            arn = f"arn:aws:iam::{account_id}:user/scanner-admin"
            unique_id = make_unique_id("AIDA", arn)
        else:
            role = "AWSReservedSSO_AuditAdministrator_0f1e2d3c4b5a6978"
            arn = f"arn:aws:sts::{account_id}:assumed-role/{role}/auditor@example.com"
            unique_id = f"{make_unique_id('AROA', account_id + role)}:auditor@example.com"
        credentials = _make_credentials(digest, long_term=as_user)
        principal = Principal(account_id, arn, unique_id, credentials, is_caller=True)
        self._callers[account_id, as_user, sign_in] = principal
        self._principals[credentials.access_key] = principal
        return principal

    def open_session(
        self,
        *,
        account_id: str,
        role: str,
        session_name: str,
        seconds: int,
        policy: SessionPolicy | None,
    ) -> Principal:
        """
        Start a role session that ends after `seconds`.
        """
        self._issued += 1
        credentials = _make_credentials(self._digest(f"session {self._issued}"), long_term=False)
        principal = Principal(
            account_id=account_id,
            arn=f"arn:aws:sts::{account_id}:assumed-role/{role}/{session_name}",
            unique_id=f"{make_unique_id('AROA', account_id + role)}:{session_name}",
            credentials=credentials,
            is_caller=False,
            expires=(self._clock.now() + timedelta(seconds=seconds)).replace(microsecond=0),
            policy=policy,
        )
        self._principals[credentials.access_key] = principal
        return principal

    def find(self, access_key: str, token: str | None) -> Principal:
        """
        Return whom a key and its token stand for, or raise `ServiceError` where they do not belong together.
        """
        principal = self._principals.get(access_key)
        if principal is None or principal.credentials.token != token:
            raise ServiceError(
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
                403,
            )
        return principal

    def _digest(self, purpose: str) -> bytes:
        return hashlib.sha512(f"{self._seed} {purpose}".encode()).digest()


def make_unique_id(prefix: str, of: str) -> str:
    """
    Make up an IAM unique id, such as `AIDA...` for a user. The same input gives the same id.
    """
    digest = hashlib.sha256(of.encode()).digest()
    return prefix + base64.b32encode(digest[:10]).decode()


def _make_credentials(digest: bytes, *, long_term: bool) -> Credentials:
    prefix = "AKIA" if long_term else "ASIA"
    return Credentials(
        access_key=prefix + base64.b32encode(digest[:10]).decode(),
        secret_key=base64.b64encode(digest[10:40]).decode(),
        token=None if long_term else "IQoJb3JnX3" + base64.b64encode(digest * 4).decode(),
    )
