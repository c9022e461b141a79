import re
from datetime import timedelta

import pytest

from scanner.simulator.calls import read_call
from scanner.simulator.serials import make_serial
from scanner.simulator.sessions import Credentials, Principal
from scanner.simulator.wire import HttpRequest, ServiceError
from scanner.simulator.world import MfaDevice, MfaKind

ACCOUNT = "012345678901"
PRINCIPAL = Principal(
    ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/anna", "AIDA", Credentials("AKIA", "s"), is_caller=True
)


def request(body: bytes, **headers: str) -> HttpRequest:
    return HttpRequest("POST", "/", headers, body)


def test_a_query_call_is_read_from_its_form():
    """
    Operation and parameters come from the body, decoded, empty values kept.
    """
    call = read_call(request(b"Action=ListMFADevices&UserName=%3D1%2B1&Marker="), "iam", PRINCIPAL)

    assert call.operation == "iam:ListMFADevices"
    assert call.text("UserName") == "=1+1"
    assert call.parameters["Marker"] == ""


def test_a_json_call_is_read_from_header_and_body():
    """
    Organizations names the operation in a header; an empty body is an empty object.
    """
    target = {"x-amz-target": "AWSOrganizationsV20161128.ListAccounts"}

    call = read_call(request(b"", **target), "organizations", PRINCIPAL)

    assert call.operation == "organizations:ListAccounts"
    assert call.parameters == {}


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(body):
    """
    Half an object, a list and bad bytes are not parameters.
    """
    with pytest.raises(ServiceError, match="SerializationException"):
        read_call(request(body), "organizations", PRINCIPAL)


def test_a_service_that_is_not_simulated_is_refused():
    """
    A signature for another service does not open these.
    """
    with pytest.raises(ServiceError, match="scoped to correct service"):
        read_call(request(b""), "s3", PRINCIPAL)


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        (MfaKind.VIRTUAL, r"arn:aws:iam::012345678901:mfa/anna"),
        (MfaKind.SECURITY_KEY, r"arn:aws:iam::012345678901:u2f/user/anna/key1-[A-Z2-7]{26}"),
        (MfaKind.HARDWARE, r"GAHT\d{8}"),
    ],
)
def test_a_serial_tells_the_kind_of_device(kind, pattern):
    """
    Virtual devices, security keys and hardware tokens have serials of their own form.
    """
    serial = make_serial(MfaDevice(kind, timedelta(days=1)), 0, ACCOUNT, "anna")

    assert re.fullmatch(pattern, serial)
