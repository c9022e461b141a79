"""
What a run leaves behind: raw answers, the tables derived from them, totals and the seal.
"""

from scanner.evidence.run import StoredRun
from scanner.evidence.store import Store

__all__ = ["Store", "StoredRun"]
