"""
The settings: one TOML file, parsed once and strictly, and the options that override it.
"""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from scanner.delivery import Contents
from scanner.errors import SettingsError
from scanner.model import (
    ANNEX_LIMIT,
    FINDINGS_LIMIT,
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
KmsKeyText = Annotated[
    # An id, an alias or an ARN of either.
    str,
    Field(
        pattern=r"^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:)?(key/|alias/)?[A-Za-z0-9/_-]{1,256}$",
    ),
]
WebText = Annotated[
    # Without a user or a query, for those can be secrets.
    str,
    Field(pattern=r"^https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*)?$", max_length=2048),
]
BucketText = Annotated[
    # Not an ARN, and not a directory bucket (--x-s3), which can lock nothing.
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"),
]
PrefixText = Annotated[
    str,
    Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*)?$", max_length=256),
]

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
    formats: list[str] = Field(default=["pdf", "xlsx", "html", "csv", "json"], min_length=1)
    framework_files: list[str] = Field(default_factory=list)
    acceptances: str | None = None
    max_report_age_hours: int = Field(default=24, ge=1, le=24 * 365)
    workers: int = Field(default=64, ge=1, le=256)
    engine: str = "local"
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


class DocumentsTable(_Table):
    """
    `[documents]`: how many findings a PDF prints one by one, and how many annex volumes are made for.
    """

    findings_limit: int = Field(default=FINDINGS_LIMIT, ge=1, le=5_000)
    annex_limit: int = Field(default=ANNEX_LIMIT, ge=0, le=200_000)


class PdfSignTable(_Table):
    """
    `[sign.pdf]`: whose certificate signs the PDF. Passphrase and PIN come from the environment alone.
    """

    pkcs12: str | None = None
    pkcs11_module: str | None = None
    pkcs11_token: str | None = Field(default=None, min_length=1)
    pkcs11_certificate: str | None = Field(default=None, min_length=1)
    timestamp_url: WebText | None = None

    @model_validator(mode="after")
    def _name_one_key(self) -> Self:
        device = [self.pkcs11_module, self.pkcs11_token, self.pkcs11_certificate]
        given = sum(name is not None for name in device)
        if (self.pkcs12 is None and given < len(device)) or (self.pkcs12 is not None and given):
            raise ValueError(
                "name pkcs12, or pkcs11_module, pkcs11_token and pkcs11_certificate: one of the two, whole"
            )
        return self


class SignTable(_Table):
    """
    `[sign]`: the key that signs a run's seal, and the certificate that signs its PDF.
    """

    key: str | None = None
    kms_key: KmsKeyText | None = None
    pdf: PdfSignTable | None = None

    @model_validator(mode="after")
    def _name_one_key(self) -> Self:
        if self.key is not None and self.kms_key is not None:
            raise ValueError("name key or kms_key: a run is signed with one key")
        return self


class FolderTable(_Table):
    """
    `[[deliver]]` with `to = "folder"`: a folder that is there already.
    """

    to: Literal["folder"]
    contents: Contents = "documents"
    path: str = Field(min_length=1)


class S3Table(_Table):
    """
    `[[deliver]]` with `to = "s3"`: a bucket, and how objects are kept there.
    """

    to: Literal["s3"]
    contents: Contents = "documents"
    bucket: BucketText
    prefix: PrefixText = ""
    region: str | None = Field(default=None, pattern=r"^[a-z0-9-]+$")
    profile: str | None = None
    expected_owner: AccountText | None = None
    kms_key: KmsKeyText | None = None
    lock_mode: Literal["governance", "compliance"] | None = None
    retain_days: int | None = Field(default=None, ge=1, le=36500)
    endpoint_url: str | None = None

    @model_validator(mode="after")
    def _lock_whole(self) -> Self:
        if self.lock_mode is not None and self.retain_days is None:
            raise ValueError("lock_mode needs retain_days: for how many days objects are locked")
        if self.retain_days is not None and self.lock_mode is None:
            raise ValueError('retain_days needs lock_mode: "governance" or "compliance"')
        if self.bucket.endswith("--x-s3"):
            raise ValueError("a directory bucket can lock nothing; name a general purpose bucket")
        return self


