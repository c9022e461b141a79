"""
What can go wrong, named by its consequence. A leaf, so that every layer may raise these.

    OrgproofError
    ├── SettingsError      wrong command or settings: nothing was started
    ├── CatalogError       a control catalog that cannot be used, with every problem in it
    ├── AcceptanceError    a file of accepted risks that cannot be used, with every problem in it
    ├── DiscoveryError     the account list could not be read whole: nothing can be judged
    ├── ReportError        one account's credential report is not what AWS sends
    ├── EvidenceError      a run folder cannot be written, read, or does not add up
    │   └── SealError      a run folder is not what was sealed
    ├── EngineError        the machines that share the work are lost; what they brought is kept
    ├── RenderError        a document could not be made; the evidence is untouched
    └── DeliveryError      a finished run is not where it should have been sent; it is whole where it is

Messages name the account, file, control or field and the next step, and never carry a secret.
"""


class OrgproofError(Exception):
    """
    Anything orgproof foresees going wrong. `str()` of it is fit to be shown to a person.
    """


class SettingsError(OrgproofError):
    """
    The command or the settings are wrong, so nothing was started.
    """


class CatalogError(OrgproofError):
    """
    A control catalog cannot be used. `problems` lists every one, each with file, control and field.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class AcceptanceError(OrgproofError):
    """
    Accepted risks cannot be used. `problems` lists every one, each with file, acceptance and field.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DiscoveryError(OrgproofError):
    """
    The organization's account list could not be read whole, so nothing may be judged from it.
    """


class ReportError(OrgproofError):
    """
    One account's credential report is not what AWS sends.

    `line` counts from 1, the header being line 1; `column` is the report's own column name. Either
    is None where the fault has no such place. `foreign` is true when the report is well formed but
    belongs to another account.
    """

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        column: str | None = None,
        foreign: bool = False,
    ) -> None:
        place = ", ".join(
            part
            for part in (f"line {line}" if line else "", f"column {column}" if column else "")
            if part
        )
        super().__init__(f"{place}: {message}" if place else message)
        self.line = line
        self.column = column
        self.foreign = foreign


class EvidenceError(OrgproofError):
    """
    A run folder cannot be written or read, or its figures do not add up.
    """


class SealError(EvidenceError):
    """
    A run folder holds something else than what was sealed.
    """


class EngineError(OrgproofError):
    """
    The machines that share the work cannot be had any more. What they brought is kept.
    """


class RenderError(OrgproofError):
    """
    A document could not be made from evidence that is itself whole.
    """


class DeliveryError(OrgproofError):
    """
    A destination did not get all of a run that is itself whole.
    """
