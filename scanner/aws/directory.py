"""
The account list, from AWS Organizations: all of it, or an error.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from scanner.aws.calls import Answer, CallLog, Pauses, call_once, retry, to_plain
from scanner.aws.clients import Clients, acting_as
from scanner.aws.faults import CallError, Fault
from scanner.aws.timing import Quota
from scanner.errors import DiscoveryError
from scanner.interfaces import Clock, Steps, T
from scanner.model import ReasonCode
from scanner.organization import (
    ACCOUNTS_FILE,
    CALLER_FILE,
    FEATURES_FILE,
    ORGANIZATION_FILE,
    TAGS_FILE,
    UNITS_FILE,
    read_paths,
)
from scanner.records import encode

_PATIENCE = 120.0
"""
Seconds before one call of the listing is given up.
"""

_RATES = {
    "organizations:ListAccounts": 8.0,
    "organizations:ListAccountsForParent": 5.0,
    "organizations:ListOrganizationalUnitsForParent": 5.0,
    "organizations:ListRoots": 1.0,
    "organizations:ListTagsForResource": 10.0,
}
"""
Calls a second that AWS grants an organization in the long run (Organizations user guide, quotas).
"""

_NEXT_STEPS = {
    "AWSOrganizationsNotInUseException": "this account is in no organization; use one that is",
    "AccessDeniedException": (
        "run from the management account or a delegated administrator, and allow the organizations "
        "actions that the README lists"
    ),
}


class AwsDirectory:
    """
    The organization of the caller's account. See `Directory`.
    """

    def __init__(
        self,
        clients: Clients,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        `sleep` passes the time where there is nothing else to do.
        """
        self._clients = clients
        self._clock = clock
        self._sleep = sleep
        self._log = CallLog(clock)
        self._quotas = {name: Quota(clock, rate) for name, rate in _RATES.items()}

    def ask(self, *, with_tags: bool = False) -> Mapping[str, bytes]:
        """
        Ask who calls, which organization this is, and for every account. See `Directory.ask`.
        """
        steps = self.list_accounts(lambda _page: None, with_tags=with_tags)
        return {**self.identify(), **self._hurry(steps)}

    def list_accounts(
        self, found: Callable[[Mapping[str, Any]], None], *, with_tags: bool = False
    ) -> Steps[Mapping[str, bytes]]:
        """
        Ask for every account, its place and what is known of all of them, in steps. See `Directory.list_accounts`.
        """
        organizations = self._clients.organizations
        try:
            pages = yield from self._call_pages(
                "organizations:ListAccounts",
                organizations.list_accounts,
                "Accounts",
                told=lambda page: found(to_plain(page)),
            )
            tags = (yield from self._ask_tags(pages)) if with_tags else None
        except CallError as exc:
            raise DiscoveryError(_explain(exc.fault)) from exc
        answers = {
            ACCOUNTS_FILE: encode({"pages": to_plain(pages)}),
            UNITS_FILE: encode((yield from self._ask_units(pages))),
            FEATURES_FILE: encode(self._ask_features()),
        }
        return answers if tags is None else {**answers, TAGS_FILE: encode({"tags": tags})}

    def identify(self) -> Mapping[str, bytes]:
        """
        Ask who calls, and which organization this is. See `Directory.identify`.
        """
        try:
            return self._hurry(self._identify())
        except CallError as exc:
            raise DiscoveryError(_explain(exc.fault)) from exc

    def _identify(self) -> Pauses[Mapping[str, bytes]]:
        caller = yield from self._call(
            "sts:GetCallerIdentity", self._clients.sts.get_caller_identity, ("Account", str)
        )
        organization = yield from self._call(
            "organizations:DescribeOrganization",
            self._clients.organizations.describe_organization,
            ("Organization", dict),
        )
        return {
            CALLER_FILE: encode(to_plain(caller)),
            ORGANIZATION_FILE: encode(to_plain(organization)),
        }

    def _hurry(self, steps: Steps[T]) -> T:
        """
        Do all steps here and now, where nothing else is to be done meanwhile.
        """
        while True:
            try:
                pause = next(steps)
            except StopIteration as done:
                value: T = done.value
                return value
            if pause:
                self._sleep(pause)

    def _ask_tags(self, pages: list[Answer]) -> Pauses[dict[str, Any]]:
        """
        Ask for the tags of every account: a scope rests on them, so a refusal is no empty list.
        """
        entries = [entry for page in pages for entry in page["Accounts"] if "Id" in entry]
        tags: dict[str, Any] = {}
        for account in sorted({str(entry["Id"]) for entry in entries}):
            answers = yield from self._call_pages(
                "organizations:ListTagsForResource",
                self._clients.organizations.list_tags_for_resource,
                "Tags",
                ResourceId=account,
            )
            tags[account] = [tag for page in answers for tag in to_plain(page["Tags"])]
        return tags

    def _ask_units(self, pages: list[Answer]) -> Pauses[dict[str, Any]]:
        """
        Ask for the names of roots and OUs, and for the place of accounts that came without `Paths`.

        Names are a courtesy: where they are refused, ids stand in for them and `errors` says so. The
        place of an account is not, since a selection by OU rests on it.
        """
        entries = [entry for page in pages for entry in page.get("Accounts", [])]
        walk = any(not read_paths(entry) for entry in entries)
        units: dict[str, Any] = {"roots": [], "children": {}, "accounts": {}, "errors": []}
        try:
            yield from self._walk(units, with_accounts=walk)
        except CallError as exc:
            if walk:
                raise DiscoveryError(_explain(exc.fault)) from exc
            units["errors"].append(str(exc))
        return units

    def _walk(self, units: dict[str, Any], *, with_accounts: bool) -> Pauses[None]:
        organizations = self._clients.organizations
        roots = yield from self._call_pages(
            "organizations:ListRoots", organizations.list_roots, "Roots"
        )
        units["roots"] += [root for page in roots for root in to_plain(page["Roots"])]
        waiting = [str(root["Id"]) for root in units["roots"]]
        while waiting:
            parent = waiting.pop()
            below = yield from self._call_pages(
                "organizations:ListOrganizationalUnitsForParent",
                organizations.list_organizational_units_for_parent,
                "OrganizationalUnits",
                ParentId=parent,
            )
            children = [child for page in below for child in to_plain(page["OrganizationalUnits"])]
            units["children"][parent] = children
            waiting += [
                str(child["Id"]) for child in children if child["Id"] not in units["children"]
            ]
            if with_accounts:
                held = yield from self._call_pages(
                    "organizations:ListAccountsForParent",
                    organizations.list_accounts_for_parent,
                    "Accounts",
                    ParentId=parent,
                )
                units["accounts"][parent] = [
                    account["Id"] for page in held for account in page["Accounts"]
                ]

    def _ask_features(self) -> dict[str, Any]:
        """
        Ask whether root access is managed centrally. Only some callers may know; a refusal is kept.
        """
        try:
            with acting_as(self._clients.own):
                answer = call_once(
                    "iam:ListOrganizationsFeatures",
                    self._clients.iam.list_organizations_features,
                    self._log,
                )
        except CallError as exc:
            return {"error": {"code": exc.fault.error, "message": exc.fault.message}}
        return {"answer": to_plain(answer)}

    def _call(
        self, operation: str, method: Callable[..., Any], holds: tuple[str, type], **arguments: str
    ) -> Pauses[Answer]:
        """
        Make one call until its answer holds what it must, or raise the last `CallError`.

        botocore makes an empty answer of a proxy's page where AWS speaks JSON: that passes as other faults do.
        """
        name, kind = holds
        quota = self._quotas.get(operation)

        def ask() -> Answer:
            try:
                answer = call_once(operation, method, self._log, **arguments)
            except CallError as exc:
                if quota and exc.fault.code is ReasonCode.THROTTLED:
                    quota.refuse()
                raise
            if not isinstance(answer.get(name), kind):
                raise CallError(_missing(operation, name, passing=True))
            return answer

        if quota and (pause := quota.take_turn()):
            yield pause
        return (yield from retry(ask, self._clock, self._clock.monotonic() + _PATIENCE))

    def _call_pages(
        self,
        operation: str,
        method: Callable[..., Any],
        items: str,
        *,
        told: Callable[[Answer], None] = lambda _page: None,
        **arguments: str,
    ) -> Pauses[list[Answer]]:
        """
        Call until no token is left. A page may be empty and still have a next one (API reference).

        `told` hears of each page as it comes.
        """
        pages: list[Answer] = []
        token: str | None = None
        seen: set[str] = set()
        while True:
            more = {"NextToken": token} if token else {}
            page = yield from self._call(operation, method, (items, list), **arguments, **more)
            if not all(isinstance(item, dict) for item in page[items]):
                raise CallError(_missing(operation, items))
            pages.append(page)
            told(page)
            token = str(page.get("NextToken") or "")
            if not token:
                return pages
            if token in seen:
                raise CallError(_missing(operation, "a NextToken that moves on"))
            seen.add(token)
            yield 0.0  # what was found can be begun with


def _missing(operation: str, what: str, *, passing: bool = False) -> Fault:
    return Fault(
        operation,
        ReasonCode.BAD_RESPONSE,
        error="BadResponse",
        message=f"the answer lacks {what}",
        status=200,
        request_id="",
        passing=passing,
    )


def _explain(fault: Fault) -> str:
    step = _NEXT_STEPS.get(fault.error)
    if step is None:
        match fault.code:
            case ReasonCode.ROLE_CHAIN_EXPIRED | ReasonCode.CALLER_EXPIRED:
                step = "your own credentials have expired; sign in again"
            case ReasonCode.CLOCK_SKEW:
                step = "this machine's clock is off; set it right"
            case ReasonCode.NETWORK | ReasonCode.BAD_RESPONSE:
                step = "check the network, the proxy and the endpoint"
            case ReasonCode.THROTTLED | ReasonCode.SERVICE_ERROR:
                step = "try again later"
            case _:
                step = "check the caller's credentials and permissions"
    return (
        f"the account list could not be read whole: {fault.operation} answered {fault.error} "
        f"({fault.message}); {step}"
    )
