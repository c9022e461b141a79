"""
A bucket to deliver to: how objects are to be kept there, and whether one is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

LockMode = Literal["GOVERNANCE", "COMPLIANCE"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    Where in S3, and how objects are kept there.

    Without `kms_key` the bucket's own encryption decides. `lock_mode` and `retain` go together, or are None.
    `expected_owner` is the account the bucket must belong to. `endpoint` is None for AWS's own.
    """

    name: str
    prefix: str = ""
    kms_key: str | None = None
    lock_mode: LockMode | None = None
    retain: timedelta | None = None
    expected_owner: str | None = None
    endpoint: str | None = None


def find_shortfall(
    bucket: Bucket, found: Mapping[str, Any], retain_until: datetime | None
) -> str | None:
    """
    Say how an object is kept less well than asked for, None where it is not. `found` is GetObject's answer.

    What S3 does not say is a shortfall too: it tells of a lock only those who may read it.
    """
    return _find_other_key(bucket, found) or _find_short_lock(bucket, found, retain_until)


def _find_other_key(bucket: Bucket, found: Mapping[str, Any]) -> str | None:
    encryption, used = found.get("ServerSideEncryption"), str(found.get("SSEKMSKeyId", ""))
    if bucket.kms_key is None or (encryption == "aws:kms" and _is_key(bucket.kms_key, used)):
        return None
    return (
        f"is not encrypted with the key asked for, but with {used or encryption or 'none'}; find out what "
        "answers in S3's place, or who wrote the object"
    )


def _find_short_lock(
    bucket: Bucket, found: Mapping[str, Any], retain_until: datetime | None
) -> str | None:
    if retain_until is None:
        return None
    mode, until = found.get("ObjectLockMode"), found.get("ObjectLockRetainUntilDate")
    if mode is None or until is None:
        return (
            "S3 does not say that the object is locked; allow s3:GetObjectRetention, or, where it was there "
            "before, lock it with `aws s3api put-object-retention`"
        )
    is_strict = mode in {bucket.lock_mode, "COMPLIANCE"}
    if is_strict and until.astimezone(UTC) >= retain_until.replace(microsecond=0):
        return None
    return (
        f"is locked in mode {mode} until {until:%Y-%m-%d}, which is less than was asked for; lock it with "
        "`aws s3api put-object-retention`"
    )


def _is_key(asked: str, used: str) -> bool:
    """
    Tell whether a key is the one asked for. Which key an alias stands for, only KMS knows.
    """
    if asked.startswith("alias/") or ":alias/" in asked:
        return bool(used)
    return used == asked or used.endswith(f"/{asked.removeprefix('key/')}")
