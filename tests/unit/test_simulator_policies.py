import json

import pytest

from scanner.simulator.policies import parse_policy
from scanner.simulator.wire import ServiceError

USER = "arn:aws:iam::012345678901:user/anna"


def policy(*statements: object, version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def allow(*actions: str, resource: str = "*") -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (allow("iam:ListMFADevices"), True),
        (allow("IAM:listmfadevices"), True),
        (allow("iam:List*"), True),
        (allow("*"), True),
        (allow("iam:Get*"), False),
        (allow("iam:ListMFADevices", resource=USER), True),
        (allow("iam:ListMFADevices", resource="arn:aws:iam::*:user/b*"), False),
    ],
)
def test_an_action_needs_a_statement_that_names_it(statement, expected):
    """
    Actions match without regard to case and with wildcards, resources with wildcards.
    """
    assert expected is parse_policy(policy(statement)).allows("iam:ListMFADevices", USER)


def test_a_deny_outweighs_every_allow():
    """
    One denial is enough.
    """
    denial = {"Effect": "Deny", "Action": "iam:ListMFADevices", "Resource": "*"}

    assert not parse_policy(policy(allow("*"), denial)).allows("iam:ListMFADevices", USER)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '"text"',
        policy(),
        policy(allow("iam:ListUsers"), version="2020-01-01"),
        policy({"Effect": "Maybe", "Action": "*", "Resource": "*"}),
        policy({"Effect": "Allow", "Resource": "*"}),
        policy({"Effect": "Allow", "Action": "iam:ListUsers"}),
        policy({"Effect": "Allow", "Action": "ListUsers", "Resource": "*"}),
        policy({**allow("*"), "Condition": {"Bool": {"aws:SecureTransport": "true"}}}),
        policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused(text):
    """
    Neither bad JSON nor a statement that is not simulated is guessed at.
    """
    with pytest.raises(ServiceError) as caught:
        parse_policy(text)

    assert (caught.value.code, caught.value.status) == ("MalformedPolicyDocument", 400)


def test_a_policy_of_more_than_2048_characters_is_refused():
    """
    STS counts the characters of a session policy.
    """
    with pytest.raises(ServiceError, match="PackedPolicyTooLarge"):
        parse_policy(policy(allow("iam:ListUsers")) + " " * 2048)
