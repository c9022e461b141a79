"""
Reading an account elsewhere: what a worker is told, what it brings back, and who sends it.

The caller's credentials stay here: this process enters each account, and a worker gets that one session, which lasts
minutes and may do nothing but read. What it brings is stored here.
"""

import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from botocore.credentials import Credentials

from scanner.aws.calls import CallLog, Pauses
from scanner.aws.clients import Clients, connect_accounts
from scanner.aws.collector import AwsCollector, Reading
from scanner.aws.faults import CallError, Fault
from scanner.aws.visits import RolePlan, Visit, describe_bad_answer
from scanner.interfaces import Clock, Engine
from scanner.model import Account, Caller, Request

_LOOK = 0.02
_LOOK_SELDOM = 1.0


@dataclass(frozen=True, slots=True)
class Errand:
    """
    What a worker is told: which account, for how many seconds, where AWS is, and one session in that account.
    """

    account: Account
    caller: Caller
    seconds: float
    region: str
    endpoint: str | None
    confirm: bool
    clock: Clock
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """
    What a worker brings: raw answers by name, the calls it made, and the fault that ended it, None where none did.
    """

    files: tuple[tuple[str, bytes], ...]
    requests: tuple[Request, ...]
    generated: datetime | None
    fetched: datetime | None
    fault: Fault | None


class RemoteCollector(AwsCollector):
    """
    Enters accounts here, and has them read elsewhere. The caller's own account is read here. See `Collector`.
    """

    def __init__(
        self,
        clients: Clients,
        clock: Clock,
        *,
        engine: Engine,
        endpoint: str | None,
        **options: Any,  # noqa: ANN401 - as `AwsCollector` has them
    ) -> None:
        super().__init__(clients, clock, **options)
        self._engine = engine
        self._region = str(clients.iam.meta.region_name)
        self._endpoint = endpoint

    def read(self, reading: Reading) -> Pauses[None]:
        """
        Have an account read that was entered, and keep what it answered. See `AwsCollector.read`.
        """
        visit = reading.visit
        if self._visitor.name_role(visit.account) is None:
            yield from super().read(reading)
            return
        while True:
            found = yield from self._send(visit)
            visit.log.requests += found.requests
            if found.fault is None:
                break
            if not self._visitor.may_enter_again(found.fault):
                raise CallError(found.fault)
            yield from self._visitor.enter_again(visit, found.fault)
        for name, content in found.files:
            reading.keep(name, content)
        reading.generated, reading.fetched = found.generated, found.fetched

    def _send(self, visit: Visit) -> Generator[float, None, Found]:
        if visit.credentials is None:
            raise AssertionError("an account is entered before it is read")
        session = visit.credentials.get_frozen_credentials()
        errand = Errand(
            account=visit.account,
            caller=self._caller,
            seconds=max(0.0, visit.deadline - self._clock.monotonic()),
            region=self._region,
            endpoint=self._endpoint,
            confirm=self._confirm,
            clock=self._clock,
            access_key=str(session.access_key),
            secret_key=str(session.secret_key),
            token=str(session.token),
        )
        asked = self._engine.submit(run_errand, errand)
        pause = _LOOK
        while not asked.done():
            yield pause
            pause = min(_LOOK_SELDOM, pause * 1.5)
        return asked.result()


def run_errand(errand: Errand) -> Found:
    """
    Read one account with the session that was brought, in a worker's thread, which sleeps its pauses.
    """
    collector = _find_collector(errand)
    deadline = errand.clock.monotonic() + errand.seconds
    visit = Visit(errand.account, CallLog(errand.clock), deadline, is_guest=True)
    visit.credentials = Credentials(errand.access_key, errand.secret_key, errand.token)
    files: list[tuple[str, bytes]] = []
    reading = Reading(visit, lambda name, content: files.append((name, content)))
    fault: Fault | None = None
    try:
        for pause in collector.read(reading):
            time.sleep(pause)
    except CallError as exc:
        fault = exc.fault
    except Exception as exc:  # noqa: BLE001 - one account's odd answer must not cost the others theirs
        what = "could not be handled; please report this, and scan the account again"
        fault = replace(describe_bad_answer("iam", what), error=type(exc).__name__, passing=False)
    return Found(tuple(files), tuple(visit.log.requests), reading.generated, reading.fetched, fault)


_TURN = threading.Lock()
_COLLECTORS: dict[tuple[object, ...], AwsCollector] = {}


def _find_collector(errand: Errand) -> AwsCollector:
    """
    Return this process's collector, which knows by and by how long reports take. It is made once: clients are dear.
    """
    about = (errand.caller, errand.region, errand.endpoint, errand.confirm)
    with _TURN:
        if about not in _COLLECTORS:
            _COLLECTORS[about] = AwsCollector(
                connect_accounts(errand.region, errand.endpoint),
                errand.clock,
                caller=errand.caller,
                roles=RolePlan(""),
                account_deadline=errand.seconds,
                confirm=errand.confirm,
            )
        return _COLLECTORS[about]
