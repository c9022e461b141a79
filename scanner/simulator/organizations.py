"""
AWS Organizations: the reads that find every account. For the management account and its delegates.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from scanner.simulator.calls import Call
from scanner.simulator.clock import SimulatedClock
from scanner.simulator.wire import ServiceError, write_json
from scanner.simulator.world import MemberAccount, OrganizationalUnit, World

PAGE_SIZE = 20

Item = TypeVar("Item")
_Answer = Callable[[Call], dict[str, Any]]

_OLD_STATUS = {
    "ACTIVE": "ACTIVE",
    "PENDING_CLOSURE": "PENDING_CLOSURE",
    "SUSPENDED": "SUSPENDED",
    "CLOSED": "SUSPENDED",
    "PENDING_ACTIVATION": "SUSPENDED",
}
"""
What the retiring `Status` shows for each `State`. The last is a guess: no source was found.
"""


class OrganizationsService:
    """
    Answers Organizations calls. `operations` names those simulated.
    """

    def __init__(self, world: World, clock: SimulatedClock) -> None:
        self._world = world
        self._clock = clock
        self._prefix = f"arn:aws:organizations::{world.management_id}:"
        self._answers: dict[str, _Answer] = {
            "DescribeOrganization": self._describe_organization,
            "ListAccounts": self._list_accounts,
            "ListRoots": self._list_roots,
            "ListOrganizationalUnitsForParent": self._list_units,
            "ListAccountsForParent": self._list_accounts_of_parent,
            "ListParents": self._list_parents,
            "DescribeOrganizationalUnit": self._describe_unit,
            "DescribeAccount": self._describe_account,
            "ListTagsForResource": self._list_tags,
        }
        self.operations = frozenset(self._answers)

    def answer(self, call: Call) -> bytes:
        """
        Return the result as JSON, or raise `ServiceError`.
        """
        # DescribeOrganization works from any member account; the other reads do not.
        if (
            call.name != "DescribeOrganization"
            and call.principal.account_id not in self._world.callers
        ):
            raise ServiceError(
                "AccessDenied", "You don't have permissions to access this resource.", 400
            )
        return write_json(self._answers[call.name](call))

    def _describe_organization(self, _call: Call) -> dict[str, Any]:
        management = self._world.management
        return {
            "Organization": {
                "Id": self._world.organization_id,
                "Arn": f"{self._prefix}organization/{self._world.organization_id}",
                "FeatureSet": "ALL",
                "MasterAccountArn": self._account_arn(management),
                "MasterAccountId": management.id,
                "MasterAccountEmail": management.email,
                "AvailablePolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
            }
        }

    def _list_accounts(self, call: Call) -> dict[str, Any]:
        accounts, token = _take_page(self._world.accounts, call)
        return {"Accounts": [self._describe(account) for account in accounts]} | token

    def _list_accounts_of_parent(self, call: Call) -> dict[str, Any]:
        parent_id = self._check_parent(call)
        below = [account for account in self._world.accounts if account.parent_id == parent_id]
        accounts, token = _take_page(below, call)
        return {"Accounts": [self._describe(account) for account in accounts]} | token

    def _list_roots(self, _call: Call) -> dict[str, Any]:
        root_id = self._world.root_id
        root = {
            "Id": root_id,
            "Arn": f"{self._prefix}root/{self._world.organization_id}/{root_id}",
            "Name": "Root",
            "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
        }
        return {"Roots": [root]}

    def _list_units(self, call: Call) -> dict[str, Any]:
        parent_id = self._check_parent(call)
        units = [unit for unit in self._world.units if unit.parent_id == parent_id]
        items, token = _take_page(units, call)
        return {"OrganizationalUnits": [self._describe_ou(unit) for unit in items]} | token

    def _list_parents(self, call: Call) -> dict[str, Any]:
        child_id = call.text("ChildId")
        child = self._world.by_id.get(child_id) or self._world.unit_by_id.get(child_id)
        if child is None:
            raise _missing("ChildNotFoundException", "a child")
        kind = "ROOT" if child.parent_id == self._world.root_id else "ORGANIZATIONAL_UNIT"
        return {"Parents": [{"Id": child.parent_id, "Type": kind}]}

    def _describe_unit(self, call: Call) -> dict[str, Any]:
        unit = self._world.unit_by_id.get(call.text("OrganizationalUnitId"))
        if unit is None:
            raise _missing("OrganizationalUnitNotFoundException", "an organizational unit")
        return {"OrganizationalUnit": self._describe_ou(unit)}

    def _describe_account(self, call: Call) -> dict[str, Any]:
        account = self._world.by_id.get(call.text("AccountId"))
        if account is None:
            raise _missing("AccountNotFoundException", "an account")
        return {"Account": self._describe(account)}

    def _list_tags(self, call: Call) -> dict[str, Any]:
        target = call.text("ResourceId")
        account = self._world.by_id.get(target)
        known = account or target in self._world.unit_by_id or target == self._world.root_id
        if not known:
            raise _missing("TargetNotFoundException", "a target")
        tags = account.tags if account else ()
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags]}

    def _check_parent(self, call: Call) -> str:
        parent_id = call.text("ParentId")
        if parent_id != self._world.root_id and parent_id not in self._world.unit_by_id:
            raise _missing("ParentNotFoundException", "a parent")
        return parent_id

    def _describe(self, account: MemberAccount) -> dict[str, Any]:
        return {
            "Id": account.id,
            "Arn": self._account_arn(account),
            "Email": account.email,
            "Name": account.name,
            "Status": _OLD_STATUS[account.state],
            "State": account.state,
            "Paths": [f"{self._world.path_of(account.parent_id)}{account.id}/"],
            "JoinedMethod": "INVITED" if account.invited else "CREATED",
            "JoinedTimestamp": self._clock.at(account.joined).timestamp(),
        }

    def _describe_ou(self, unit: OrganizationalUnit) -> dict[str, Any]:
        return {
            "Id": unit.id,
            "Arn": f"{self._prefix}ou/{self._world.organization_id}/{unit.id}",
            "Name": unit.name,
            "Path": self._world.path_of(unit.id),
        }

    def _account_arn(self, account: MemberAccount) -> str:
        return f"{self._prefix}account/{self._world.organization_id}/{account.id}"


def page_number(call: Call) -> int:
    """
    Return which page of a listing is asked for, counting from 1.
    """
    return _read_token(call)[0]


def step_back(token: str) -> str:
    """
    Return a token whose page begins one item earlier, so that an item comes twice.
    """
    number, offset = _parse_token(token)
    return _write_token(number, offset - 1)


def _take_page(items: Sequence[Item], call: Call) -> tuple[list[Item], dict[str, str]]:
    limit = call.parameters.get("MaxResults", PAGE_SIZE)
    if not isinstance(limit, int) or not 1 <= limit <= PAGE_SIZE:
        raise _invalid_input("MaxResults must be between 1 and 20", "MAX_VALUE_EXCEEDED")
    number, offset = _read_token(call)
    # A page may come empty and still carry a token (ListAccounts API reference): the second does.
    count = 0 if number == 2 else limit
    end = offset + count
    token = {"NextToken": _write_token(number + 1, end)} if end < len(items) else {}
    return list(items[offset:end]), token


def _write_token(number: int, offset: int) -> str:
    return base64.urlsafe_b64encode(f"page {number} {offset}".encode()).decode()


def _read_token(call: Call) -> tuple[int, int]:
    if "NextToken" not in call.parameters:
        return 1, 0
    return _parse_token(call.text("NextToken"))


def _parse_token(token: str) -> tuple[int, int]:
    try:
        word, number, offset = base64.urlsafe_b64decode(token).decode().split()
        if word == "page":
            return int(number), int(offset)
    except ValueError:
        pass
    raise _invalid_input("The provided NextToken is not valid.", "INVALID_NEXT_TOKEN")


def _invalid_input(message: str, reason: str) -> ServiceError:
    return ServiceError("InvalidInputException", message, 400, {"Reason": reason})


def _missing(code: str, noun: str) -> ServiceError:
    return ServiceError(code, f"You specified {noun} that doesn't exist.", 400)
