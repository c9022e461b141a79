"""
Limits on ages, in whole days, and whether the limit itself is still within.
"""

from typing import Literal

import pandas as pd
from pydantic import Field

from scanner.checks.registry import Parameters

Operator = Literal["at-least", "more-than"]
"""
Whether an age equal to the limit is an exception: CIS counts "45 days or more", PCI "over 90 days".
"""


class AgeLimit(Parameters):
    """
    A limit of `days` whole days. Subclasses give the defaults that frameworks ask for most.
    """

    days: int = Field(ge=0, le=36500)
    operator: Operator

    @property
    def threshold(self) -> str:
        """
        The limit in words: `45 days or more`, `more than 90 days`.
        """
        days = f"{self.days} day{'' if self.days == 1 else 's'}"
        return f"{days} or more" if self.operator == "at-least" else f"more than {days}"

    def exceeds(self, days: pd.Series) -> pd.Series:
        """
        Tell which ages (Int64) are an exception, as a nullable boolean: <NA> where the age is missing.
        """
        return days >= self.days if self.operator == "at-least" else days > self.days


class Days45OrMore(AgeLimit):
    """
    45 days or more, as CIS counts unused credentials.
    """

    days: int = Field(default=45, ge=0, le=36500)
    operator: Operator = "at-least"


class Over90Days(AgeLimit):
    """
    Over 90 days, as PCI DSS and AWS count.
    """

    days: int = Field(default=90, ge=0, le=36500)
    operator: Operator = "more-than"
