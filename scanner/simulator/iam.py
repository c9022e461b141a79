"""
IAM: the reads that a scan makes. Every answer is that of the calling session's own account.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from scanner.simulator.calls import Call
from scanner.simulator.clock import find_birth
from scanner.simulator.estate import Estate, LiveAccount
from scanner.simulator.report import format_time
from scanner.simulator.serials import make_serial
from scanner.simulator.sessions import make_unique_id
from scanner.simulator.wire import ServiceError, write_elements
from scanner.simulator.world import User

Item = TypeVar("Item")

_LOOKUP_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_USER_OPERATIONS = frozenset({"ListMFADevices", "GetLoginProfile", "ListUserTags"})
_QUOTAS = {
    "AccessKeysPerUserQuota": 2,
    "GlobalEndpointTokenVersion": 1,
    "GroupsQuota": 300,
    "PoliciesQuota": 1500,
    "RolesQuota": 1000,
    "SigningCertificatesPerUserQuota": 2,
    "UsersQuota": 5000,
}


class IdentityService:
    """
    Answers IAM calls. `operations` names those simulated.
    """

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._world = estate.world
        self._answers: dict[str, Callable[[Call], bytes]] = {
            "GenerateCredentialReport": self._generate_report,
            "GetCredentialReport": self._get_report,
            "GetAccountSummary": self._summarise,
            "ListUsers": self._list_users,
            "ListMFADevices": self._list_devices,
            "GetLoginProfile": self._get_login_profile,
            "ListUserTags": self._list_tags,
            "ListOrganizationsFeatures": self._list_features,
        }
        self.operations = frozenset(self._answers)

    def answer(self, call: Call) -> bytes:
        """
        Return the result's XML, or raise `ServiceError`.
        """
        return self._answers[call.name](call)

    def resource_of(self, call: Call) -> str:
        """
        Return the ARN that a policy would name for this call, or `*` where IAM has none.
        """
        users = f"arn:aws:iam::{call.principal.account_id}:user/"
        if call.name == "ListUsers":
            return users
        if call.name not in _USER_OPERATIONS:
            return "*"
        name = call.text("UserName")
        user = self._live(call).users.get(name.casefold())
        return f"{users}{name}" if user is None else f"{users[:-1]}{user.path}{user.name}"

    def _live(self, call: Call) -> LiveAccount:
        return self._estate.account(call.principal.account_id)

    def _generate_report(self, call: Call) -> bytes:
        state, description = self._live(call).generate_report()
        members = {"State": state} | ({"Description": description} if description else {})
        return write_elements(**members).encode()

    def _get_report(self, call: Call) -> bytes:
        snapshot = self._live(call).report()
        return b"".join(
            (
                b"<Content>",
                snapshot.encoded,
                b"</Content><ReportFormat>text/csv</ReportFormat><GeneratedTime>",
                format_time(snapshot.generated).encode(),
                b"</GeneratedTime>",
            )
        )

    def _summarise(self, call: Call) -> bytes:
        live = self._live(call)
        root = live.account.root
        devices = sum(len(user.devices) for user in live.users.values()) + len(root.devices)
        summary = _QUOTAS | {
            "Users": len(live.users),
            "Groups": 3,
            "Roles": len(live.account.roles) + 4,
            "Policies": 5,
            "Providers": 0,
            "MFADevices": devices,
            "MFADevicesInUse": devices,
            "AccountMFAEnabled": int(bool(root.devices)),
            "AccountPasswordPresent": int(root.password is not None),
            "AccountAccessKeysPresent": int(bool(root.keys)),
            "AccountSigningCertificatesPresent": int(bool(root.certificates)),
        }
        entries = "".join(
            f"<entry><key>{key}</key><value>{value}</value></entry>"
            for key, value in sorted(summary.items())
        )
        return f"<SummaryMap>{entries}</SummaryMap>".encode()

    def _list_users(self, call: Call) -> bytes:
        users = sorted(self._live(call).users.values(), key=lambda user: user.name.casefold())
        return _write_page(
            "Users", users, call, lambda user: self._describe_user(user, call.principal.account_id)
        )

    def _describe_user(self, user: User, account_id: str) -> str:
        arn = f"arn:aws:iam::{account_id}:user{user.path}{user.name}"
        members = {
            "Path": user.path,
            "UserName": user.name,
            "UserId": make_unique_id("AIDA", arn),
            "Arn": arn,
            "CreateDate": format_time(find_birth(self._estate.clock.start, user.created)),
        }
        if user.password is not None and user.password.used is not None:
            members["PasswordLastUsed"] = format_time(self._estate.clock.at(user.password.used))
        return write_elements(**members)

    def _list_devices(self, call: Call) -> bytes:
        user = self._live(call).find_user(_read_user_name(call))
        numbered = list(enumerate(user.devices))
        return _write_page(
            "MFADevices",
            numbered,
            call,
            lambda item: write_elements(
                UserName=user.name,
                SerialNumber=make_serial(item[1], item[0], call.principal.account_id, user.name),
                EnableDate=format_time(self._estate.clock.at(item[1].enabled)),
            ),
        )

    def _get_login_profile(self, call: Call) -> bytes:
        name = _read_user_name(call)
        user = self._live(call).users.get(name.casefold())
        if user is None or user.password is None:
            # One answer for both: a user that is gone and one without a password (IAM API reference).
            raise ServiceError(
                "NoSuchEntity", f"Login Profile for User {name} cannot be found.", 404
            )
        profile = write_elements(
            UserName=user.name,
            CreateDate=format_time(self._estate.clock.at(user.password.changed)),
            PasswordResetRequired=str(user.password.reset_required).lower(),
        )
        return f"<LoginProfile>{profile}</LoginProfile>".encode()

    def _list_tags(self, call: Call) -> bytes:
        user = self._live(call).find_user(_read_user_name(call))
        return _write_page(
            "Tags", user.tags, call, lambda tag: write_elements(Key=tag[0], Value=tag[1])
        )

    def _list_features(self, call: Call) -> bytes:
        if call.principal.account_id not in self._world.callers:
            raise ServiceError(
                "AccountNotManagementOrDelegatedAdministratorException",
                "The account is not the management account or a delegated administrator.",
                400,
            )
        if not self._world.root_features:
            raise ServiceError(
                "ServiceAccessNotEnabledException",
                "Trusted access is not enabled for iam.amazonaws.com.",
                400,
            )
        features = "".join(f"<member>{name}</member>" for name in self._world.root_features)
        organization = write_elements(OrganizationId=self._world.organization_id)
        return f"{organization}<EnabledFeatures>{features}</EnabledFeatures>".encode()


def _read_user_name(call: Call) -> str:
    name = call.text("UserName") or call.principal.user_name
    if name is None:
        raise ServiceError(
            "ValidationError", "Must specify userName when calling with non-User credentials", 400
        )
    if not _LOOKUP_NAME.fullmatch(name):
        raise ServiceError(
            "ValidationError",
            "The specified value for userName is invalid. It must contain only alphanumeric characters "
            "and/or the following: +=,.@_-",
            400,
        )
    return name


def _write_page(
    member: str,
    items: Sequence[Item],
    call: Call,
    write: Callable[[Item], str],
) -> bytes:
    limit = _read_number(call, "MaxItems", default=100)
    start = _read_number(call, "Marker", default=0)
    if not 1 <= limit <= 1000:
        raise ServiceError("ValidationError", "MaxItems must be between 1 and 1000", 400)
    page = items[start : start + limit]
    end = start + limit
    listed = "".join(f"<member>{write(item)}</member>" for item in page)
    more = end < len(items)
    marker = f"<Marker>{end}</Marker>" if more else ""
    return f"<{member}>{listed}</{member}><IsTruncated>{str(more).lower()}</IsTruncated>{marker}".encode()


def _read_number(call: Call, name: str, *, default: int) -> int:
    text = call.text(name) or str(default)
    if not text.isdecimal():
        raise ServiceError("ValidationError", f"Invalid {name}.", 400)
    return int(text)
