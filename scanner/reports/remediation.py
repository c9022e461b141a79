"""
How what was found is put right: the commands and the policy that the PDF prints, for the run's own partition.

Commands hold names such as USER and SERIAL for a person to replace, and never a name from the evidence: a user
may be called anything, and a command line is copied. The sentences around them stand in `remediation.html`.
"""

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

CONSOLES: Mapping[str, str] = {
    "aws": "https://console.aws.amazon.com/iam/",
    "aws-cn": "https://console.amazonaws.cn/iam/",
    "aws-us-gov": "https://console.amazonaws-us-gov.com/iam/",
}
"""
Where the IAM console of a partition is.
"""

GOVCLOUD = "aws-us-gov"
"""
The partition whose root users have no console, and so neither a password nor MFA.
"""

_SELF_SERVICE = (
    "iam:CreateVirtualMFADevice",
    "iam:EnableMFADevice",
    "iam:GetMFADevice",
    "iam:ListMFADevices",
    "iam:ListVirtualMFADevices",
    "iam:ResyncMFADevice",
    "iam:GetUser",
    "iam:ChangePassword",
    "iam:GetAccountPasswordPolicy",
    "sts:GetSessionToken",
)
_LINE = 104
_WITHOUT_MFA = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
_WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def build_remediation(partition: str) -> dict[str, Any]:
    """
    Return what the chapter on remediation prints for a partition.
    """
    return {
        "console": CONSOLES.get(partition),
        "is_govcloud": partition == GOVCLOUD,
        "partition": partition,
        "commands": build_commands(partition),
        "policy": write_policy(deny_without_mfa(partition)).split("\n"),
        "service_control": write_policy(deny_people_without_mfa(partition)).split("\n"),
        "exempt": _SELF_SERVICE,
    }


def build_commands(partition: str) -> Mapping[str, Sequence[str]]:
    """
    Return the lines of commands of the AWS CLI, by what they are for. A line that goes on ends in a backslash.
    """
    device = f"arn:{partition}:iam::ACCOUNT:mfa/USER-phone"
    task = f"arn:{partition}:iam::aws:policy/root-task/IAMDeleteRootUserCredentials"
    return {
        "create": (
            "umask 077",
            "aws iam create-virtual-mfa-device --virtual-mfa-device-name USER-phone \\",
            "    --bootstrap-method QRCodePNG --outfile ./USER-phone.png",
        ),
        "enable": (
            f"aws iam enable-mfa-device --user-name USER --serial-number {device} \\",
            "    --authentication-code1 123456 --authentication-code2 654321",
        ),
        "list": ("aws iam list-mfa-devices --user-name USER",),
        "hardware": (
            "aws iam enable-mfa-device --user-name USER --serial-number GAHT12345678 \\",
            "    --authentication-code1 123456 --authentication-code2 654321",
        ),
        "unused": (
            "aws iam get-login-profile --user-name USER",
            "aws iam list-access-keys --user-name USER",
            "aws iam get-access-key-last-used --access-key-id KEY",
        ),
        "password": ("aws iam delete-login-profile --user-name USER",),
        "resync": (
            "aws iam resync-mfa-device --user-name USER --serial-number SERIAL \\",
            "    --authentication-code1 123456 --authentication-code2 654321",
        ),
        "lost": (
            "aws iam list-mfa-devices --user-name USER",
            "aws iam deactivate-mfa-device --user-name USER --serial-number SERIAL",
        ),
        "unassigned": ("aws iam delete-virtual-mfa-device --serial-number SERIAL",),
        "path": ("aws iam update-user --user-name USER --new-path /people/",),
        "root": (
            "aws organizations enable-aws-service-access --service-principal iam.amazonaws.com",
            "aws iam enable-organizations-root-credentials-management",
            "aws iam enable-organizations-root-sessions",
        ),
        "assume": (
            "aws sts assume-root --region REGION --target-principal ACCOUNT \\",
            f"    --task-policy-arn arn={task}",
        ),
        # Without a name of a user these are about whoever calls, so the caller is looked at first.
        "delete": (
            "aws sts get-caller-identity",
            "aws iam delete-login-profile",
            "aws iam list-access-keys",
            "aws iam delete-access-key --access-key-id KEY",
            "aws iam list-signing-certificates",
            "aws iam delete-signing-certificate --certificate-id CERTIFICATE",
            "aws iam list-mfa-devices",
            "aws iam deactivate-mfa-device --serial-number SERIAL",
        ),
    }


