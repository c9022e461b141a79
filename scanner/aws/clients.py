"""
The three clients of a scan, and whose credentials the IAM client signs with.

One client serves every account: a new boto3 Session for each costs about fifty times the CPU. What
changes from account to account is a ContextVar that the IAM client's credentials read at the moment
of signing. It has no default, so a call outside any account's context raises and sends nothing.
"""

import ipaddress
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError

from scanner.aws.connections import limit_answers
from scanner.errors import SettingsError

_CURRENT: ContextVar[Credentials] = ContextVar("credentials of the account at work")

_ENDPOINT = re.compile(
    r"(https?)://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?", re.ASCII
)
_DEFAULT_REGION = "us-east-1"
_CONNECT_SECONDS = 10
_READ_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Clients:
    """
    What a scan calls AWS with. `own` are the caller's credentials, refreshable where their source is.
    """

    sts: Any
    organizations: Any
    iam: Any
    own: Credentials


def connect(
    *, profile: str | None, region: str | None, endpoint: str | None, workers: int
) -> Clients:
    """
    Make the clients, once and in the main thread: neither Sessions nor client creation are thread-safe.

    Credentials come from boto3's usual chain. Endpoints named in the environment or in AWS's config
    files are ignored; only `endpoint` overrides them, and plain http only on loopback. Raises
    `SettingsError` when there are no credentials, no such profile, or the endpoint is refused.
    """
    try:
        session, own = _open_session(profile, region, endpoint)
        options = _describe(session, endpoint, connections=workers + 2, attempts=1)
        return Clients(
            sts=limit_answers(session.client("sts", **options)),
            organizations=limit_answers(session.client("organizations", **options)),
            iam=limit_answers(_session_of_accounts().client("iam", **options)),
            own=own,
        )
    except BotoCoreError as exc:
        raise SettingsError(f"AWS credentials cannot be used: {exc}") from exc


def connect_accounts(region: str, endpoint: str | None, workers: int = 64) -> Clients:
    """
    Make what accounts are read with by sessions that others opened: nobody's own credentials are looked for.
    """
    if endpoint is not None:
        check_endpoint(endpoint)
    _hush()
    session = _session_of_accounts(region)
    options = _describe(session, endpoint, connections=workers + 2, attempts=1)
    iam = limit_answers(session.client("iam", **options))
    return Clients(sts=None, organizations=None, iam=iam, own=Credentials("", ""))


def make_client(
    service: Literal["kms", "s3"], *, profile: str | None, region: str | None, endpoint: str | None
) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes as it goes
    """
    Make a client of another service with the caller's own credentials, under the rules of `connect`.

    It serves single calls after which nothing waits, so that botocore itself repeats them: five times at
    most. Raises `SettingsError` as `connect` does.
    """
    try:
        session, _ = _open_session(profile, region, endpoint)
        options = _describe(session, endpoint, connections=10, attempts=5)
        return session.client(service, **options)
    except BotoCoreError as exc:
        raise SettingsError(f"AWS credentials cannot be used: {exc}") from exc


def _open_session(
    profile: str | None, region: str | None, endpoint: str | None
) -> tuple[boto3.Session, Credentials]:
    if endpoint is not None:
        check_endpoint(endpoint)
    _hush()
    session = boto3.Session(profile_name=profile, region_name=region)
    own = _find_credentials(session)
    if own is None:
        raise SettingsError(
            "no AWS credentials were found; sign in (aws sso login), set AWS_PROFILE or pass --profile"
        )
    return session, own


def _describe(
    session: boto3.Session, endpoint: str | None, *, connections: int, attempts: int
) -> Any:  # noqa: ANN401 - keywords for `Session.client`, whose stubs know other ones
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # the stubs lack it
        user_agent_extra="orgproof",
        # What we ask is fixed and what we send small; both are looked at anew for each of a hundred thousand calls.
        parameter_validation=False,
        disable_request_compression=True,
    )
    # Lambda and ECS name their region in AWS_REGION, which boto3 does not read.
    where = session.region_name or os.environ.get("AWS_REGION") or _DEFAULT_REGION
    return {"region_name": where, "endpoint_url": endpoint, "config": config}


def _find_credentials(session: boto3.Session) -> Credentials | None:
    try:
        return session.get_credentials()
    except BotoCoreError:
        raise
    except Exception as exc:  # noqa: BLE001 - a credential_process can answer anything, a key included
        raise SettingsError(
            f"AWS credentials cannot be used: their source answered with nonsense ({type(exc).__name__})"
        ) from None


@contextmanager
def acting_as(credentials: Credentials) -> Iterator[None]:
    """
    Let the IAM client sign with these credentials within the block, in this thread alone.

    The block must hold whole calls and no pause: a ContextVar that stays set is seen by the next
    account that the same thread works on.
    """
    token = _CURRENT.set(credentials)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def check_endpoint(endpoint: str) -> None:
    """
    Raise `SettingsError` unless the endpoint is https, or http on this machine's loopback.
    """
    # The address goes into the evidence and every document, so nothing in it may be a secret; and what
    # is refused is not repeated, for it may hold one.
    match = _ENDPOINT.fullmatch(endpoint)
    try:
        host = urlsplit(endpoint).hostname if match else None
        port_is_real = bool(match) and urlsplit(endpoint).port != 0
    except ValueError:
        host, port_is_real = None, False
    if match is None or not host or not port_is_real:
        raise SettingsError(
            "the endpoint is not an address such as https://host:port, without user, path or query"
        )
    if match[1] == "http" and not _is_loopback(host):
        raise SettingsError(
            f"the endpoint is plain http to {host}, beyond this machine, which would show session tokens "
            "to the network; use https"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hush() -> None:
    """
    Keep botocore's DEBUG records from ever being made: they hold session tokens and secret keys.
    """
    for name in ("boto3", "botocore", "urllib3"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.INFO))


class _CurrentCredentials(Credentials):
    """
    The credentials of whichever account is at work in this context.
    """

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """
        Return the current account's credentials, or raise `LookupError` outside any account.
        """
        return _CURRENT.get().get_frozen_credentials()


class _CurrentProvider(CredentialProvider):
    METHOD = "orgproof"
    CANONICAL_NAME = None

    def load(self) -> Credentials:
        """
        Return the credentials object that reads the context. See `CredentialProvider.load`.
        """
        return _CurrentCredentials("unset", "unset")


def _session_of_accounts(region: str | None = None) -> boto3.Session:
    core = botocore.session.Session()
    core.get_component("credential_provider").insert_before("env", _CurrentProvider())
    return boto3.Session(botocore_session=core, region_name=region)
