from hypothesis import given
from hypothesis import strategies as st

from scanner.reports.annexes import Place, plan_volumes

PLACES = st.lists(
    st.tuples(st.sampled_from(["", "a", "a/b", "\u202e", "b"]), st.integers(0, 40)), max_size=40
)


@given(PLACES, st.integers(1, 12), st.integers(1, 9), st.randoms())
def test_everything_stands_in_exactly_one_volume(drawn, limit, accounts, random):
    """
    Every account, and every finding of it; no volume holds more than it may, and the order of the input is nothing.
    """
    places = [Place(unit, f"{n:03}", findings) for n, (unit, findings) in enumerate(drawn)]
    shuffled = random.sample(places, len(places))

    volumes = plan_volumes(places, limit=limit, accounts=accounts)

    assert volumes == plan_volumes(shuffled, limit=limit, accounts=accounts)
    held = [
        (share.account_id, index)
        for volume in volumes
        for share in volume.shares
        for index in range(share.start, share.stop)
    ]
    assert sorted(held) == [(p.account_id, n) for p in places for n in range(p.findings)]
    listed = [account_id for volume in volumes for account_id in volume.ledger]
    assert sorted(listed) == [place.account_id for place in places]
    assert all(volume.findings <= limit for volume in volumes)
    assert all(0 < len(volume.shares) <= accounts for volume in volumes)
    order = [(share.unit, share.account_id) for volume in volumes for share in volume.shares]
    assert order == sorted(order)
