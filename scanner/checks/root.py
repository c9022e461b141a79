"""
What the root user holds. Root's rights cannot be narrowed, so each of its credentials matters.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scanner.checks.registry import NoParameters, Subject, check, decide, name_uninterpretable
from scanner.model import Severity, Verdict

_COLUMNS = ("access_key_1_active", "access_key_2_active")


def _observe(row: Mapping[str, Any], verdict: Verdict) -> str:
    if verdict is not Verdict.FAIL:
        return name_uninterpretable(row, _COLUMNS)
    keys = [slot for slot in (1, 2) if row[f"access_key_{slot}_active"] is True]
    words = []
    for slot in keys:
        rotated = row[f"access_key_{slot}_last_rotated"]
        since = "" if pd.isna(rotated) else f" since {rotated:%Y-%m-%d}"
        words.append(f"access key {slot} active{since}")
    return f"root: {'; '.join(words)}"


@check(
    "root-access-key-active",
    title="Active root access key",
    subject=Subject.ROOT,
    severity=Severity.CRITICAL,
    condition="The root user with access_key_1_active or access_key_2_active true.",
    columns=_COLUMNS,
    observe=_observe,
)
def judge_root_access_key_active(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Fail each root user with an active access key in either slot.

    One active key is enough to fail; both slots must be readable to pass.
    """
    return decide(
        table,
        about=table["is_root"],
        applies=pd.Series(True, index=table.index, dtype="boolean"),  # noqa: FBT003 - the mask's value
        violated=table["access_key_1_active"] | table["access_key_2_active"],
    )
