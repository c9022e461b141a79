"""
The checks: pure functions from a table of credentials to one verdict for each row.

One topic is one module; importing this package registers them all. `CHECKS` maps each id to its
`Check`. A new check is one function with the `@check` decorator; see CONTRIBUTING.md.
"""

from scanner.checks import certificates, collection, keys, mfa, passwords, root, users
from scanner.checks.collection import EVIDENCE_CHECKS
from scanner.checks.registry import (
    CHECKS,
    BoundCheck,
    Check,
    NoParameters,
    Parameters,
    Subject,
    title_check,
)

__all__ = [
    "CHECKS",
    "EVIDENCE_CHECKS",
    "BoundCheck",
    "Check",
    "NoParameters",
    "Parameters",
    "Subject",
    "certificates",
    "collection",
    "keys",
    "mfa",
    "passwords",
    "root",
    "title_check",
    "users",
]
