import json
import re
import shlex
from functools import cache

import botocore.session
import pytest

from scanner.reports.remediation import (
    CONSOLES,
    build_commands,
    build_remediation,
    deny_people_without_mfa,
    deny_without_mfa,
)

PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso-b")
BY_THE_CLI = {"--outfile", "--bootstrap-method", "--region"}
"""
Options of the AWS CLI itself, or that it has in place of what the API answers.
"""


@cache
def load(service: str):
    """
    Return the model of a service.
    """
    return botocore.session.Session().get_service_model(service)


def find_operation(service: str, command: str):
    """
    Return the model of the operation that a command of the AWS CLI calls.
    """
    model = load(service)
    names = {name.lower(): name for name in model.operation_names}
    return model.operation_model(names[command.replace("-", "")])


def list_commands(partition: str):
    """
    Yield each command as its words, lines that go on put together.
    """
    for lines in build_commands(partition).values():
        for line in "\n".join(lines).replace("\\\n", "").splitlines():
            if line.startswith("aws "):
                yield shlex.split(line)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_the_policy_that_is_printed_is_json(partition):
    """
    What somebody copies from the page is the policy, whole.
    """
    printed = build_remediation(partition)

    assert json.loads("\n".join(printed["policy"])) == deny_without_mfa(partition)
    assert json.loads("\n".join(printed["service_control"])) == deny_people_without_mfa(partition)
    assert max(map(len, printed["policy"] + printed["service_control"])) < 120


@pytest.mark.parametrize("partition", PARTITIONS)
def test_every_arn_lies_in_the_partition_of_the_run(partition):
    """
    A policy for another partition would match nothing there.
    """
    printed = build_remediation(partition)
    text = "\n".join(
        [
            *printed["policy"],
            *printed["service_control"],
            *(x for lines in printed["commands"].values() for x in lines),
        ]
    )

    arns = re.findall(r"arn:([a-z-]+):", text)
    assert arns
    assert set(arns) == {partition}


def test_the_denial_leaves_a_way_to_enrol_and_denies_keys_without_mfa():
    """
    A first sign-in is not locked out, and a request that does not say whether there was MFA is denied.
    """
    *others, denial = deny_without_mfa("aws")["Statement"]

    assert denial["Effect"] == "Deny"
    assert denial["Condition"] == {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
    exempt = set(denial["NotAction"])
    assert {"iam:ChangePassword", "iam:EnableMFADevice", "sts:GetSessionToken"} <= exempt
    assert not {"iam:DeactivateMFADevice", "iam:DeleteVirtualMFADevice"} & exempt
    for statement in others:
        actions = statement["Action"]
        names = {actions} if isinstance(actions, str) else set(actions)
        assert names <= exempt or "Condition" in statement


def test_without_mfa_nobody_enrols_a_device_for_somebody_else():
    """
    What is exempt from the denial is denied again for every user but oneself, whatever else is allowed.
    """
    statements = deny_without_mfa("aws")["Statement"]

    own = next(
        s for s in statements if s["Effect"] == "Allow" and "iam:EnableMFADevice" in s["Action"]
    )
    denial = next(s for s in statements if "NotResource" in s)
    assert denial["Effect"] == "Deny"
    assert {"iam:EnableMFADevice", "iam:ResyncMFADevice"} <= set(denial["Action"])
    assert denial["NotResource"] == own["Resource"]
    assert all("${aws:username}" in arn for arn in denial["NotResource"])
    assert denial["Condition"] == statements[-1]["Condition"]


def test_the_service_control_policy_only_denies_and_only_people():
    """
    It holds no grant, which would grant nothing, and names people by their path: a workload's IAM user is none.
    """
    (denial,) = deny_people_without_mfa("aws")["Statement"]

    assert denial["Effect"] == "Deny"
    assert denial["NotAction"] == deny_without_mfa("aws")["Statement"][-1]["NotAction"]
    assert denial["Condition"]["ArnLike"] == {"aws:PrincipalArn": "arn:aws:iam::*:user/people/*"}
    assert denial["Condition"]["Bool"] == {"aws:ViaAWSService": "false"}


def test_what_is_deleted_as_root_names_no_user_and_begins_with_who_calls():
    """
    With another caller's credentials the same commands would delete that caller's own.
    """
    first, *rest = build_commands("aws")["delete"]

    assert first == "aws sts get-caller-identity"
    assert not any("--user-name" in line for line in rest)


def test_a_lost_device_is_looked_up_before_it_is_removed():
    """
    Its serial number is what AWS lists, and never made up from the user's name.
    """
    first, *rest = build_commands("aws")["lost"]

    assert first == "aws iam list-mfa-devices --user-name USER"
    assert all("--serial-number SERIAL" in line for line in rest)


def test_every_action_of_the_policy_exists():
    """
    A misspelt action would be exempt in vain, and nobody would be told.
    """
    for action in build_remediation("aws")["exempt"]:
        service, name = action.split(":")
        assert name in load(service).operation_names


@pytest.mark.parametrize("partition", PARTITIONS)
def test_every_command_is_one_of_the_aws_cli(partition):
    """
    Operation and options are those of the service's model, and none that it requires is missing.
    """
    commands = list(list_commands(partition))

    assert len(commands) > 10
    for _, service, command, *words in commands:
        operation = find_operation(service, command)
        shape = operation.input_shape
        options = {_spell(n): n for n in (shape.members if shape else ())}
        given = {word for word in words if word.startswith("--")}
        assert given <= options.keys() | BY_THE_CLI, command
        required = {_spell(name) for name in (shape.required_members if shape else ())}
        assert required <= given, command


def _spell(member: str) -> str:
    """
    Spell a member of the API as the CLI does: VirtualMFADeviceName is --virtual-mfa-device-name.
    """
    return "--" + re.sub(
        r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z])", "-", member
    ).lower().replace("code-", "code")


def test_a_secret_is_written_where_only_its_owner_reads_it():
    """
    The file with the seed is made after the mask is set.
    """
    first, *rest = build_commands("aws")["create"]

    assert first == "umask 077"
    assert "--outfile" in "".join(rest)


def test_a_partition_that_is_not_known_gets_no_address():
    """
    Better no link than one to another partition's console.
    """
    assert build_remediation("aws-iso-b")["console"] is None
    assert set(CONSOLES) == {"aws", "aws-cn", "aws-us-gov"}
