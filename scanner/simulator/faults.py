"""
Fault plans: which account gets which fault, when, and what a scan should say of it.

A plan is written as JSON:

    {"faults": [{"account": "111122223333", "operation": "iam:GetCredentialReport",
                 "fault": "throttle", "times": 3}]}

`account` is an id or `*`; calls to Organizations count as the calling account's. `operation` is
`service:Name`, `service:*` or `*`, and each kind has its own when none is given
(`scanner.simulator.kinds`). `after` lets that many calls pass first; `times` ends the fault after so
many, for each account. `page` picks a page of a listing, `seconds` is a duration (of `report-old`, how
much earlier the report claims to be made), and `user` names a user where a fault concerns one. Of
`expired-token` and `caller-expired`, `after` counts the requests that each session may make and `times`
the sessions.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import NoneType
from typing import Any, Self

from scanner.errors import SettingsError
from scanner.model import ReasonCode
from scanner.simulator.draws import draw_faults
from scanner.simulator.kinds import FACTS, FaultKind, Stage
from scanner.simulator.sessions import Principal
from scanner.simulator.world import World

EVERYWHERE = "*"
_MEMBERS: dict[str, tuple[type, ...]] = {
    "account": (str,),
    "operation": (str,),
    "fault": (str,),
    "times": (int, NoneType),
    "after": (int,),
    "page": (int, NoneType),
    "seconds": (int, float),
    "user": (str, NoneType),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One fault. `times` None means for ever; an empty `operation` becomes the kind's own.
    """

    kind: FaultKind
    account: str = EVERYWHERE
    operation: str = ""
    times: int | None = None
    after: int = 0
    page: int | None = None
    seconds: float = 0.0
    user: str | None = None

    def __post_init__(self) -> None:
        """
        Put the kind's own operation where none was named.
        """
        if not self.operation:
            object.__setattr__(self, "operation", FACTS[self.kind].operation)

    @property
    def stage(self) -> Stage:
        """
        Where this fault strikes.
        """
        return FACTS[self.kind].stage

    def concerns(self, operation: str) -> bool:
        """
        Whether this fault is about an operation such as `iam:ListUsers`.
        """
        service = operation.partition(":")[0]
        return self.operation in (operation, f"{service}:*", "*")


@dataclass(frozen=True)
class FaultPlan:
    """
    All faults of one simulation.

    `expected` holds, for a plan that was drawn, the reason a scan should give for each account, None
    where it should read the account all the same.
    """

    faults: tuple[Fault, ...] = ()
    expected: Mapping[str, ReasonCode | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read a plan from JSON, or raise `SettingsError` naming the fault that cannot be read.
        """
        try:
            listed = json.loads(text)["faults"]
        except (ValueError, KeyError, TypeError) as exc:
            raise SettingsError('a fault plan is JSON such as {"faults": [...]}') from exc
        if not isinstance(listed, list):
            raise SettingsError("faults of a fault plan must be a list")
        return cls(tuple(_parse_fault(number, item) for number, item in enumerate(listed, 1)))

    def serialise(self) -> str:
        """
        Write the plan as JSON that `parse` reads.
        """
        return json.dumps({"faults": [_describe_fault(fault) for fault in self.faults]}, indent=1)

    @classmethod
    def of_kinds(cls, world: World, count: int, seed: int) -> Self:
        """
        Draw `count` different faults for as many readable member accounts, and say what to expect.

        Raises `ValueError` when there are not so many faults or accounts.
        """
        draws = draw_faults(world, count, random.Random(seed))
        return cls(
            tuple(Fault(**draw.members, account=account) for account, draw in draws.items()),
            {account: draw.expected for account, draw in draws.items()},
        )

    def of_stage(self, stage: Stage) -> tuple[Fault, ...]:
        """
        Return the faults that strike at one stage.
        """
        return tuple(fault for fault in self.faults if fault.stage is stage)


NO_FAULTS = FaultPlan()


class FaultDesk:
    """
    Decides, call by call, which faults of a plan are due. Counts, so one simulation has one.
    """

    def __init__(self, plan: FaultPlan) -> None:
        self._of_calls = _by_account(plan.faults)
        self._of_sessions = _by_account(plan.of_stage(Stage.SESSION))
        self._calls: dict[tuple[Fault, str], int] = {}
        self._ended: dict[tuple[Fault, str], set[str]] = {}

    def due(
        self, stage: Stage, account: str, operation: str, page: int | None = None
    ) -> list[Fault]:
        """
        Return the faults that a call to or about an account meets at one stage, in the plan's order.
        """
        return [
            fault
            for fault in _concerning(self._of_calls, account)
            if fault.stage is stage
            and fault.concerns(operation)
            and fault.page in (None, page)
            and self._is_due(fault, account)
        ]

    def is_ended(self, principal: Principal) -> bool:
        """
        Whether a fault has ended these credentials.
        """
        return any(
            (fault.kind is FaultKind.CALLER_EXPIRED) == principal.is_caller
            and principal.calls > fault.after
            and self._is_among(fault, principal)
            for fault in _concerning(self._of_sessions, principal.account_id)
        )

    def _is_due(self, fault: Fault, account: str) -> bool:
        count = self._calls[fault, account] = self._calls.get((fault, account), 0) + 1
        ordinal = count - fault.after
        return ordinal > 0 and (fault.times is None or ordinal <= fault.times)

    def _is_among(self, fault: Fault, principal: Principal) -> bool:
        ended = self._ended.setdefault((fault, principal.account_id), set())
        key = principal.credentials.access_key
        if fault.times is None or key in ended:
            return True
        if len(ended) >= fault.times:
            return False
        ended.add(key)
        return True


def _by_account(faults: tuple[Fault, ...]) -> dict[str, list[Fault]]:
    table: dict[str, list[Fault]] = {}
    for fault in faults:
        table.setdefault(fault.account, []).append(fault)
    return table


def _concerning(table: dict[str, list[Fault]], account: str) -> list[Fault]:
    if not table:
        return []
    return [*table.get(account, ()), *table.get(EVERYWHERE, ())]


def _parse_fault(number: int, item: object) -> Fault:
    if not isinstance(item, dict) or "fault" not in item:
        raise SettingsError(f"fault {number}: must be an object with at least `fault`")
    for name, value in item.items():
        if name not in _MEMBERS or not isinstance(value, _MEMBERS[name]):
            raise SettingsError(f"fault {number}: cannot use {name} = {value!r}")
    members = {name: value for name, value in item.items() if name != "fault"}
    try:
        kind = FaultKind(item["fault"])
    except ValueError as exc:
        raise SettingsError(f"fault {number}: no fault is called {item['fault']!r}") from exc
    return Fault(kind, **members)


def _describe_fault(fault: Fault) -> dict[str, Any]:
    members = asdict(fault)
    kind = members.pop("kind")
    plain = asdict(Fault(fault.kind))
    told = {
        name: value for name, value in members.items() if name == "account" or value != plain[name]
    }
    return {**told, "fault": str(kind)}
