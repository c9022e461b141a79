"""
Signature Version 4, checked: who signed a request, and whether it is what was signed.

AWS's refusals differ by protocol (`scanner.simulator.wire` knows the JSON services' words); the codes
here are those of the Query services. Unlike AWS, any region is accepted in the credential scope: a
client whose endpoint is overridden signs with the region it was configured with.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from scanner.simulator.wire import HttpRequest, ServiceError

_ALGORITHM = "AWS4-HMAC-SHA256"
_TIME_FORMAT = "%Y%m%dT%H%M%SZ"
TOLERANCE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Signature:
    """
    The parts of an Authorization header.
    """

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    value: str

    @property
    def scope(self) -> str:
        """
        The credential scope that is part of what was signed.
        """
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def read_signature(headers: Mapping[str, str]) -> Signature:
    """
    Read the Authorization header, or raise `ServiceError` where it is missing or unreadable.
    """
    authorization = headers.get("authorization", "")
    if not authorization:
        raise ServiceError(
            "MissingAuthenticationToken", "Request is missing Authentication Token", 403
        )
    algorithm, _, rest = authorization.partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    scope = parts.get("Credential", "").split("/")
    signed = tuple(parts.get("SignedHeaders", "").split(";"))
    is_whole = len(scope) == 5 and scope[4] == "aws4_request" and "host" in signed
    if algorithm != _ALGORITHM or not is_whole or "Signature" not in parts:
        raise ServiceError(
            "IncompleteSignature",
            "The request signature does not conform to AWS standards.",
            403,
        )
    return Signature(scope[0], scope[1], scope[2], scope[3], signed, parts["Signature"])


def check_signature(request: HttpRequest, signature: Signature, secret: str, now: datetime) -> None:
    """
    Raise `ServiceError` unless `secret` signed exactly this request, within 15 minutes of `now`.
    """
    stamp = request.headers.get("x-amz-date", "")
    check_signing_time(stamp, now)
    digest = hashlib.sha256(_canonical_request(request, signature)).hexdigest()
    to_sign = f"{_ALGORITHM}\n{stamp}\n{signature.scope}\n{digest}"
    key = _signing_key(secret, signature.date, signature.region, signature.service)
    expected = hmac.digest(key, to_sign.encode(), "sha256").hex()
    if stamp[:8] != signature.date or not hmac.compare_digest(
        expected.encode(), signature.value.encode("latin-1", "replace")
    ):
        raise _mismatch(
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method. Consult the service documentation for "
            "details."
        )


def check_signing_time(stamp: str, now: datetime) -> None:
    """
    Raise `ServiceError` unless the request's time lies within 15 minutes of `now`.
    """
    try:
        signed = read_stamp(stamp)
    except ValueError:
        raise ServiceError(
            "IncompleteSignature",
            f"Date must be in ISO-8601 'basic format'. Got '{stamp}'.",
            403,
        ) from None
    if not now - TOLERANCE <= signed <= now + TOLERANCE:
        raise refuse_time(stamp, signed, now)


def refuse_time(stamp: str, signed: datetime, now: datetime) -> ServiceError:
    """
    Return the refusal of a request signed too early or too late.
    """
    if signed < now:
        words = f"Signature expired: {stamp} is now earlier than {now - TOLERANCE:{_TIME_FORMAT}}"
        return _mismatch(f"{words} ({now:{_TIME_FORMAT}} - 15 min.)")
    words = f"Signature not yet current: {stamp} is still later than"
    return _mismatch(f"{words} {now + TOLERANCE:{_TIME_FORMAT}} ({now:{_TIME_FORMAT}} + 15 min.)")


@lru_cache(maxsize=64)
def read_stamp(stamp: str) -> datetime:
    """
    Read the time of a request, or raise `ValueError`.
    """
    return datetime.strptime(stamp, _TIME_FORMAT).replace(tzinfo=UTC)


def _mismatch(message: str) -> ServiceError:
    return ServiceError("SignatureDoesNotMatch", message, 403)


def _canonical_request(request: HttpRequest, signature: Signature) -> bytes:
    path, _, query = request.target.partition("?")
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n"
        for name in signature.signed_headers
    )
    lines = (
        request.method,
        path or "/",
        "&".join(sorted(query.split("&"))) if query else "",
        headers,
        ";".join(signature.signed_headers),
        hashlib.sha256(request.body).hexdigest(),
    )
    return "\n".join(lines).encode("latin-1")


@lru_cache(maxsize=65536)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
