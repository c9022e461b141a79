"""
What AWS Organizations answered, read into accounts. Pure: no disk, no network.

The answers are kept as JSON before they come here, so the same function serves a scan and a replay
of stored evidence. Facts: AWS Organizations API reference (ListAccounts); `Status` was announced for
removal on 2026-09-09 and `State` replaces it, so `State` is read and `Status` only stands in for it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from scanner.errors import DiscoveryError, SettingsError
from scanner.model import (
    Account,
    AccountId,
    Caller,
    NotCollected,
    Organization,
    ReasonCode,
    Selection,
    mend,
)
from scanner.records import decode_object

CALLER_FILE = "caller.json"
ORGANIZATION_FILE = "organization.json"
ACCOUNTS_FILE = "accounts.json"
UNITS_FILE = "organizational-units.json"
FEATURES_FILE = "organization-features.json"
TAGS_FILE = "account-tags.json"

ANSWERS = (CALLER_FILE, ORGANIZATION_FILE, ACCOUNTS_FILE, UNITS_FILE)
"""
The answers without which there is no account list.
"""

NOT_ACTIVE_STATES = frozenset({"PENDING_ACTIVATION", "SUSPENDED", "PENDING_CLOSURE", "CLOSED"})
"""
The states in which AWS lets nobody into an account (Organizations user guide, account states).
"""

_ACCOUNT_ID = re.compile(r"\d{12}", re.ASCII)
_SAFE_ID = re.compile(r"[A-Za-z0-9-]{1,128}", re.ASCII)


def read_caller(answer: Mapping[str, Any]) -> Caller:
    """
    Read the answer of sts:GetCallerIdentity, or raise `DiscoveryError`.
    """
    account, arn = answer.get("Account"), answer.get("Arn")
    if not isinstance(account, str) or not _ACCOUNT_ID.fullmatch(account):
        raise DiscoveryError("sts:GetCallerIdentity named no account; check the endpoint")
    if not isinstance(arn, str) or not re.match(r"arn:[a-z0-9-]+:(sts|iam)::", arn):
        raise DiscoveryError("sts:GetCallerIdentity named no ARN; check the endpoint")
    return Caller(AccountId(account), arn)


def read_organization(
    caller: Mapping[str, Any],
    organization: Mapping[str, Any],
    accounts: Mapping[str, Any],
    units: Mapping[str, Any],
) -> Organization:
    """
    Read the stored answers into an organization with every account it lists, sorted by id.

    `accounts` holds `pages`, the answers of ListAccounts in order. `units` holds `roots`, `children`
    (parent id to OUs), `accounts` (parent id to account ids, only from a tree walk) and `errors`.
    Raises `DiscoveryError` when an account has neither `State` nor `Status`, when an id is not one,
    or when the list lacks the caller's own or the management account and so cannot be whole.
    """
    organization_id = read_organization_id(organization)
    management = str(organization["Organization"].get("MasterAccountId", ""))
    if not _ACCOUNT_ID.fullmatch(management):
        raise DiscoveryError(
            "organizations:DescribeOrganization named no organization with a management account"
        )
    names = _read_names(units)
    parents = _read_parents(units)
    listed: dict[str, Account] = {}
    for page in _entries(accounts.get("pages", []), "pages"):
        for entry in _entries(page.get("Accounts", []), "Accounts"):
            account = _read_account(entry, names, parents)
            # Listed twice while its state changed: then it is tried, rather than left out.
            if account.id not in listed or account.state == "ACTIVE":
                listed[account.id] = account
    who = read_caller(caller)
    for account_id, role in ((management, "management"), (who.account_id, "caller's own")):
        if account_id not in listed:
            raise DiscoveryError(
                f"organizations:ListAccounts lists {len(listed)} accounts of {organization_id} but not "
                f"the {role} account {account_id}, so the list is not whole"
            )
    ordered = tuple(listed[account_id] for account_id in sorted(listed))
    return Organization(organization_id, AccountId(management), who, ordered)


def read_page(page: Mapping[str, Any]) -> list[Account]:
    """
    Read one page of ListAccounts, before the names of OUs are known. Raises `DiscoveryError`.
    """
    return [
        _read_account(entry, {}, {}) for entry in _entries(page.get("Accounts", []), "Accounts")
    ]


def read_organization_id(answer: Mapping[str, Any]) -> str:
    """
    Return the organization's id from the answer of DescribeOrganization, or raise `DiscoveryError`.
    """
    described = answer.get("Organization")
    organization_id = str(described.get("Id", "")) if isinstance(described, dict) else ""
    if not _SAFE_ID.fullmatch(organization_id):
        raise DiscoveryError("organizations:DescribeOrganization named no organization")
    return organization_id


def read_answers(answers: Mapping[str, bytes]) -> Organization:
    """
    Read the organization from its answers as they are stored: file name to JSON. See `read_organization`.
    """
    names = (CALLER_FILE, ORGANIZATION_FILE, ACCOUNTS_FILE, UNITS_FILE)
    return read_organization(*(decode_object(answers[name], f"raw/{name}") for name in names))


def read_tags(content: bytes) -> dict[AccountId, dict[str, str]]:
    """
    Read the accounts' tags as they are stored: account id to key to value. Keys and values are untrusted text.
    """
    tags = _mapping(decode_object(content, f"raw/{TAGS_FILE}").get("tags", {}), "tags")
    return {
        AccountId(account): {
            mend(str(tag.get("Key", ""))): mend(str(tag.get("Value", "")))
            for tag in _entries(listed, "Tags")
        }
        for account, listed in tags.items()
    }


def read_central_root(content: bytes) -> bool | None:
    """
    Tell whether the organization manages root credentials centrally, or None where AWS did not say.

    Source: IAM API reference, ListOrganizationsFeatures, RootCredentialsManagement.
    """
    answer = decode_object(content, f"raw/{FEATURES_FILE}").get("answer")
    if not isinstance(answer, dict) or not isinstance(answer.get("EnabledFeatures"), list):
        return None
    return "RootCredentialsManagement" in answer["EnabledFeatures"]


def split_path(path: str) -> tuple[str, ...]:
    """
    Return the root and OU ids of an account's `Paths` entry, such as `o-1/r-ab12/ou-ab12-xyz/123456789012/`.
    """
    return tuple(path.strip("/").split("/")[1:-1])


def read_paths(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Return the root and OU ids that lead to a listed account, from its `Paths`; empty without them.
    """
    paths = entry.get("Paths")
    return split_path(str(paths[0])) if isinstance(paths, list) and paths else ()


