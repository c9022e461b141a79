"""
The root users as the PDF prints them: what each holds, when it was used, and what was found about it.

Where they are many, those with findings stand first, and the others are counted.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from scanner.checks import CHECKS, Subject, title_check
from scanner.credentials import NOT_SUPPORTED, is_true, is_uninterpretable, says
from scanner.evidence import StoredRun
from scanner.model import Severity, Verdict
from scanner.reports.census import USES, list_root_checks
from scanner.reports.wording import URGENCY, VERDICTS

ROOTS_LIMIT = 120
"""
How many root users are printed one by one.
"""

UNSAID = "not stated"
_SEVERITIES = list(Severity)


def build_roots(
    run: StoredRun, roots: pd.DataFrame, accounts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """
    Return the root users of the accounts that were read, those with the gravest findings first.
    """
    summary = run.summary
    names = {account["account_id"]: account["name"] for account in accounts}
    made = {account["account_id"]: account["generated_time"] for account in accounts}
    checks = [total for total in summary.checks if total.check in list_root_checks(summary)]
    noted = _list_noted(roots, [total.check for total in checks])
    order = sorted(noted, key=lambda place: (_rank(noted[place]), place))
    rest = [place for place in range(len(roots)) if place not in noted]
    shown = (order + rest)[:ROOTS_LIMIT]
    facts = _describe(roots.iloc[shown])
    return {
        "number": len(roots),
        "noted": len(noted),
        "shown": len(shown),
        # The totals of a check about users as well are not of root users alone.
        "checks": [total for total in checks if total.subject == str(Subject.ROOT)],
        "management": summary.management_account_id,
        "counts": _count(roots),
        "rows": [
            fact
            | {
                "name": names.get(fact["account_id"]),
                "noted": _put(noted.get(place, {})),
                "too_old": _say_made(made.get(fact["account_id"])) if fact["is_stale"] else None,
            }
            for place, fact in zip(shown, facts, strict=True)
        ],
    }


def _say_made(moment: datetime | None) -> str:
    return "" if moment is None or pd.isna(moment) else f" of {moment:%Y-%m-%d}"


def _list_noted(roots: pd.DataFrame, checks: list[str]) -> dict[int, dict[Verdict, list[str]]]:
    """
    Return which checks found something about a root user, by its place in the table and by verdict.
    """
    noted: dict[int, dict[Verdict, list[str]]] = {}
    for verdict in URGENCY:
        for name in sorted(checks, key=_grade):
            found = (roots[name].astype("str") == str(verdict)).to_numpy()
            for place in found.nonzero()[0].tolist():
                noted.setdefault(place, {}).setdefault(verdict, []).append(name)
    return noted


def _grade(name: str) -> int:
    check = CHECKS.get(name.partition(":")[0])
    return _SEVERITIES.index(check.severity) if check else 0


def _rank(noted: Mapping[Verdict, list[str]]) -> tuple[int, int]:
    """
    Rank a root user by the first of its verdicts and the gravest check behind it.
    """
    verdict, names = next(iter(noted.items()))
    return URGENCY.index(verdict), _grade(names[0])


def _put(noted: Mapping[Verdict, list[str]]) -> list[tuple[str, str, str]]:
    return [
        (str(verdict), VERDICTS[verdict], "; ".join(map(title_check, names)))
        for verdict, names in noted.items()
    ]


def _describe(roots: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {
        "account_id": roots["account_id"].astype("str").tolist(),
        "password": _say_password(roots),
        "mfa": _say(roots["mfa_active"]),
        "held_keys": _say_slots(roots, "access_key"),
        "certificates": _say_slots(roots, "cert"),
        "used": _say_use(roots),
        "is_stale": roots["is_stale"].tolist(),
    }
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _say(column: pd.Series) -> list[str]:
    return ["not clear" if pd.isna(value) else "yes" if value else "no" for value in column]


def _say_password(roots: pd.DataFrame) -> list[str]:
    """
    Say whether root has a password. Older reports say not_supported of root, and so nothing.
    """
    old = says(roots, "password_enabled", NOT_SUPPORTED)
    return [
        UNSAID if unsaid else word
        for word, unsaid in zip(_say(roots["password_enabled"]), old, strict=True)
    ]


def _say_slots(roots: pd.DataFrame, prefix: str) -> list[str]:
    slots = [roots[f"{prefix}_{slot}_active"] for slot in (1, 2)]
    active = is_true(slots[0]).astype("int64") + is_true(slots[1]).astype("int64")
    unclear = slots[0].isna() | slots[1].isna()
    return [
        f"{number} active{', not clear' if open_ else ''}"
        if number
        else ("not clear" if open_ else "none")
        for number, open_ in zip(active, unclear, strict=True)
    ]


def _say_use(roots: pd.DataFrame) -> list[str]:
    """
    Say on which day a root user was last used by password or key, as far as the report tells.
    """
    newest = roots[list(USES)].max(axis="columns")
    odd = pd.Series(data=False, index=roots.index)
    for column in USES:
        odd |= is_uninterpretable(roots, column)
    return [
        "not clear" if open_ else "none on record" if pd.isna(day) else f"{day:%Y-%m-%d}"
        for day, open_ in zip(newest, odd, strict=True)
    ]


def _count(roots: pd.DataFrame) -> list[tuple[str, int]]:
    """
    Count what the root users hold. Who is not clear, or was in a report that was too old, is in a figure of its own.
    """
    number = len(roots)
    roots = roots[~roots["is_stale"]]
    password, device = roots["password_enabled"], roots["mfa_active"]
    keys = is_true(roots["access_key_1_active"]) | is_true(roots["access_key_2_active"])
    certificates = is_true(roots["cert_1_active"]) | is_true(roots["cert_2_active"])
    return [
        ("read", number),
        ("report too old", number - len(roots)),
        ("with a password", int(is_true(password).sum())),
        ("password not stated", int(password.isna().sum())),
        ("with MFA", int(is_true(device).sum())),
        ("with an active access key", int(keys.sum())),
        ("with an active certificate", int(certificates.sum())),
    ]
