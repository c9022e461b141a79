"""
The settings: one TOML file, parsed once and strictly, and the options that override it.
"""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from scanner.errors import SettingsError
from scanner.model import (
    AccountId,
    Exclusion,
    ScopeRule,
    Selection,
)

AccountText = Annotated[str, Field(pattern=r"^[0-9]{12}$")]
UnitText = Annotated[str, Field(pattern=r"^(ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|r-[0-9a-z]{4,32})$")]
RoleText = Annotated[
    # A name, with its path where it has one: not an ARN, and no slash in front.
    str,
    Field(
        pattern=r"^([\x21-\x2e\x30-\x39\x3b-\x7e][\x21-\x39\x3b-\x7e]*/)?[A-Za-z0-9_+=,.@-]{1,64}$",
        max_length=512,
    ),
]
ExternalIdText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+=,.@:/-]{2,1224}$")]

DEFAULT_ROLE = "orgproof-reader"
MAX_SETTINGS_BYTES = 1024 * 1024


class _Table(BaseModel):
    # An error must not carry the value: a misspelt external id would end in a log.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class ExcludedAccount(_Table):
    """
    An account left out on purpose. The reason is printed in every document.
    """

    account: AccountText
    reason: str = Field(min_length=3)


class ScanTable(_Table):
    """
    `[scan]`: what is made, where, and by whom.
    """

    period: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")
    output: str = "outputs"
    frameworks: list[str] = Field(default=["pci-dss-4.0.1", "iso-27001-2022"], min_length=1)
    formats: list[str] = Field(default=["pdf", "xlsx", "csv", "json"], min_length=1)
    framework_files: list[str] = Field(default_factory=list)
    acceptances: str | None = None
    max_report_age_hours: int = Field(default=24, ge=1, le=24 * 365)
    workers: int = Field(default=16, ge=1, le=256)
    organization_name: str = ""
    prepared_by: str = ""

    @field_validator("frameworks", "framework_files", "formats")
    @classmethod
    def _once_each(cls, names: list[str]) -> list[str]:
        return list(dict.fromkeys(names))


class AwsTable(_Table):
    """
    `[aws]`: how the accounts are reached.
    """

    profile: str | None = None
    region: str | None = Field(default=None, pattern=r"^[a-z0-9-]+$")
    role_name: RoleText = DEFAULT_ROLE
    roles: dict[AccountText, RoleText] = Field(default_factory=dict)
    external_id: ExternalIdText | None = Field(default=None, repr=False)
    endpoint_url: str | None = None
    account_deadline_seconds: float = Field(default=120, ge=5, le=840)


class AccountsTable(_Table):
    """
    `[accounts]`: which accounts a run looks at. Empty lists select every account.
    """

    accounts: list[AccountText] = Field(default_factory=list)
    ous: list[UnitText] = Field(default_factory=list)
    exclude: list[ExcludedAccount] = Field(default_factory=list)


class ConfirmTable(_Table):
    """
    `[confirm]`: whether users without MFA are asked about live, and which tags name their owner.
    """

    enabled: bool = True
    owner_tags: list[str] = Field(default=["owner", "Owner", "contact", "team"])