def leave_out(account: Account, selection: Selection) -> NotCollected | None:
    """
    Say why an account is not to be read, or return None when it is.

    An account that is not active cannot be read, whatever was selected: that is said first. One in a
    state that AWS did not have in November 2026 is tried, not left out.
    """
    if account.state in NOT_ACTIVE_STATES:
        return NotCollected(
            account,
            ReasonCode.NOT_ACTIVE,
            f"account {account}: its state is {account.state}, and only ACTIVE accounts can be read",
        )
    for exclusion in selection.exclusions:
        if exclusion.account_id == account.id:
            return NotCollected(
                account,
                ReasonCode.EXCLUDED,
                f"account {account}: excluded by the settings: {exclusion.reason}",
            )
    if selection.is_full or account.id in selection.accounts:
        return None
    if set(account.ou_ids) & set(selection.ous):
        return None
    return NotCollected(
        account,
        ReasonCode.EXCLUDED,
        f"account {account}: outside the accounts and OUs that this run was asked to look at",
    )


def check_selection(
    organization: Organization, selection: Selection, roles: Iterable[str] = ()
) -> None:
    """
    Raise `SettingsError` when an account or OU is named that the organization does not have.

    `roles` are the accounts that the settings give a role of their own.

    A misspelt exclusion would leave out nothing, and a misspelt selection everything: both in silence.
    """
    known = {account.id for account in organization.accounts}
    units = {unit for account in organization.accounts for unit in account.ou_ids}
    excluded = {exclusion.account_id for exclusion in selection.exclusions}
    wrong = [
        *(f"account {name}" for name in sorted({*selection.accounts, *excluded, *roles} - known)),
        *(f"OU {name}" for name in sorted(set(selection.ous) - units)),
    ]
    lost = [
        account.id
        for account in organization.accounts
        if selection.ous and not account.ou_ids and account.state not in NOT_ACTIVE_STATES
    ]
    if lost:
        raise SettingsError(
            f"nobody can say in which OU account {', '.join(lost)} lies; scan again, or without --ou"
        )
    if wrong:
        raise SettingsError(
            f"organization {organization.id} has no {', no '.join(wrong)}; "
            "correct --account, --ou, the exclusions or the roles in the settings (an OU without accounts counts as missing)"
        )


