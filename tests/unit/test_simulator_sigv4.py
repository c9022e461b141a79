import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from scanner.simulator.sigv4 import check_signature, read_signature
from scanner.simulator.wire import HttpRequest, ServiceError

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SCOPE = "20261124/us-east-1/iam/aws4_request"
BODY = b"Action=ListUsers&Version=2010-05-08"


def sign(body: bytes = BODY, *, stamp: str = "20261124T120000Z", scope: str = SCOPE) -> HttpRequest:
    canonical = (
        f"POST\n/\n\nhost:127.0.0.1:80\nx-amz-date:{stamp}\n\nhost;x-amz-date\n"
        f"{hashlib.sha256(body).hexdigest()}"
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers = {
        "host": "127.0.0.1:80",
        "x-amz-date": stamp,
        "authorization": f"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/{scope}, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}",
    }
    return HttpRequest("POST", "/", headers, body)


def check(request: HttpRequest, *, secret: str = SECRET, now: datetime = NOW) -> None:
    check_signature(request, read_signature(request.headers), secret, now)


def with_header(request: HttpRequest, name: str, value: str) -> HttpRequest:
    return request._replace(headers={**request.headers, name: value})


def test_a_signed_request_is_accepted():
    """
    What was signed with the secret passes, and the key and the service are read from it.
    """
    request = sign()

    check(request)

    signature = read_signature(request.headers)
    assert (signature.access_key, signature.service) == ("AKIAEXAMPLE", "iam")


@pytest.mark.parametrize(
    "request_",
    [
        sign()._replace(body=BODY.replace(b"ListUsers", b"DeleteUser")),
        sign()._replace(method="GET"),
        sign()._replace(target="/?x=1"),
        with_header(sign(), "host", "127.0.0.1:81"),
        with_header(sign(), "x-amz-date", "20261124T120001Z"),
        sign(scope="20261123/us-east-1/iam/aws4_request"),
    ],
    ids=["body", "method", "target", "host", "time", "date of the scope"],
)
def test_a_tampered_request_is_refused(request_):
    """
    Any change to what was signed breaks the signature.
    """
    with pytest.raises(ServiceError) as caught:
        check(request_)

    assert (caught.value.code, caught.value.status) == ("SignatureDoesNotMatch", 403)


def test_another_secret_is_refused():
    """
    A key does not work with another key's secret.
    """
    with pytest.raises(ServiceError, match="SignatureDoesNotMatch"):
        check(sign(), secret=SECRET[::-1])


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (
            timedelta(minutes=16),
            (
                r"Signature expired: 20261124T120000Z is now earlier than 20261124T120100Z "
                r"\(20261124T121600Z - 15 min\.\)"
            ),
        ),
        (
            timedelta(minutes=-16),
            (
                r"Signature not yet current: 20261124T120000Z is still later than 20261124T115900Z "
                r"\(20261124T114400Z \+ 15 min\.\)"
            ),
        ),
    ],
)
def test_a_signature_lasts_a_quarter_of_an_hour(ahead, words):
    """
    A clock more than 15 minutes off is refused, in AWS's words, on either side.
    """
    with pytest.raises(ServiceError, match=words):
        check(sign(), now=NOW + ahead)


@pytest.mark.parametrize("minutes", [-15, 0, 15])
def test_a_clock_a_little_off_is_accepted(minutes):
    """
    Up to 15 minutes either way are tolerated.
    """
    check(sign(), now=NOW + timedelta(minutes=minutes))


def test_an_unsigned_request_is_refused():
    """
    Without an Authorization header there is nobody to answer.
    """
    with pytest.raises(ServiceError, match="MissingAuthenticationToken"):
        read_signature({"host": "127.0.0.1"})


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic dXNlcjpwYXNz",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=AKIA/x, SignedHeaders=host, Signature=0",
        f"AWS4-HMAC-SHA256 Credential=AKIA/{SCOPE}, SignedHeaders=host",
        f"AWS4-HMAC-SHA256 Credential=AKIA/{SCOPE}, SignedHeaders=x-amz-date, Signature=0",
    ],
)
def test_half_an_authorization_is_refused(authorization):
    """
    A header with a part missing, or that does not sign the host, is incomplete.
    """
    with pytest.raises(ServiceError, match="IncompleteSignature"):
        read_signature({"authorization": authorization})


def test_a_request_without_a_date_is_refused():
    """
    Without a time, a signature could be kept and used for ever.
    """
    request = sign()
    headers = {name: value for name, value in request.headers.items() if name != "x-amz-date"}

    with pytest.raises(ServiceError, match="IncompleteSignature"):
        check(request._replace(headers=headers))
