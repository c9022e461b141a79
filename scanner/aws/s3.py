"""
Delivery to S3: each object is written once, locked where that is asked for, and read back.

An object is one PutObject with `If-None-Match: *`, so S3 itself refuses to overwrite, and with the SHA-256
from the run's own manifest, so S3 itself refuses other bytes. Multipart uploads, whose checksum is a hash of
hashes that nobody can compare with a manifest, are not used; one PutObject takes 5 GiB (S3 API reference,
PutObject, November 2026).
"""

import base64
import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import IO, Any

from scanner.aws.bucket import Bucket, find_shortfall
from scanner.aws.calls import Answer, CallLog, call_once, call_patiently
from scanner.aws.clients import make_client
from scanner.aws.faults import CallError, Fault, classify
from scanner.aws.s3_faults import explain_read, explain_write
from scanner.delivery import Contents, Parcel, Placed
from scanner.errors import DeliveryError
from scanner.interfaces import Clock

LARGEST = 5 * 1024**3

_PUT, _GET = "s3:PutObject", "s3:GetObject"
_TAKEN = "PreconditionFailed"
# `ConditionalRequestConflict`: somebody else is writing the same key, and S3 asks for another try.
_PUT_AGAIN = frozenset({"ConditionalRequestConflict", "OperationAborted", "BadDigest"})
_PATIENCE = 60.0
_CHUNK = 1024 * 1024
# S3 dates an object by its own clock, and the signature of a request may be a quarter of an hour off.
_SLACK = timedelta(hours=1)
_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".toml": "application/toml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".yaml": "application/yaml",
}


def connect_bucket(
    bucket: Bucket,
    *,
    profile: str | None,
    region: str | None,
    contents: Contents,
    clock: Clock,
) -> "S3Destination":
    """
    Make the client for a bucket, without any call yet. Raises `SettingsError` as `clients.connect` does.
    """
    client = make_client("s3", profile=profile, region=region, endpoint=bucket.endpoint)
    return S3Destination(client, bucket, contents, clock)


