"""
What a report shows of the people whom findings are about: age of the password, last sign-in, active keys.

Ages are whole days at the time of the account's report, as the checks count them.
"""

from collections.abc import Collection

import pandas as pd

from scanner.checks.facts import SLOTS, count_days, was_password_never_used
from scanner.errors import RenderError
from scanner.evidence import StoredRun
from scanner.reports.wording import count

_NOTES = ("sentinels", "uninterpretable")
_COLUMNS = (
    "user",
    "arn",
    "generated_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    *(f"access_key_{slot}_{what}" for slot in SLOTS for what in ("active", "last_rotated")),
    *_NOTES,
)


def gather_facts(run: StoredRun, arns: Collection[str]) -> dict[str, str]:
    """
    Return a line of facts for each user or root user named, by ARN.

    The users are read batch by batch, and only what the line needs of them.
    """
    facts: dict[str, str] = {}
    if not arns:
        return facts
    wanted = frozenset(arns)
    for users in run.users(_COLUMNS):
        if missing := [name for name in _COLUMNS if name not in users]:
            raise RenderError(
                f"users.parquet has no column {', '.join(missing)}; "
                "check the run with `sha256sum --check SHA256SUMS`"
            )
        found = users[users["arn"].isin(wanted)]
        if len(found):
            notes = {name: found[name].astype("category") for name in _NOTES}
            lines = _describe(found.assign(**notes))
            facts |= dict(zip(found["arn"].to_list(), lines, strict=True))
    return facts


def _describe(users: pd.DataFrame) -> list[str]:
    lines = zip(_say_password(users), _say_sign_in(users), _say_keys(users), strict=True)
    return [" \u00b7 ".join(part for part in line if part) for line in lines]


def _say_password(users: pd.DataFrame) -> list[str]:
    return [
        "password not recorded"
        if pd.isna(enabled)
        else _say_age("password", days)
        if enabled
        else "no password"
        for enabled, days in zip(
            users["password_enabled"], _list_days(users, "password_last_changed"), strict=True
        )
    ]


def _say_sign_in(users: pd.DataFrame) -> list[str]:
    """
    Say when somebody last signed in; nothing of those without a password who have not.
    """
    return [
        f"last sign-in {moment:%Y-%m-%d}"
        if pd.notna(moment)
        else ""
        if pd.notna(enabled) and not enabled
        else "never signed in"
        if pd.notna(never) and never
        else "last sign-in not recorded"
        for moment, never, enabled in zip(
            users["password_last_used"],
            was_password_never_used(users),
            users["password_enabled"],
            strict=True,
        )
    ]


def _say_keys(users: pd.DataFrame) -> list[str]:
    held: list[list[int | None]] = [[] for _ in range(len(users))]
    unclear = [False] * len(users)
    for slot in SLOTS:
        active = users[f"access_key_{slot}_active"]
        ages = _list_days(users, f"access_key_{slot}_last_rotated")
        for row, (is_active, days) in enumerate(zip(active, ages, strict=True)):
            if pd.isna(is_active):
                unclear[row] = True
            elif is_active:
                held[row].append(days)
    return [_say_held(ages, is_unclear=odd) for ages, odd in zip(held, unclear, strict=True)]


def _say_held(ages: list[int | None], *, is_unclear: bool) -> str:
    if is_unclear:
        return "active keys not recorded"
    if not ages:
        return "no active key"
    known = [days for days in ages if days is not None]
    if len(known) < len(ages):
        return f"{count(len(ages), 'active key')} of unknown age"
    oldest = "" if len(ages) == 1 else "the oldest "
    return f"{count(len(ages), 'active key')}, {oldest}{count(max(known), 'day')} old"


def _say_age(what: str, days: int | None) -> str:
    return f"{what} of unknown age" if days is None else f"{what} {count(days, 'day')} old"


def _list_days(users: pd.DataFrame, column: str) -> list[int | None]:
    return [None if pd.isna(days) else int(days) for days in count_days(users, column)]
