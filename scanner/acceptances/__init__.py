"""
Accepted risks: which findings somebody answers for, on whose word and until when.

An acceptance annotates a finding and never removes or changes it. It names an account, a user and a
check, or patterns of them, and ends by itself: what nobody renews is open again. Only exceptions and
leads can be accepted. An unknown verdict is not accepted, and neither is an account that nobody read:
whoever accepts a risk has seen it.

`read_acceptances` turns a file's bytes into acceptances, or lists everything wrong with them;
`AcceptanceLedger` holds findings against them, batch by batch. Both are pure; `load_acceptances_file`
alone touches the disk. `config/acceptances.example.yaml` shows the file.
"""

from scanner.acceptances.acceptance import EVERY_ACCOUNT, Acceptance, Kind, State
from scanner.acceptances.file import (
    MAX_ACCEPTANCE_BYTES,
    AcceptanceFile,
    load_acceptances_file,
    read_acceptances,
)
from scanner.acceptances.ledger import AcceptanceLedger
from scanner.summary import AcceptanceTotals

__all__ = [
    "EVERY_ACCOUNT",
    "MAX_ACCEPTANCE_BYTES",
    "Acceptance",
    "AcceptanceFile",
    "AcceptanceLedger",
    "AcceptanceTotals",
    "Kind",
    "State",
    "load_acceptances_file",
    "read_acceptances",
]
