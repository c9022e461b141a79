"""
For which accounts a framework speaks: what the settings declare, met with what the organization has. Pure.

A selection says which accounts a run looks at; a scope says which of them count for one framework. Where
no scope is declared, every account counts, and a framework that binds only a declared part of an
organization (PCI DSS: what touches cardholder data) says so instead of failing it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scanner.errors import SettingsError
from scanner.model import AccountId, Organization, ScopeRule
from scanner.organization import NOT_ACTIVE_STATES

Tags = Mapping[AccountId, Mapping[str, str]]
"""
The tags of each account, as Organizations lists them: key to value.
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """
    One framework's scope in one organization. `accounts` is None where every account is in it.
    """

    framework: str
    is_declared: bool
    accounts: frozenset[AccountId] | None
    words: str

    def holds(self, account_id: AccountId) -> bool:
        """
        Tell whether an account is in scope.
        """
        return self.accounts is None or account_id in self.accounts


def resolve_scopes(
    frameworks: Sequence[str],
    rules: Sequence[ScopeRule],
    organization: Organization,
    tags: Tags,
) -> tuple[Scope, ...]:
    """
    Return the scope of each framework, in the order given.

    Rules of other frameworks are checked all the same: the run may be judged by those later. Raises `SettingsError`
    with everything a scope names that the organization does not have: a misspelt account would leave itself out of
    every document in silence.
    """
    declared = {rule.framework: rule for rule in rules}
    problems = [problem for rule in rules for problem in _find_problems(rule, organization, tags)]
    if problems:
        raise SettingsError("\n".join(problems))
    return tuple(_resolve(name, declared.get(name), organization, tags) for name in frameworks)


def _resolve(
    framework: str, rule: ScopeRule | None, organization: Organization, tags: Tags
) -> Scope:
    if rule is None:
        words = "not declared; every account is taken to be in scope"
        return Scope(framework, is_declared=False, accounts=None, words=words)
    if rule.everything:
        return Scope(framework, is_declared=True, accounts=None, words="every account")
    named, units, wanted = set(rule.accounts), set(rule.ous), set(rule.tags)
    found = frozenset(
        account.id
        for account in organization.accounts
        if account.id in named
        or units & set(account.ou_ids)
        or wanted & set(tags.get(account.id, {}).items())
    )
    return Scope(framework, is_declared=True, accounts=found, words=_describe(rule))


def _describe(rule: ScopeRule) -> str:
    parts = [
        ("accounts", ", ".join(rule.accounts)),
        ("OUs and below", ", ".join(rule.ous)),
        ("accounts tagged", ", ".join(f"{key}={value}" for key, value in rule.tags)),
    ]
    return "; ".join(f"{label} {names}" for label, names in parts if names)


def _find_problems(rule: ScopeRule, organization: Organization, tags: Tags) -> list[str]:
    known = {account.id for account in organization.accounts}
    units = {unit for account in organization.accounts for unit in account.ou_ids}
    held = {pair for owned in tags.values() for pair in owned.items()}
    where = f"scope of {rule.framework}: organization {organization.id} has no"
    lost = [
        account.id
        for account in organization.accounts
        if rule.ous and not account.ou_ids and account.state not in NOT_ACTIVE_STATES
    ]
    return [
        *(
            f"scope of {rule.framework}: nobody can say in which OU account {name} lies; scan again"
            for name in lost
        ),
        *(f"{where} account {name}" for name in rule.accounts if name not in known),
        *(
            f"{where} OU {name} (an OU without accounts counts as missing)"
            for name in rule.ous
            if name not in units
        ),
        *(
            f"{where} account with the tag {key}={value}"
            for key, value in rule.tags
            if (key, value) not in held
        ),
    ]