def _read_to(table: object) -> str | None:
    to = table.get("to") if isinstance(table, dict) else getattr(table, "to", None)
    return to if isinstance(to, str) else None


DeliverTable = Annotated[
    Annotated[FolderTable, Tag("folder")] | Annotated[S3Table, Tag("s3")],
    Discriminator(
        _read_to,
        custom_error_type="deliver_to",
        custom_error_message='to must be "folder" or "s3"',
    ),
]


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
    documents: DocumentsTable = DocumentsTable()
    scope: dict[str, ScopeTable] = Field(default_factory=dict)
    sign: SignTable = SignTable()
    deliver: list[DeliverTable] = Field(default_factory=list)

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
        if table == "sign" and values:
            # A key that an option names replaces the file's, of whichever kind that is.
            below = {name: value for name, value in below.items() if name not in _ONE_KEY}
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


def read_stored_settings(
    source: bytes, filename: str, overrides: Mapping[str, Mapping[str, Any]]
) -> Settings:
    """
    Read the settings that a run keeps, with overrides laid over them, or raise `SettingsError`.

    Where their file once stood nobody knows any more, so a folder to deliver to or a key that was given
    relative to it is refused, unless an option says otherwise.
    """
    document = _parse_toml(source, filename)
    named = [("deliver.path", table.get("path")) for table in _list_deliver(document)]
    sign = document.get("sign")
    if isinstance(sign, dict):
        pdf = sign.get("pdf")
        named += [("sign.key", sign.get("key"))] if not overrides.get("sign") else []
        named += [("sign.pdf.pkcs12", pdf.get("pkcs12"))] if isinstance(pdf, dict) else []
    for field, path in named:
        if isinstance(path, str) and not Path(path).is_absolute():
            raise SettingsError(
                f"{filename}: {field}: {path!r} is relative to where the settings file stood; name that file "
                "with --config, or write whole paths in it"
            )
    return read_settings(source, filename, overrides)


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


_ONE_KEY = ("key", "kms_key")

_FILES = {
    ("scan",): ("acceptances", "framework_files"),
    ("sign",): ("key",),
    ("sign", "pdf"): ("pkcs12", "pkcs11_module"),
}
"""
The settings that name files, by table.
"""


def _place_files(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """
    Return the file's tables with the files that they name looked for beside it.
    """
    for path, names in _FILES.items():
        table: object = document
        for part in path:
            table = table.get(part) if isinstance(table, dict) else None
        if isinstance(table, dict):
            table.update({name: _place(table[name], folder) for name in names if name in table})
    for table in _list_deliver(document):
        if table.get("path"):
            table["path"] = _place(table["path"], folder)
    return document


def _list_deliver(document: Mapping[str, object]) -> list[dict[str, object]]:
    tables = document.get("deliver")
    if not isinstance(tables, list):
        return []
    return [table for table in tables if isinstance(table, dict)]


def _place(value: object, folder: Path) -> object:
    match value:
        case str():
            return str(folder / value)
        case list():
            return [str(folder / name) if isinstance(name, str) else name for name in value]
        case _:
            return value


def _name_source(
    loc: tuple[int | str, ...], overrides: Mapping[str, Mapping[str, Any]], filename: str
) -> str:
    given = len(loc) > 1 and str(loc[1]) in overrides.get(str(loc[0]), {})
    return "option" if given else filename


def _dots(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc)


def _show_value(error: Any) -> str:  # noqa: ANN401 - pydantic's error details
    value = error["input"]
    # What may hold a secret, and fields that somebody made up to hold one.
    hidden = error["type"] == "extra_forbidden" or {"external_id", "timestamp_url"} & set(
        error["loc"]
    )
    if hidden or not isinstance(value, str | int | float):
        return ""
    return f" (found {value!r})"
