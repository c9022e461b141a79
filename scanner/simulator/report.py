"""
An account's users to the bytes of a credential report, the way AWS writes them. Pure.

22 columns, the root user first, then users by name without regard to case; LF line ends and none
after the last line. Live captures of September 2026. How AWS quotes a comma or a quotation mark in a
path is not documented; here it is quoted as RFC 4180 says, and faults write it otherwise.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from scanner.model import ROOT_USER
from scanner.simulator.clock import find_birth
from scanner.simulator.world import AccessKey, Certificate, Password, Root, User

COLUMNS = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
)
NONE = "N/A"
NEVER = "no_information"
NOT_SUPPORTED = "not_supported"


def format_time(moment: datetime) -> str:
    """
    Write a moment in UTC as AWS does: whole seconds and `Z`.
    """
    return moment.isoformat()[:19] + "Z"


def write_report(
    *,
    account_id: str,
    joined: timedelta,
    root: Root,
    users: Iterable[User],
    start: datetime,
) -> bytes:
    """
    Return the report's bytes. Ages count back from `start`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    arn = f"arn:aws:iam::{account_id}:"
    writer.writerow(
        [
            ROOT_USER,
            f"{arn}root",
            format_time(find_birth(start, joined)),
            *_password_cells(root.password, start, rotation=NOT_SUPPORTED),
            *_credential_cells(root, start),
        ]
    )
    writer.writerows(
        [
            user.name,
            f"{arn}user{user.path}{user.name}",
            format_time(find_birth(start, user.created)),
            *_password_cells(user.password, start, rotation=NONE),
            *_credential_cells(user, start),
        ]
        for user in sorted(users, key=lambda user: user.name.casefold())
    )
    return text.getvalue().removesuffix("\n").encode()


def _password_cells(password: Password | None, start: datetime, *, rotation: str) -> list[str]:
    if password is None:
        return ["false", NONE, NONE, rotation]
    used = NEVER if password.used is None else format_time(start - password.used)
    return ["true", used, format_time(start - password.changed), rotation]


def _credential_cells(holder: User | Root, start: datetime) -> list[str]:
    cells = ["true" if holder.devices else "false"]
    for slot in (0, 1):
        cells += _key_cells(holder.keys, slot, start)
    # Inactive certificates come first (live capture).
    certificates = sorted(holder.certificates, key=lambda certificate: certificate.active)
    for slot in (0, 1):
        cells += _certificate_cells(certificates, slot, start)
    return cells


def _key_cells(keys: Sequence[AccessKey], slot: int, start: datetime) -> list[str]:
    if slot >= len(keys):
        return ["false", NONE, NONE, NONE, NONE]
    key = keys[slot]
    cells = ["true" if key.active else "false", format_time(start - key.rotated)]
    if key.used is None:
        return [*cells, NONE, NONE, NONE]
    return [*cells, format_time(start - key.used), key.region, key.service]


def _certificate_cells(
    certificates: Sequence[Certificate], slot: int, start: datetime
) -> list[str]:
    if slot >= len(certificates):
        return ["false", NONE]
    certificate = certificates[slot]
    return ["true" if certificate.active else "false", format_time(start - certificate.rotated)]
