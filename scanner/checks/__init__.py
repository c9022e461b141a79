"""
The checks: pure functions from a table of credentials to one verdict for each row.

One topic is one module; importing this package registers them all. `CHECKS` maps each id to its
`Check`. A new check is one function with the `@check` decorator; see CONTRIBUTING.md.
"""

from scanner.checks import mfa, root
from scanner.checks.registry import CHECKS, BoundCheck, Check, NoParameters, Parameters, Subject

__all__ = [
    "CHECKS",
    "BoundCheck",
    "Check",
    "NoParameters",
    "Parameters",
    "Subject",
    "mfa",
    "root",
]