def _read_account(
    entry: Mapping[str, Any],
    names: Mapping[str, str],
    parents: Mapping[str, tuple[str, ...]],
) -> Account:
    account_id = str(entry.get("Id", ""))
    if not _ACCOUNT_ID.fullmatch(account_id):
        raise DiscoveryError(
            f"organizations:ListAccounts listed {account_id!r}, which is not an id of twelve digits"
        )
    state = entry.get("State") or entry.get("Status")
    if not state:
        raise DiscoveryError(
            f"account {account_id}: organizations:ListAccounts gave neither State nor Status, so nobody "
            "can say which accounts are active; update boto3 to 1.40.27 or newer"
        )
    units = read_paths(entry) or parents.get(account_id, ())
    return Account(
        id=AccountId(account_id),
        name=mend(str(entry.get("Name") or "")),
        email=mend(str(entry.get("Email") or "")),
        state=mend(str(state)),
        ou_ids=units,
        ou_names=tuple(names.get(unit, unit) for unit in units),
    )


def list_without_state(accounts: Mapping[str, Any]) -> list[str]:
    """
    Return the ids of accounts whose state stands in `Status` alone, the field that AWS announced the end of.
    """
    return [
        str(entry.get("Id", ""))
        for page in _entries(accounts.get("pages", []), "pages")
        for entry in _entries(page.get("Accounts", []), "Accounts")
        if not entry.get("State")
    ]


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise DiscoveryError(f"what Organizations answered is damaged: {name} is no object")
    return value


def _entries(value: object, name: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise DiscoveryError(f"what Organizations answered is damaged: {name} is no list")
    return [_mapping(entry, name) for entry in value]


def _read_names(units: Mapping[str, Any]) -> dict[str, str]:
    entries = _entries(units.get("roots", []), "roots")
    for children in _mapping(units.get("children", {}), "children").values():
        entries += _entries(children, "children")
    return {
        str(entry.get("Id")): mend(str(entry.get("Name") or entry.get("Id"))) for entry in entries
    }


def _read_parents(units: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """
    Return, for each account found by a tree walk, the ids from the root down to its parent.
    """
    above = {
        str(child.get("Id")): str(parent)
        for parent, children in _mapping(units.get("children", {}), "children").items()
        for child in _entries(children, "children")
    }

    def climb(unit: str) -> tuple[str, ...]:
        chain = [unit]
        # AWS nests OUs five deep; a cycle can only come from a damaged file.
        while chain[-1] in above and len(chain) < 10:
            chain.append(above[chain[-1]])
        return tuple(reversed(chain))

    return {
        str(account): climb(parent)
        for parent, accounts in _mapping(units.get("accounts", {}), "accounts").items()
        for account in (accounts if isinstance(accounts, list) else [])
    }
