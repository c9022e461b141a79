"""
The account list while AWS hands it out: which accounts can be read before the last page has come. Pure.

AWS lists 20 accounts a call at 8 calls a second, so that the list of 10,000 accounts takes a minute (Organizations
user guide, quotas). Most of a scan fits into that minute.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scanner.model import Account, AccountId, Terms
from scanner.organization import leave_out, read_page


@dataclass(frozen=True, slots=True)
class Listed:
    """
    The list is whole: how many accounts it has, and how many of them are to be read.
    """

    accounts: int
    selected: int


class Listing:
    """
    What AWS has listed so far, and whom of it to read next.

    Nothing is handed out before everything that the settings name was listed: a misspelt exclusion would have an
    account read that nobody may read, and a misspelt selection every account. Tags that they name are known only
    once the list is whole. One thread may fill it while another takes accounts from it. `pages` holds what AWS answered, and `count` how many accounts that are.
    """

    def __init__(self, terms: Terms, *, is_held: bool = False) -> None:
        """
        With `is_held` nothing is handed out before `finish`.
        """
        selection = terms.selection
        self._selection = selection
        self._unseen: set[str] = {
            *selection.accounts,
            *selection.ous,
            *(exclusion.account_id for exclusion in selection.exclusions),
            *terms.roles,
            *(name for rule in terms.scopes for name in (*rule.accounts, *rule.ous)),
        }
        self._needs_place = bool(selection.ous) or any(rule.ous for rule in terms.scopes)
        self._is_held = is_held or any(rule.tags for rule in terms.scopes)
        self.pages: list[Mapping[str, Any]] = []
        self._heard: list[Account] = []
        self._begun: set[AccountId] = set()
        self._ready: deque[Account] = deque()
        self._is_whole = False
        self._has_begun = False
        self.count = 0

    @property
    def has_begun(self) -> bool:
        """
        Whether any account was handed out to be read.
        """
        return self._has_begun

    @property
    def selected(self) -> int:
        """
        How many accounts are to be read, as far as is known.
        """
        return len(self._begun)

    def hear(self, page: Mapping[str, Any]) -> None:
        """
        Take in one page of ListAccounts. Raises `DiscoveryError` where it lists what is no account.
        """
        self.pages.append(page)
        for account in read_page(page):
            self.count += 1
            self._heard.append(account)
            self._unseen -= {account.id, *account.ou_ids}
            # Where its place is asked for later, nobody can say yet whether it is selected.
            self._is_held |= self._needs_place and not account.ou_ids
        if not (self._unseen or self._is_held):
            heard, self._heard = self._heard, []
            self._begin(account for account in heard if leave_out(account, self._selection) is None)

    def finish(self, accounts: Collection[Account]) -> None:
        """
        Say which accounts are to be read, now that the list is whole.
        """
        self._begin(accounts)
        self._is_whole = True

    def take(self) -> Iterator[Account | None]:
        """
        Yield each account to read once; None where more may come and none is there yet.
        """
        while True:
            is_whole = self._is_whole  # first, since more may come after a look at what is ready
            if self._ready:
                self._has_begun = True
                yield self._ready.popleft()
            elif is_whole:
                return
            else:
                yield None

    def _begin(self, accounts: Iterator[Account] | Collection[Account]) -> None:
        for account in accounts:
            if account.id not in self._begun:
                self._begun.add(account.id)
                self._ready.append(account)
