"""
Which accounts can be read before the list is whole.
"""

from dataclasses import replace
from typing import Any

import pytest
from report_text import ACCOUNT
from run_folder import MANAGEMENT, Folder

from scanner.errors import DiscoveryError
from scanner.listing import Listing
from scanner.model import Account, AccountId, Exclusion, ScopeRule, Selection, Terms

THIRD = AccountId("000000000033")
UNIT = "ou-ab12-payments"


@pytest.fixture
def terms(tmp_path) -> Terms:
    """
    Return terms that name no account and no OU.
    """
    return Folder(tmp_path).terms


def page(*accounts: str, state: str = "ACTIVE", unit: str = "ou-ab12-other", **more: Any) -> Any:
    """
    Return a page of ListAccounts.
    """
    entries = [
        {
            "Id": account,
            "Name": "",
            "State": state,
            "Paths": [f"o-a1b2c3d4e5/r-ab12/{unit}/{account}/"],
            **more,
        }
        for account in accounts
    ]
    return {"Accounts": entries}


def account(account_id: str) -> Account:
    return Account(AccountId(account_id), "", "", "ACTIVE")


def take(listing: Listing) -> list[str]:
    """
    Return the accounts that can be read now.
    """
    taken: list[str] = []
    for one in listing.take():
        if one is None:
            break
        taken.append(one.id)
    return taken


def test_accounts_are_handed_out_page_by_page(terms):
    """
    Nothing is named in the settings, so nobody waits for the next page.
    """
    listing = Listing(terms)

    listing.hear(page(ACCOUNT))
    first = take(listing)
    listing.hear(page(MANAGEMENT, THIRD))

    assert first == [ACCOUNT]
    assert take(listing) == [MANAGEMENT, THIRD]
    assert listing.count == 3


def test_an_account_is_handed_out_once(terms):
    """
    AWS may list it twice, and the whole list names it again.
    """
    listing = Listing(terms)

    listing.hear(page(ACCOUNT))
    listing.hear(page(ACCOUNT, THIRD))
    listing.finish([account(ACCOUNT), account(THIRD), account(MANAGEMENT)])

    assert take(listing) == [ACCOUNT, THIRD, MANAGEMENT]
    assert list(listing.take()) == []


@pytest.mark.parametrize("state", ["SUSPENDED", "CLOSED", "PENDING_CLOSURE"])
def test_an_account_that_is_not_active_is_not_read(terms, state):
    """
    Nobody gets in there.
    """
    listing = Listing(terms)

    listing.hear(page(ACCOUNT, state=state))

    assert take(listing) == []
    assert not listing.has_begun


NAMING = {
    "an exclusion": lambda terms: replace(
        terms, selection=Selection(exclusions=(Exclusion(THIRD, "legal"),))
    ),
    "a selected account": lambda terms: replace(terms, selection=Selection(accounts=(THIRD,))),
    "a role": lambda terms: replace(terms, roles={THIRD: "another"}),
    "a scope": lambda terms: replace(
        terms, scopes=(ScopeRule("pci-dss-4.0.1", accounts=(THIRD,)),)
    ),
    "a selected OU": lambda terms: replace(terms, selection=Selection(ous=(UNIT,))),
    "a scope by OU": lambda terms: replace(
        terms, scopes=(ScopeRule("pci-dss-4.0.1", ous=(UNIT,)),)
    ),
}


@pytest.mark.parametrize("naming", NAMING)
def test_nobody_is_read_before_what_the_settings_name_was_listed(terms, naming):
    """
    A misspelt exclusion would have an account read that nobody may read.
    """
    listing = Listing(NAMING[naming](terms))

    listing.hear(page(ACCOUNT, MANAGEMENT))
    before = take(listing)
    listing.hear(page(THIRD, unit=UNIT))
    after = take(listing)

    assert before == []
    expected = {
        "an exclusion": [ACCOUNT, MANAGEMENT],
        "a selected account": [THIRD],
        "a selected OU": [THIRD],
    }
    assert after == expected.get(naming, [ACCOUNT, MANAGEMENT, THIRD])


@pytest.mark.parametrize("naming", ["a selected OU", "a scope by OU"])
def test_without_places_nobody_is_read_before_the_list_is_whole(terms, naming):
    """
    In which OU an account lies is asked for after the list then.
    """
    listing = Listing(NAMING[naming](terms))

    listing.hear(page(ACCOUNT, Paths=None))
    listing.hear(page(THIRD, unit=UNIT))
    before = take(listing)
    listing.finish([account(THIRD)])

    assert before == []
    assert take(listing) == [THIRD]


def test_where_tags_are_named_nobody_is_read_before_the_list_is_whole(terms):
    """
    They are asked for after it, and may be refused, or be nobody's.
    """
    rule = ScopeRule("pci-dss-4.0.1", tags=(("scope", "pci"),))
    listing = Listing(replace(terms, scopes=(rule,)))

    listing.hear(page(ACCOUNT, THIRD))
    before = take(listing)
    listing.finish([account(ACCOUNT), account(THIRD)])

    assert before == []
    assert take(listing) == [ACCOUNT, THIRD]


def test_a_listing_that_is_held_waits_for_its_end(terms):
    """
    So a resumed run reads only what it lacks.
    """
    listing = Listing(terms, is_held=True)

    listing.hear(page(ACCOUNT, THIRD))
    before = take(listing)
    listing.finish([account(THIRD)])

    assert before == []
    assert take(listing) == [THIRD]


@pytest.mark.parametrize("entry", [{"Id": "12"}, {"State": None}, {"Id": None}])
def test_what_is_no_account_ends_the_listing(terms, entry):
    """
    A list that cannot be understood is not whole.
    """
    with pytest.raises(DiscoveryError):
        Listing(terms).hear(page(ACCOUNT, **entry))