class S3Destination:
    """
    A bucket, or a part of it. See `Destination`.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - boto3 makes its clients' classes as it goes
        bucket: Bucket,
        contents: Contents,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.contents: Contents = contents
        self._client = client
        self._bucket = bucket
        self._clock = clock
        self._sleep = sleep
        self._log = CallLog(clock)

    @property
    def name(self) -> str:
        """
        Return the bucket and prefix, and the endpoint where it is not AWS's own. See `Destination.name`.
        """
        where = f"s3://{self._bucket.name}/{self._bucket.prefix}".rstrip("/")
        return f"{where} at {self._bucket.endpoint}" if self._bucket.endpoint else where

    def put(self, parcel: Parcel, content: IO[bytes]) -> Placed:
        """
        Write an object unless its key is taken, and read back what is there. See `Destination.put`.
        """
        key = "/".join(part for part in (self._bucket.prefix, parcel.key) if part)
        where = f"s3://{self._bucket.name}/{key}"
        if parcel.size > LARGEST:
            raise DeliveryError(
                f"{where}: is larger than the 5 GiB that S3 takes at once; deliver it to a folder"
            )
        retain_until = self._choose_date()
        try:
            written = self._write(key, parcel, content, retain_until)
        except CallError as exc:
            raise DeliveryError(f"{where}: {explain_write(exc.fault, self._bucket)}") from None
        was_there = written is None
        version = None if written is None else written.get("VersionId")
        try:
            found, sha256 = self._read_back(key, parcel, version)
        except CallError as exc:
            raise DeliveryError(f"{where}: {explain_read(exc.fault, self._bucket)}") from None
        if sha256 != parcel.sha256:
            raise DeliveryError(f"{where}: {_say_other(was_there=was_there)}")
        if was_there:
            retain_until = self._choose_date(found.get("LastModified"))
        if shortfall := find_shortfall(self._bucket, found, retain_until):
            raise DeliveryError(f"{where}: {shortfall}")
        return Placed(
            where,
            was_there=was_there,
            version_id=found.get("VersionId"),
            etag=found.get("ETag"),
            checksum_sha256=found.get("ChecksumSHA256"),
            encryption=found.get("ServerSideEncryption"),
            kms_key=found.get("SSEKMSKeyId"),
            lock_mode=found.get("ObjectLockMode"),
            retain_until=found.get("ObjectLockRetainUntilDate"),
        )

    def _choose_date(self, written: datetime | None = None) -> datetime | None:
        """
        Return until when an object must be kept that is written now, or was at the time given.
        """
        if self._bucket.retain is None:
            return None
        now = self._clock.now().astimezone(UTC)
        start = now if written is None else min(now, written.astimezone(UTC) - _SLACK)
        return start + self._bucket.retain

    def _write(
        self, key: str, parcel: Parcel, content: IO[bytes], retain_until: datetime | None
    ) -> Answer | None:
        """
        Write an object and return S3's answer, or None when the key is taken.
        """
        asked: dict[str, Any] = {
            **self._address(key),
            "Body": content,
            "ContentLength": parcel.size,
            "ContentType": _TYPES.get(PurePosixPath(key).suffix, "application/octet-stream"),
            # S3 asks for the algorithm's name as well where an object is locked.
            "ChecksumAlgorithm": "SHA256",
            "ChecksumSHA256": base64.b64encode(bytes.fromhex(parcel.sha256)).decode(),
            "IfNoneMatch": "*",
        }
        if self._bucket.kms_key:
            asked["ServerSideEncryption"] = "aws:kms"
            asked["SSEKMSKeyId"] = self._bucket.kms_key
            asked["BucketKeyEnabled"] = True
        if self._bucket.lock_mode:
            asked["ObjectLockMode"] = self._bucket.lock_mode
            asked["ObjectLockRetainUntilDate"] = retain_until

        def attempt() -> Answer:
            content.seek(0)
            try:
                return call_once(_PUT, self._client.put_object, self._log, **asked)
            except CallError as exc:
                # All else that passes, botocore has repeated already.
                again = exc.fault.error in _PUT_AGAIN
                raise CallError(replace(exc.fault, passing=again)) from None

        try:
            return call_patiently(attempt, _PATIENCE, self._sleep)
        except CallError as exc:
            # Also after an attempt whose answer was lost on the way: then what is there is our own.
            if exc.fault.error == _TAKEN or exc.fault.status == 412:
                return None
            raise

    def _read_back(self, key: str, parcel: Parcel, version: str | None) -> tuple[Answer, str]:
        """
        Read an object, the version that was written where there is one; return the answer and its SHA-256.
        """
        asked = {**self._address(key), "ChecksumMode": "ENABLED"}
        if version is not None:
            asked["VersionId"] = version

        def attempt() -> tuple[Answer, str]:
            try:
                answer = call_once(_GET, self._client.get_object, self._log, **asked)
            except CallError as exc:
                raise CallError(replace(exc.fault, passing=False)) from None
            return answer, _hash_body(answer["Body"], parcel.size)

        return call_patiently(attempt, _PATIENCE, self._sleep)

    def _address(self, key: str) -> dict[str, Any]:
        asked = {"Bucket": self._bucket.name, "Key": key}
        if self._bucket.expected_owner:
            asked["ExpectedBucketOwner"] = self._bucket.expected_owner
        return asked


def _hash_body(body: Any, size: int) -> str:  # noqa: ANN401 - botocore's StreamingBody
    digest, seen = hashlib.sha256(), 0
    try:
        for chunk in body.iter_chunks(_CHUNK):
            digest.update(chunk)
            seen += len(chunk)
            if seen > size:
                break
    except Exception as exc:  # noqa: BLE001 - a stream can break in as many ways as a call
        fault = classify(_GET, exc)
        raise CallError(_name_mismatch(fault)) from None
    finally:
        body.close()
    return digest.hexdigest()


def _name_mismatch(fault: Fault) -> Fault:
    if fault.error == "FlexibleChecksumError":
        return replace(fault, message="what arrived is not what S3 says it holds", passing=True)
    return fault


def _say_other(*, was_there: bool) -> str:
    if was_there:
        return (
            "another object is there, and nothing is overwritten; find out whose it is, or deliver under "
            "another prefix"
        )
    return "what S3 gives back is not what was sent; find out what answers in S3's place"
