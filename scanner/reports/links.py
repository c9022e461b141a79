"""
Addresses in the AWS console, by partition, for accounts and users.

Hosts are fixed, and whatever came from AWS is percent-encoded behind them. The page of a user shows the account
that the browser is signed in to, whichever that is: whoever follows it signs in to the row's account first.
Sources, read in November 2026: the IAM user guides of AWS and of AWS China on the sign-in page of an account
(`https://<id>.signin.aws.amazon.com/console`, `.signin.amazonaws.cn`), and the AWS GovCloud (US) user guide on
the IAM console (`https://console.amazonaws-us-gov.com/iam`).
"""

import re
from dataclasses import dataclass
from urllib.parse import quote

from scanner.reports.cells import Link

LINK_LIMIT = 20_000
"""
How many real links a workbook has: each costs memory, and a sheet holds 65,530. The others are plain text.
"""

_LONGEST = 2_000
"""
Excel follows no address of more than 2,079 characters.
"""

_ACCOUNT_ID = re.compile(r"[0-9]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Console:
    """
    Where a partition's console is, and where its accounts sign in.
    """

    host: str
    sign_in: str


CONSOLES = {
    "aws": Console("console.aws.amazon.com", "signin.aws.amazon.com"),
    "aws-us-gov": Console("console.amazonaws-us-gov.com", "signin.amazonaws-us-gov.com"),
    "aws-cn": Console("console.amazonaws.cn", "signin.amazonaws.cn"),
}


def describe_links(partition: str) -> str:
    """
    Say in a sentence where the links lead.
    """
    if partition not in CONSOLES:
        return (
            f"There are no links to the console: the address of partition {partition} is not known."
        )
    return (
        "The column console leads to an account's sign-in page, or to a user's page in IAM. A user's page shows "
        "the account that the browser is signed in to: sign in to the row's account first. No link leads to a row of "
        "this workbook, since sorting moves rows: to see a finding's account, filter Accounts by account_id."
    )


def address_account(partition: str, account_id: str) -> str | None:
    """
    Return the address at which IAM users sign in to an account, None where it is not known.
    """
    console = CONSOLES.get(partition)
    if console is None or not _ACCOUNT_ID.fullmatch(account_id):
        return None
    return f"https://{account_id}.{console.sign_in}/console"


def address_user(partition: str, user: str) -> str | None:
    """
    Return the address of a user's page in the IAM console, None where it is not known or too long to follow.
    """
    console = CONSOLES.get(partition)
    if console is None:
        return None
    address = f"https://{console.host}/iam/home#/users/details/{quote(user, safe='')}"
    return address if len(address) <= _LONGEST else None


def link_address(address: str) -> Link:
    """
    Return a link to an address. Excel keeps what follows `#` apart.
    """
    target, _, location = address.partition("#")
    return Link(target, location or None)


def link_sheet(title: str) -> Link:
    """
    Return a link to the top of a sheet: what stands below moves when people sort. The title is one of our own.
    """
    return Link(location=f"'{title}'!A1")
