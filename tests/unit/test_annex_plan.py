"""
How findings and accounts are spread over annex volumes.
"""

import pytest

from scanner.reports.annexes import Place, place_accounts, plan_volumes


def plan(places, limit=10, accounts=100):
    return plan_volumes(places, limit=limit, accounts=accounts)


def test_no_account_makes_no_volume():
    """
    An empty volume would be a document about nothing.
    """
    assert plan([]) == ()


def test_small_ous_share_a_volume():
    """
    Three OUs with three findings each fit into one.
    """
    (volume,) = plan([Place(f"ou {n}", f"{n}", 3) for n in range(3)])

    assert volume.units == ("ou 0", "ou 1", "ou 2")
    assert volume.findings == 9


def test_an_ou_is_not_torn_apart_where_a_volume_can_hold_it():
    """
    The second OU begins a volume, though two of its accounts would fit into the first.
    """
    places = [Place("a", "1", 6), *(Place("b", f"{n}", 2) for n in range(2, 7))]

    first, second = plan(places)

    assert first.units == ("a",)
    assert second.units == ("b",)


def test_an_ou_with_more_than_a_volume_holds_is_parted_between_accounts():
    """
    Each account is whole in one volume.
    """
    volumes = plan([Place("a", f"{n}", 4) for n in range(5)])

    assert [volume.ledger for volume in volumes] == [("0", "1"), ("2", "3"), ("4",)]


def test_an_account_with_more_than_a_volume_holds_is_parted_and_listed_once():
    """
    Its findings go on in the next volumes, and its line of the ledger stands in the first.
    """
    volumes = plan([Place("a", "1", 25)])

    assert [(share.start, share.stop) for volume in volumes for share in volume.shares] == [
        (0, 10),
        (10, 20),
        (20, 25),
    ]
    assert [volume.ledger for volume in volumes] == [("1",), (), ()]
    assert place_accounts(volumes) == {"1": "1\u20133"}


def test_volumes_are_filled_alike():
    """
    Eleven findings are six and five, not ten and one.
    """
    volumes = plan([Place(f"ou {n:02}", f"{n}", 1) for n in range(11)])

    assert [volume.findings for volume in volumes] == [6, 5]


def test_a_volume_holds_no_more_accounts_than_it_may():
    """
    Accounts without findings fill a ledger all the same.
    """
    volumes = plan([Place("a", f"{n}", 0) for n in range(7)], accounts=3)

    assert [len(volume.ledger) for volume in volumes] == [3, 3, 1]


@pytest.mark.parametrize("number", [1, 2])
def test_volumes_are_numbered_from_one(number):
    """
    Without gaps, for the names of their files.
    """
    volumes = plan([Place("a", f"{n}", 10) for n in range(number)])

    assert [volume.number for volume in volumes] == list(range(1, number + 1))
