"""
Is a user whom the report shows without MFA still without it? Pure: no disk, no network.

AWS keeps a credential report for four hours, so a user fixed an hour ago still shows as open. While
the account's session is open, the users picked here are asked about live. The answer annotates a
finding and never hides it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scanner.credentials import REPORT_COLUMNS, parse_report
from scanner.errors import EvidenceError
from scanner.model import (
    ROOT_USER,
    AccountId,
    Confirmation,
    mend,
)

LIST_MFA_DEVICES = "ListMFADevices"
GET_LOGIN_PROFILE = "GetLoginProfile"
LIST_USER_TAGS = "ListUserTags"

_USER, _ARN, _PASSWORD, _MFA = (
    REPORT_COLUMNS.index(name) for name in ("user", "arn", "password_enabled", "mfa_active")
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    A user to ask about.
    """

    user: str
    arn: str

    @property
    def file(self) -> str:
        """
        The name under which the live answers are kept: a hash, for an ARN is no file name.
        """
        return live_file(self.arn)


@dataclass(frozen=True, slots=True)
class LiveState:
    """
    What the account said about one user. `owner` is None where no owner tag was found.
    """

    confirmation: Confirmation
    note: str | None
    owner: str | None


NOT_CHECKED = LiveState(Confirmation.NOT_CHECKED, None, None)


def live_file(arn: str) -> str:
    """
    Return the name of a user's live answers within the account's raw folder.
    """
    return f"live/{hashlib.sha256(arn.encode()).hexdigest()[:16]}.json"


def pick_candidates(
    content: bytes, account_id: AccountId, generated_time: datetime
) -> tuple[Candidate, ...]:
    """
    Return the IAM users who have a console password and no MFA, or for whom the report leaves it open.

    These are the rows for which the check `console-no-mfa` says fail or unknown, told here from the text
    of each row: a table for every single account would cost more than all the rest of its work. Raises
    `ReportError` where the report is not what AWS sends.
    """
    report = parse_report(content, account_id, generated_time)
    return tuple(
        Candidate(row[_USER], row[_ARN])
        for row in report.rows
        if row[_USER] != ROOT_USER and not _is_settled(row[_PASSWORD].lower(), row[_MFA].lower())
    )


def _is_settled(enabled: str, device: str) -> bool:
    return enabled == "false" or (enabled == "true" and device == "true")


def read_live(record: Mapping[str, Any], owner_tags: Sequence[str]) -> LiveState:
    """
    Read the stored live answers about one user.

    `record["answers"]` maps an operation's name to `{"answer": ...}` or `{"error": {"code": ...}}`.
    GetLoginProfile answers NoSuchEntity both for a missing user and for a missing password, so
    ListMFADevices tells the two apart (IAM API reference). Raises `EvidenceError` for a damaged record.
    """
    answers = _mapping(record.get("answers", {}))
    devices, profile, tags = (
        _mapping(answers.get(operation, {}))
        for operation in (LIST_MFA_DEVICES, GET_LOGIN_PROFILE, LIST_USER_TAGS)
    )
    owner = _read_owner(tags, owner_tags)
    if _error_code(devices) == "NoSuchEntity":
        return LiveState(Confirmation.USER_DELETED, None, owner)
    # Without an answer about devices the user may as well be gone: then nothing is known.
    if _error_code(profile) == "NoSuchEntity" and "answer" in devices:
        return LiveState(Confirmation.PASSWORD_REMOVED, None, owner)
    problem = _error_code(devices) or _error_code(profile)
    if problem:
        return LiveState(Confirmation.NOT_CHECKED, f"could not be asked: {mend(problem)}", owner)
    if "answer" not in devices or "answer" not in profile:
        return LiveState(Confirmation.NOT_CHECKED, None, owner)
    return _read_devices(_entries(devices, "MFADevices"), str(record.get("arn", "")), owner)


def _read_devices(devices: Sequence[Mapping[str, Any]], arn: str, owner: str | None) -> LiveState:
    if not devices:
        return LiveState(Confirmation.STILL_OPEN, None, owner)
    if not _belong(devices, arn):
        return LiveState(Confirmation.NOT_CHECKED, "another account's devices were named", owner)
    return LiveState(Confirmation.FIXED_SINCE_REPORT, _describe_devices(devices), owner)


def _belong(devices: Sequence[Mapping[str, Any]], arn: str) -> bool:
    """
    Tell whether every device whose serial number is an ARN lies in the account of the user's ARN.
    """
    serials = [str(device.get("SerialNumber", "")) for device in devices]
    return all(
        serial.split(":")[4:5] == arn.split(":")[4:5]
        for serial in serials
        if serial.startswith("arn:")
    )


def _describe_devices(devices: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{name_mfa_kind(str(device.get('SerialNumber', '')))}"
        f" since {mend(str(device.get('EnableDate', '')))[:10]}"
        for device in devices
    )


def name_mfa_kind(serial: str) -> str:
    """
    Name the kind of an MFA device by the form of its serial number.

    A virtual device's is an ARN with `:mfa`, a security key's or passkey's an ARN with `:u2f`, a
    hardware token's no ARN at all (IAM user guide and API reference, MFADevice).
    """
    if not serial.startswith("arn:"):
        return "hardware token"
    resource = serial.split(":", 5)[-1]
    if resource.startswith("u2f/"):
        return "security key or passkey"
    return "virtual device" if resource.startswith("mfa/") else "device of unknown kind"


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise EvidenceError("the live answers about a user are damaged")
    return value


def _entries(entry: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    listed = _mapping(entry["answer"]).get(name, [])
    if not isinstance(listed, list):
        raise EvidenceError(f"the live answers about a user are damaged: {name} is no list")
    return [_mapping(item) for item in listed]


def _error_code(entry: Mapping[str, Any]) -> str:
    return str(_mapping(entry.get("error") or {}).get("code") or "")


def _read_owner(entry: Mapping[str, Any], owner_tags: Sequence[str]) -> str | None:
    tags = _entries(entry, "Tags") if "answer" in entry else []
    held = {str(tag.get("Key", "")).casefold(): mend(str(tag.get("Value", ""))) for tag in tags}
    for name in owner_tags:
        value = held.get(name.casefold())
        if value:
            return value
    return None