def deny_without_mfa(partition: str) -> dict[str, Any]:
    """
    Return a policy for people: without MFA they can enrol a device, change their password, and do nothing else.
    """
    # A user's ARN holds its path, and a name is an account's only one, whatever its path.
    own = [
        f"arn:{partition}:iam::*:user/${{aws:username}}",
        f"arn:{partition}:iam::*:user/*/${{aws:username}}",
    ]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "SeeWhatThePagesShow",
                "Effect": "Allow",
                "Action": ["iam:ListVirtualMFADevices", "iam:GetAccountPasswordPolicy"],
                "Resource": "*",
            },
            {
                "Sid": "MakeAVirtualDevice",
                "Effect": "Allow",
                "Action": "iam:CreateVirtualMFADevice",
                "Resource": f"arn:{partition}:iam::*:mfa/*",
            },
            {
                "Sid": "LookAfterOneself",
                "Effect": "Allow",
                "Action": [
                    "iam:EnableMFADevice",
                    "iam:GetMFADevice",
                    "iam:ListMFADevices",
                    "iam:ResyncMFADevice",
                    "iam:GetUser",
                    "iam:ChangePassword",
                ],
                "Resource": own,
            },
            {
                "Sid": "RemoveADeviceOnlyWithMFA",
                "Effect": "Allow",
                "Action": "iam:DeactivateMFADevice",
                "Resource": own,
                "Condition": _WITH_MFA,
            },
            {
                "Sid": "DenyOthersDevicesWithoutMFA",
                "Effect": "Deny",
                "Action": ["iam:EnableMFADevice", "iam:ResyncMFADevice"],
                "NotResource": own,
                "Condition": _WITHOUT_MFA,
            },
            _deny_all_else(_WITHOUT_MFA),
        ],
    }


def deny_people_without_mfa(partition: str) -> dict[str, Any]:
    """
    Return the denial as a service control policy: of IAM users under the path /people/, and of no one else.
    """
    people = {
        **_WITHOUT_MFA,
        "ArnLike": {"aws:PrincipalArn": f"arn:{partition}:iam::*:user/people/*"},
        "Bool": {"aws:ViaAWSService": "false"},
    }
    return {"Version": "2012-10-17", "Statement": [_deny_all_else(people)]}


def _deny_all_else(condition: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Sid": "DenyAllElseWithoutMFA",
        "Effect": "Deny",
        "NotAction": list(_SELF_SERVICE),
        "Resource": "*",
        "Condition": condition,
    }


def write_policy(policy: Mapping[str, Any]) -> str:
    """
    Write a policy as JSON that a person can read: short lists and objects on one line.
    """
    return _write(policy, "")


def _write(value: object, indent: str, key: str = "") -> str:
    short = json.dumps(value)
    if not isinstance(value, dict | list) or (indent and len(indent + key + short) <= _LINE):
        return short
    deeper = f"{indent}    "
    if isinstance(value, dict):
        lines = [
            f"{deeper}{json.dumps(key)}: {_write(item, deeper, key)}" for key, item in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if all(isinstance(item, str) for item in value):
        items = textwrap.wrap(
            short[1:-1], _LINE - len(deeper), break_long_words=False, break_on_hyphens=False
        )
        return "[\n" + "\n".join(f"{deeper}{line}" for line in items) + f"\n{indent}]"
    return "[\n" + ",\n".join(f"{deeper}{_write(item, deeper)}" for item in value) + f"\n{indent}]"
