import hashlib
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from report_text import ACCOUNT, MADE, root_row, user_row, write_report

from scanner.errors import EvidenceError
from scanner.evidence.lines import RawReport, find_lines
from scanner.model import Strata
from scanner.sampling import allocate, count_strata, describe_draw, draw, rank

SOME = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

strata_rows = st.dictionaries(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=4),
    st.integers(1, 60),
    min_size=1,
    max_size=12,
)


def population(rows):
    """
    Return a population with so many rows in each stratum.
    """
    return pd.DataFrame(
        [
            {"arn": f"arn:aws:iam::{ACCOUNT}:user/{name}-{number}", "stratum": name}
            for name, count in rows.items()
            for number in range(count)
        ],
        columns=["arn", "stratum"],
    )


def take(frames, size, seed=7):
    limits = allocate(count_strata(frames), size)
    return draw(frames, limits, seed=seed, size=size)


def cut(frame, at):
    """
    Cut a frame into batches at these places.
    """
    edges = [0, *sorted(place % (len(frame) + 1) for place in at), len(frame)]
    return [frame.iloc[a:b].reset_index(drop=True) for a, b in pairwise(edges) if b > a]


def test_a_rank_is_what_sha256sum_prints():
    r"""
    `printf '%s\n%s' 7 arn:aws:iam::012345678901:user/alice | sha256sum` gives the same digits.
    """
    digits = "edf5ba6c6221887393f1c6cb78122354033cdb2eb06ff0252442c140020a124d"

    assert rank(7, "arn:aws:iam::012345678901:user/alice") == digits


@pytest.mark.parametrize("seed", [0, -5, 2**200])
def test_a_seed_is_any_integer(seed):
    """
    Its decimal digits are what is hashed, however many there are.
    """
    expected = hashlib.sha256(str(seed).encode() + b"\narn:x").hexdigest()

    assert rank(seed, "arn:x") == expected


@pytest.mark.parametrize(
    ("rows", "size", "expected"),
    [
        pytest.param({"a": 90, "b": 10}, 10, {"a": 9, "b": 1}, id="in proportion"),
        pytest.param({"a": 98, "b": 1, "c": 1}, 10, {"a": 8, "b": 1, "c": 1}, id="one from each"),
        pytest.param({"a": 50, "b": 30, "c": 20}, 4, {"a": 2, "b": 1, "c": 1}, id="remainders"),
        pytest.param({"b": 5, "a": 5}, 3, {"b": 1, "a": 2}, id="ties by name"),
        pytest.param(
            {"a": 85, "b": 10, "c": 3, "d": 1, "e": 1},
            10,
            {"a": 6, "b": 1, "c": 1, "d": 1, "e": 1},
            id="a share falls below one when smaller strata get theirs",
        ),
        pytest.param({"a": 3, "b": 1}, 4, {"a": 3, "b": 1}, id="everything"),
        pytest.param({"a": 3, "b": 1}, 99, {"a": 3, "b": 1}, id="more than everything"),
        pytest.param({"a": 3, "b": 1, "c": 8}, 2, {"a": 1, "b": 1, "c": 1}, id="fewer than strata"),
        pytest.param({"all": 40}, 7, {"all": 7}, id="one stratum"),
        pytest.param({}, 7, {}, id="nobody"),
    ],
)
def test_items_are_shared_out_by_hand_alike(rows, size, expected):
    """
    Each of these can be reckoned on paper.
    """
    assert allocate(rows, size) == expected


@SOME
@given(strata_rows, st.integers(1, 200))
def test_shares_add_up_and_no_stratum_is_left_out(rows, size):
    """
    The shares add up to the size, none is above its rows or below one, and a larger stratum never gets less.
    """
    assume(size >= len(rows))

    shares = allocate(rows, size)

    assert sum(shares.values()) == min(size, sum(rows.values()))
    assert all(1 <= shares[name] <= count for name, count in rows.items())
    by_size = sorted(rows, key=lambda name: rows[name])
    assert all(
        shares[less] <= shares[more] for less, more in pairwise(by_size) if rows[less] < rows[more]
    )


@SOME
@given(strata_rows, st.integers(1, 80), st.integers(), st.lists(st.integers(0, 999), max_size=4))
def test_the_order_of_the_rows_does_not_matter(rows, size, seed, at):
    """
    The same seed draws the same sample, however the rows are sorted and cut into batches.
    """
    whole = population(rows)
    shuffled = whole.sample(frac=1, random_state=3).reset_index(drop=True)

    first = take([whole], size, seed)
    second = take(cut(shuffled, at), size, seed)

    pd.testing.assert_frame_equal(first, second)


@SOME
@given(strata_rows, st.integers(1, 80), st.integers())
def test_the_lowest_ranks_are_drawn_and_nobody_twice(rows, size, seed):
    """
    As many as were asked for, all different, and in each stratum no row left out ranks below one that is in.
    """
    whole = population(rows)

    drawn = take([whole], size, seed)

    assert len(drawn) == min(size, len(whole))
    assert drawn["arn"].is_unique
    assert set(drawn["arn"]) <= set(whole["arn"])
    left = whole[~whole["arn"].isin(drawn["arn"])]
    lowest_left = left.assign(rank=[rank(seed, arn) for arn in left["arn"]])
    for name, taken in drawn.groupby("stratum"):
        others = lowest_left[lowest_left["stratum"] == name]["rank"]
        assert others.empty or taken["rank"].max() < others.min()


