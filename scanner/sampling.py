"""
Which rows an auditor's sample holds: drawn by rank, so that anybody can draw it again. Pure.

A row's rank is the SHA-256 of the seed and its ARN, and the lowest ranks are taken. So one seed gives one
sample on every machine, whatever the order of the rows, and one call of `sha256sum` checks a rank. Frames
hold at least the columns `arn` and `stratum`, both without missing values; the others travel along.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

import pandas as pd

from scanner.model import Strata

_BASES = {
    Strata.OU: "the OU path of their account",
    Strata.ACCOUNT: "account",
    Strata.VERDICT: "the check's verdict",
}


def rank(seed: int, arn: str) -> str:
    """
    Return a row's rank: the SHA-256, in hex, of the seed in decimal, a line feed and the ARN.
    """
    return hashlib.sha256(f"{seed}\n{arn}".encode()).hexdigest()


def count_strata(frames: Iterable[pd.DataFrame]) -> dict[str, int]:
    """
    Return how many rows each stratum has, in order of its name.
    """
    counts: Counter[str] = Counter()
    for frame in frames:
        counts.update({str(name): int(n) for name, n in frame["stratum"].value_counts().items()})
    return dict(sorted(counts.items()))


def allocate(rows: Mapping[str, int], size: int) -> dict[str, int]:
    """
    Return how many rows may be drawn from each stratum, given how many it has.

    In proportion to its rows, rounded by largest remainder, ties going by name, and at least one from
    each. With no more items than strata it is one from each, and `draw` takes the lowest ranks of those:
    the largest strata first would be the same ones every time, and everybody could tell which.
    """
    if size >= sum(rows.values()):
        return dict(rows)
    if size <= len(rows):
        return dict.fromkeys(rows, 1)
    large, left = _set_small_aside(rows, size)
    total = sum(large.values())
    shares = {name: left * count // total for name, count in large.items()}
    spare = left - sum(shares.values())
    by_remainder = sorted(large, key=lambda name: (-(left * large[name] % total), name))
    for name in by_remainder[:spare]:
        shares[name] += 1
    return {name: shares.get(name, 1) for name in rows}


def _set_small_aside(rows: Mapping[str, int], size: int) -> tuple[dict[str, int], int]:
    """
    Return the strata whose share is at least one, and how many items are left for them.

    All others get one item. That takes from the rest, whose shares can fall below one in turn.
    """
    large, left = dict(rows), size
    while True:
        total = sum(large.values())
        small = {name for name, count in large.items() if left * count < total}
        if not small:
            return large, left
        left -= len(small)
        large = {name: count for name, count in large.items() if name not in small}


def draw(
    frames: Iterable[pd.DataFrame], limits: Mapping[str, int], *, seed: int, size: int
) -> pd.DataFrame:
    """
    Return the drawn rows with their `rank`, sorted by stratum and rank.

    Of each stratum the lowest ranks, as many as `limits` says; of all those the `size` lowest. No more
    rows are kept than the limits add up to, beside one frame. There must be at least one frame.
    """
    kept: list[pd.DataFrame] = []
    for frame in frames:
        ranked = frame.assign(rank=[rank(seed, arn) for arn in frame["arn"]])
        kept = [_keep_lowest(pd.concat([*kept, ranked]), limits)]
    lowest = pd.concat(kept).sort_values("rank").head(size)
    return lowest.sort_values(["stratum", "rank"], ignore_index=True)


def _keep_lowest(rows: pd.DataFrame, limits: Mapping[str, int]) -> pd.DataFrame:
    ordered = rows.sort_values("rank")
    place = ordered.groupby("stratum").cumcount()
    return ordered[place < ordered["stratum"].map(limits)]


def describe_draw(
    size: int, *, seed: int, rows: Mapping[str, int], divided_by: Strata | None
) -> tuple[str, ...]:
    """
    Say how a sample was drawn, step by step, so that it can be drawn without orgproof.
    """
    population = sum(rows.values())
    steps = [
        (
            f"The population is all {population:,} rows of tables/users.parquet: every IAM user and every "
            "root user of the accounts that were read."
        ),
        f"The rank of a row is the SHA-256, in hex, of the text {seed}, a line feed, and the row's ARN.",
    ]
    if size >= population:
        return (*steps, f"{size:,} items were asked for, so the whole population was taken.")
    lowest = f"the {size:,} with the lowest ranks were taken"
    if divided_by is None:
        return (*steps, f"Of all rows, {lowest}.")
    strata = "one stratum" if len(rows) == 1 else f"{len(rows):,} strata"
    steps.append(f"The rows were divided by {_BASES[divided_by]} into {strata}.")
    if size <= len(rows):
        return (*steps, f"Of the rows that have the lowest rank in their stratum, {lowest}.")
    return (
        *steps,
        (
            f"The {size:,} items were shared out in proportion to the strata's rows. A stratum whose share "
            "was below one got one item, and the others' shares were reckoned anew. Shares were rounded by "
            "largest remainder, equal remainders going to the name that sorts first."
        ),
        "In each stratum the rows with the lowest ranks were taken, as many as it had items.",
    )
