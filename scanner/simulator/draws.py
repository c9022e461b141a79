"""
Faults that a plan can be drawn from, and what a careful scan should say of each.
"""

import random
from dataclasses import dataclass
from typing import Any

from scanner.model import ReasonCode
from scanner.simulator.kinds import ASSUME, FACTS, GENERATE, GET, FaultKind, Stage
from scanner.simulator.world import World


@dataclass(frozen=True)
class Draw:
    """
    A fault's members but for the account, and the expected reason, None where a scan copes.
    """

    members: dict[str, Any]
    expected: ReasonCode | None


def _lasting(kind: FaultKind, **members: float | str | None) -> Draw:
    return Draw({"kind": kind, **members}, FACTS[kind].lasting)


def _passing(kind: FaultKind, **members: float | str | None) -> Draw:
    return Draw({"kind": kind, "times": 1, **members}, None)


_K = FaultKind

_ELSEWHERE = frozenset({_K.CALLER_EXPIRED, _K.NOT_IN_ORGANIZATION, _K.CSV_UNQUOTED, _K.REPORT_OLD})
"""
Kinds that concern the whole scan, whose right outcome is a matter of taste, or that leave an account
read and every verdict open.
"""

DRAWS: tuple[Draw, ...] = (
    *(
        _lasting(kind)
        for kind, facts in FACTS.items()
        if kind not in _ELSEWHERE
        and facts.stage is not Stage.LISTING
        and kind not in (_K.REPORT_SLOW, _K.SLOW_BODY)
    ),
    _passing(_K.REPORT_SLOW, times=None, seconds=1.0),
    _passing(_K.SLOW_BODY, seconds=0.5),
    _lasting(_K.ACTION_DENIED, operation=GET),
    _passing(_K.EXPIRED_TOKEN, after=1),
    _lasting(_K.THROTTLE, operation=ASSUME),
    _lasting(_K.SERVER_ERROR, operation=ASSUME),
    _lasting(_K.RESET, operation=ASSUME),
    _lasting(_K.HTML, operation=GENERATE),
    _passing(_K.THROTTLE, operation=ASSUME, times=2),
    _passing(_K.THROTTLE, operation=GENERATE, times=2),
    _passing(_K.THROTTLE, operation=GET, times=2),
    _passing(_K.LIMIT_EXCEEDED, times=2),
    _passing(_K.REPORT_EXPIRED),
    _passing(_K.REPORT_NOT_PRESENT),
    _passing(_K.REPORT_IN_PROGRESS, times=2),
    _passing(_K.SERVER_ERROR, operation=GENERATE),
    _passing(_K.SERVER_ERROR, operation=ASSUME),
    _passing(_K.SERVICE_FAILURE),
    _passing(_K.UNAVAILABLE, operation=ASSUME),
    _passing(_K.THROTTLE, operation="iam:GetAccountSummary", times=2),
    _passing(_K.THROTTLE, operation="iam:ListMFADevices", times=2),
    _passing(_K.UNAVAILABLE, operation="iam:GetLoginProfile"),
    _passing(_K.RESET),
    _passing(_K.RESET, operation=ASSUME),
    _passing(_K.RESET, operation=GENERATE),
    _passing(_K.HTML),
    _passing(_K.HTML, operation=ASSUME),
    _passing(_K.CUT_BODY),
    _passing(_K.BROKEN_BODY),
)
"""
Different faults, lasting and passing.
"""


def draw_faults(world: World, count: int, rng: random.Random) -> dict[str, Draw]:
    """
    Return a fault for each of `count` readable member accounts, no fault twice.

    Accounts need two users or more, so that half a report differs from a whole one. Raises
    `ValueError` when there are not so many faults or accounts.
    """
    accounts = [
        account.id
        for account in world.readable_accounts()
        if account.id != world.management_id and len(account.users) > 1
    ]
    if count > min(len(DRAWS), len(accounts)):
        raise ValueError(
            f"{count} faults asked for; there are {len(DRAWS)} faults and {len(accounts)} accounts"
        )
    return dict(zip(rng.sample(accounts, count), rng.sample(DRAWS, count), strict=True))