@SOME
@given(strata_rows, st.integers(1, 12))
def test_with_fewer_items_than_strata_no_stratum_gives_two(rows, size):
    """
    Then each stratum stands with its lowest rank, and the lowest of those are drawn.
    """
    assume(size <= len(rows))
    whole = population(rows)
    ranked = whole.assign(rank=[rank(7, arn) for arn in whole["arn"]])

    drawn = take([whole], size)

    assert drawn["stratum"].is_unique
    assert set(drawn["rank"]) == set(
        ranked.groupby("stratum")["rank"].min().sort_values().head(size)
    )


def test_nobody_can_tell_beforehand_which_strata_are_drawn():
    """
    Of 40 equal accounts not always the same five are drawn: it depends on the seed, and all come up.
    """
    whole = population({f"{number:012}": 5 for number in range(40)})

    drawn = [frozenset(take([whole], 5, seed)["stratum"]) for seed in range(60)]

    assert len(set(drawn)) > 55
    assert len(frozenset.union(*drawn)) == 40


def test_a_larger_sample_holds_the_smaller_one():
    """
    An auditor who asks for more items of the same seed keeps the work done on the first ones.
    """
    whole = population({"all": 300})

    assert list(take([whole], 25)["arn"]) == list(take([whole], 60)["arn"])[:25]


def test_another_seed_is_another_sample():
    """
    Of 300 rows two seeds do not draw the same 25, or nearly the same.
    """
    whole = population({"all": 300})

    both = set(take([whole], 25, 7)["arn"]) & set(take([whole], 25, 8)["arn"])

    assert len(both) < 10


def test_every_row_is_as_likely_as_any_other():
    """
    Over 4,000 seeds each of ten rows comes first about 400 times: no name is favoured.
    """
    arns = population({"all": 10})["arn"]

    first = [min(arns, key=lambda arn: rank(seed, arn)) for seed in range(4000)]

    counts = pd.Series(first).value_counts()
    assert len(counts) == 10
    assert counts.between(320, 480).all()


def test_other_columns_travel_along():
    """
    What a frame says of a row besides ARN and stratum is in the sample too.
    """
    whole = population({"all": 9}).assign(verdict=[str(number) for number in range(9)])

    drawn = take([whole], 4).merge(whole, on=["arn", "stratum"], suffixes=("", "_before"))

    assert list(drawn["verdict"]) == list(drawn["verdict_before"])


@pytest.mark.parametrize(
    ("size", "rows", "divided_by", "words"),
    [
        (5, {"all": 9}, None, "Of all rows, the 5 with the lowest ranks were taken."),
        (9, {"all": 9}, None, "so the whole population was taken"),
        (2, {"a": 5, "b": 4, "c": 1}, Strata.ACCOUNT, "lowest rank in their stratum, the 2 with"),
        (5, {"a": 5, "b": 4}, Strata.OU, "in proportion to the strata's rows"),
    ],
)
def test_the_method_says_what_was_done(size, rows, divided_by, words):
    """
    Each way of drawing has its own words, and all name seed and population.
    """
    steps = describe_draw(size, seed=-3, rows=rows, divided_by=divided_by)

    assert words in " ".join(steps)
    assert f"all {sum(rows.values())} rows" in steps[0]
    assert "the text -3, a line feed, and the row's ARN" in steps[1]


names = st.lists(
    st.from_regex(r"[A-Za-z0-9_+=,.@-]{1,12}", fullmatch=True),
    max_size=8,
    unique_by=str.casefold,
)
segments = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=8)


def find(content):
    report = RawReport("raw/x/credential-report.csv", content, "")
    return find_lines(report, ACCOUNT, MADE)


@SOME
@given(names, segments, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_a_line_is_the_users_own(users, segment, end, quoted, has_mark):
    """
    Whatever users and paths are called, and however lines end and fields are quoted.

    Each row bears a mark, and the line of that number, counted at line feeds as `sed` does, bears it too.
    """
    segment = segment if quoted else segment.replace('"', "'")
    rows = [
        user_row(name, path=f"/{segment}/", access_key_1_last_used_service=f"mark-{number}")
        for number, name in enumerate(users)
    ]
    rows.insert(len(rows) // 2, root_row(access_key_1_last_used_service="mark-root"))
    content = write_report(*rows, end=end, quoted=quoted)
    content = b"\xef\xbb\xbf" + content if has_mark else content

    lines = find(content)

    raw = content.split(b"\n")
    assert len(lines) == len(rows)
    for row in rows:
        line = lines[row["user"], row["arn"]]
        assert f",{row['access_key_1_last_used_service']},".encode() in raw[line.number - 1]
        assert line.values == row


def test_lines_are_found_when_columns_come_in_another_order():
    """
    Values are named by the header, not by their place.
    """
    header = sorted(root_row(), reverse=True)

    content = write_report(root_row(), user_row("alice", mfa_active="true"), header=header)

    line = find(content)["alice", f"arn:aws:iam::{ACCOUNT}:user/alice"]
    assert (line.number, line.values["mfa_active"]) == (3, "true")


def test_a_report_that_cannot_be_read_again_is_an_evidence_error():
    """
    It was read when the run was judged, so something is wrong with the evidence: the file is named.
    """
    with pytest.raises(EvidenceError, match=r"raw/x/credential-report\.csv: cannot be read again"):
        find(write_report(root_row())[:-40])