class ScopeTable(_Table):
    """
    `[scope."FRAMEWORK"]`: the accounts a framework speaks for. `unknown` says that nobody has decided yet.
    """

    everything: bool = False
    unknown: bool = False
    accounts: list[AccountText] = Field(default_factory=list)
    ous: list[UnitText] = Field(default_factory=list)
    tags: dict[str, str | list[str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _say_one_thing(self) -> Self:
        if any(not value for value in self.tags.values()):
            raise ValueError(
                "a tag without a value holds no account; give each tag one value or more"
            )
        parts = bool(self.accounts or self.ous or self.tags)
        if [self.everything, self.unknown, parts].count(True) != 1:
            raise ValueError(
                "a scope is everything = true, or unknown = true, or accounts, ous and tags: one of the three"
            )
        return self


class Settings(_Table):
    """
    Every setting of a scan, checked.
    """

    scan: ScanTable = ScanTable()
    aws: AwsTable = AwsTable()
    accounts: AccountsTable = AccountsTable()
    confirm: ConfirmTable = ConfirmTable()
    scope: dict[str, ScopeTable] = Field(default_factory=dict)

    @property
    def scopes(self) -> tuple[ScopeRule, ...]:
        """
        The scopes that are declared and known, by framework.
        """
        return tuple(
            ScopeRule(
                framework=framework,
                everything=table.everything,
                accounts=tuple(AccountId(name) for name in table.accounts),
                ous=tuple(table.ous),
                tags=tuple(
                    (key, value)
                    for key, values in table.tags.items()
                    for value in ([values] if isinstance(values, str) else values)
                ),
            )
            for framework, table in sorted(self.scope.items())
            if not table.unknown
        )

    @property
    def selection(self) -> Selection:
        """
        Which accounts a run looks at.
        """
        return Selection(
            accounts=tuple(AccountId(name) for name in self.accounts.accounts),
            ous=tuple(self.accounts.ous),
            exclusions=tuple(
                Exclusion(AccountId(entry.account), entry.reason) for entry in self.accounts.exclude
            ),
        )


def read_settings(
    source: bytes | None, filename: str, overrides: Mapping[str, Mapping[str, Any]]
) -> Settings:
    """
    Read settings from a TOML file's bytes (None: no file) with overrides laid over them, table by table.

    A file that the settings file names is looked for beside it; one that an option names, in the working
    directory. Raises `SettingsError` with every problem at once, each naming the file or option and the
    field.
    """
    document: dict[str, Any] = {}
    if source is not None:
        document = _place_files(_parse_toml(source, filename), Path(filename).parent)
    for table, values in overrides.items():
        below = document.get(table, {})
        if not isinstance(below, dict):
            raise SettingsError(f"{filename}: {table}: must be a table, written [{table}]")
        document[table] = {**below, **values}
    try:
        return Settings.model_validate(document)
    except ValidationError as exc:
        problems = [
            f"{_name_source(error['loc'], overrides, filename)}: {_dots(error['loc'])}: "
            f"{error['msg']}{_show_value(error)}"
            for error in exc.errors()
        ]
        raise SettingsError("\n".join(problems)) from exc


def read_settings_file(path: Path) -> bytes:
    """
    Return a settings file's bytes, or raise `SettingsError`.
    """
    try:
        if path.stat().st_size > MAX_SETTINGS_BYTES:
            raise SettingsError(f"{path}: larger than 1 MiB; this is not a settings file")
        return path.read_bytes()
    except OSError as exc:
        raise SettingsError(f"{path}: cannot be read: {exc.strerror}") from exc


def name_quarter(moment: datetime) -> str:
    """
    Return the calendar quarter a moment lies in, such as `2026-Q4`.
    """
    return f"{moment.year}-Q{(moment.month + 2) // 3}"


def _parse_toml(source: bytes, filename: str) -> dict[str, Any]:
    try:
        return tomllib.loads(source.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        problem = str(exc) if isinstance(exc, tomllib.TOMLDecodeError) else type(exc).__name__
        raise SettingsError(f"{filename}: not TOML: {problem}") from None


def _place_files(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    scan = document.get("scan")
    if not isinstance(scan, dict):
        return document
    placed = dict(scan)
    if isinstance(scan.get("acceptances"), str):
        placed["acceptances"] = str(folder / scan["acceptances"])
    if isinstance(scan.get("framework_files"), list):
        placed["framework_files"] = [
            str(folder / name) if isinstance(name, str) else name
            for name in scan["framework_files"]
        ]
    return {**document, "scan": placed}


def _name_source(
    loc: tuple[int | str, ...], overrides: Mapping[str, Mapping[str, Any]], filename: str
) -> str:
    given = len(loc) > 1 and str(loc[1]) in overrides.get(str(loc[0]), {})
    return "option" if given else filename


def _dots(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc)


def _show_value(error: Any) -> str:  # noqa: ANN401 - pydantic's error details
    value = error["input"]
    hidden = "external_id" in _dots(error["loc"]) or error["type"] == "extra_forbidden"
    if hidden or not isinstance(value, str | int | float):
        return ""
    return f" (found {value!r})"
