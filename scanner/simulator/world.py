"""
What a simulated organization consists of: accounts, OUs, users and what they hold. Immutable.

Times are ages: how long before the simulation's start something happened. So the same world gives
fresh reports whenever it is started, and the same bytes for the same start. A world also states the
truth about itself (`World.offenders`), so that a test can compare a scan's result with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

READER_ROLE = "orgproof-reader"
ADMIN_ROLE = "OrganizationAccountAccessRole"
MEMBER_ROLES = (READER_ROLE, ADMIN_ROLE)

ACTIVE = "ACTIVE"
ROOT_CREDENTIALS_MANAGEMENT = "RootCredentialsManagement"
ROOT_SESSIONS = "RootSessions"

ROOT_WITHOUT_MFA = "root-console-no-mfa"
ROOT_WITH_KEY = "root-access-key-active"


class MfaKind(StrEnum):
    """
    The kinds of MFA device, which differ in the form of their serial number.
    """

    VIRTUAL = "virtual"
    SECURITY_KEY = "security-key"
    HARDWARE = "hardware"


class SinceReport(StrEnum):
    """
    What happened to a user after the account's first credential report was made.
    """

    NOTHING = "nothing"
    FIXED = "fixed"
    PASSWORD_REMOVED = "password-removed"  # noqa: S105 - an event, not a password
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Password:
    """
    A console password. `used` is None when nobody ever signed in with it.
    """

    changed: timedelta
    used: timedelta | None = None
    reset_required: bool = False


@dataclass(frozen=True, slots=True)
class AccessKey:
    """
    An access key. `used` is None when it never was.
    """

    active: bool
    rotated: timedelta
    used: timedelta | None = None
    region: str = "us-east-1"
    service: str = "s3"


@dataclass(frozen=True, slots=True)
class Certificate:
    """
    An X.509 signing certificate.
    """

    active: bool
    rotated: timedelta


@dataclass(frozen=True, slots=True)
class MfaDevice:
    """
    An MFA device that is assigned and enabled.
    """

    kind: MfaKind
    enabled: timedelta


@dataclass(frozen=True, slots=True)
class User:
    """
    An IAM user as the credential report shows it. `since_report` is what the live API shows later.
    """

    name: str
    created: timedelta
    path: str = "/"
    password: Password | None = None
    devices: tuple[MfaDevice, ...] = ()
    keys: tuple[AccessKey, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    since_report: SinceReport = SinceReport.NOTHING

    @property
    def is_offender(self) -> bool:
        """
        Whether the user can sign in to the console with the password alone.
        """
        return self.password is not None and not self.devices


@dataclass(frozen=True, slots=True)
class Root:
    """
    An account's root user. Under central root access it holds nothing at all.
    """

    password: Password | None = None
    devices: tuple[MfaDevice, ...] = ()
    keys: tuple[AccessKey, ...] = ()
    certificates: tuple[Certificate, ...] = ()

    @property
    def offences(self) -> tuple[str, ...]:
        """
        The names of the checks that this root user fails.
        """
        no_mfa = self.password is not None and not self.devices
        has_key = any(key.active for key in self.keys)
        return (ROOT_WITHOUT_MFA,) * no_mfa + (ROOT_WITH_KEY,) * has_key


@dataclass(frozen=True, slots=True)
class OrganizationalUnit:
    """
    An OU and the root or OU above it.
    """

    id: str
    name: str
    parent_id: str


@dataclass(frozen=True, slots=True)
class MemberAccount:
    """
    An account of the organization, the management account included.

    `report_age` is the age of a credential report that another tool had made before the start, None
    where there is none. `trusts_callers` is false where the roles exist and trust somebody else.
    """

    id: str
    name: str
    email: str
    parent_id: str
    joined: timedelta
    users: tuple[User, ...]
    root: Root = Root()
    state: str = ACTIVE
    invited: bool = False
    roles: tuple[str, ...] = MEMBER_ROLES
    trusts_callers: bool = True
    report_age: timedelta | None = None
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class World:
    """
    A whole organization. `external_id` is what the reader role asks for, None when it asks for none.
    """

    organization_id: str
    root_id: str
    management_id: str
    units: tuple[OrganizationalUnit, ...]
    accounts: tuple[MemberAccount, ...]
    seed: int
    external_id: str | None = None
    delegated_administrators: tuple[str, ...] = ()
    root_features: tuple[str, ...] = (ROOT_CREDENTIALS_MANAGEMENT, ROOT_SESSIONS)

    @cached_property
    def by_id(self) -> dict[str, MemberAccount]:
        """
        The accounts by their id.
        """
        return {account.id: account for account in self.accounts}

    @cached_property
    def unit_by_id(self) -> dict[str, OrganizationalUnit]:
        """
        The OUs by their id.
        """
        return {unit.id: unit for unit in self.units}

    @property
    def management(self) -> MemberAccount:
        """
        The management account.
        """
        return self.by_id[self.management_id]

    @property
    def callers(self) -> frozenset[str]:
        """
        The accounts that Organizations answers and that the members' roles trust.
        """
        return frozenset({self.management_id, *self.delegated_administrators})

    def path_of(self, parent_id: str) -> str:
        """
        Return the path of a root or OU, such as `o-org/r-root/ou-one/`.
        """
        ids: list[str] = []
        while parent_id != self.root_id:
            ids.append(parent_id)
            parent_id = self.unit_by_id[parent_id].parent_id
        return "/".join([self.organization_id, self.root_id, *reversed(ids), ""])

    def readable_accounts(self) -> Iterator[MemberAccount]:
        """
        Yield the active accounts that a scan from the management account can read.
        """
        for account in self.accounts:
            entered = account.id == self.management_id or (account.roles and account.trusts_callers)
            if account.state == ACTIVE and entered:
                yield account

    def offenders(self) -> frozenset[tuple[str, str]]:
        """
        Return account id and name of each console user without MFA, as the readable reports show them.
        """
        return frozenset(
            (account.id, user.name)
            for account in self.readable_accounts()
            for user in account.users
            if user.is_offender
        )

    def root_offenders(self) -> frozenset[tuple[str, str]]:
        """
        Return account id and failed check of each root user, as the readable reports show them.
        """
        return frozenset(
            (account.id, offence)
            for account in self.readable_accounts()
            for offence in account.root.offences
        )
