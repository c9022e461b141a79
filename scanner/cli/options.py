"""
What more than one command takes, and how it is read.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanner.cli.manner import LogFormat
from scanner.errors import SettingsError

if TYPE_CHECKING:
    from scanner.settings import Settings

Overrides = dict[str, dict[str, Any]]
"""
The options that were given, by the table and name of the setting that each overrides.
"""

Run = Annotated[Path, typer.Argument(help="Folder of a finished run.")]
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML).")]
Accounts = Annotated[
    list[str] | None, typer.Option(help="Look only at this account id; repeatable.")
]
Units = Annotated[
    list[str] | None, typer.Option(help="Look only at this OU and below; repeatable.")
]
OneOrganization = Annotated[
    str | None,
    typer.Option(
        "--organization", help="Which [[organization]] of the settings file.", metavar="NAME"
    ),
]
Profile = Annotated[str | None, typer.Option(help="AWS profile to call with.")]
RoleName = Annotated[str | None, typer.Option(help="Role assumed in every account.")]
ExternalId = Annotated[str | None, typer.Option(help="External id the roles ask for.")]
Workers = Annotated[int | None, typer.Option(help="Threads, 1 to 256.")]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="Who shares the work: local, dask, dask://HOST:PORT or tls://HOST:PORT.",
        metavar="ENGINE",
    ),
]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",  # as in scanner.reports.FORMATS
        help="Documents to draw: pdf,xlsx,html,csv,json,jsonl,parquet,ocsf,oscal,junit,github.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the run folder only.")]
Log = Annotated[LogFormat | None, typer.Option(help="Write progress as text or JSON lines.")]


def keep_given(overrides: Overrides) -> Overrides:
    """
    Leave out the options that were not given.
    """
    given = {
        table: {key: value for key, value in values.items() if value is not None and value != []}
        for table, values in overrides.items()
    }
    if given.get("sign"):
        # One key or the other: an option puts the settings file's key of either kind out of force.
        given["sign"] = overrides["sign"]
    return given


def override_reach(
    profile: str | None,
    role_name: str | None,
    external_id: str | None,
    endpoint_url: str | None,
    account: list[str] | None,
    ou: list[str] | None,
) -> Overrides:
    """
    Return the options that say how AWS is reached, and which accounts are.
    """
    return {
        "aws": {
            "profile": profile,
            "role_name": role_name,
            "external_id": external_id,
            "endpoint_url": endpoint_url,
        },
        "accounts": {"accounts": account, "ous": ou},
    }


def load_settings(
    config: Path | None, overrides: Overrides, organization: str | None = None
) -> "tuple[Settings, bytes | None]":
    """
    Read a settings file with the options laid over it. Return the file's bytes, too; None where there is none.

    Of a file about several organizations they are those of the one that is named. Raises `SettingsError`.
    """
    from scanner.group import pick_member
    from scanner.settings import read_settings, read_settings_file

    source = read_settings_file(config) if config else None
    if source is not None:
        source = pick_member(source, str(config), organization)
    elif organization is not None:
        raise SettingsError("--organization goes with --config FILE, which says what it is")
    return read_settings(source, str(config or "settings"), keep_given(overrides)), source


def split_names(formats: str | None) -> list[str] | None:
    """
    Return the names in a list such as `pdf, xlsx`, None where none was given. An empty name stays, and is refused.
    """
    return None if formats is None else [name.strip() for name in formats.split(",")]


def check_finished(run: Path) -> None:
    """
    Refuse a folder that holds no finished run. Raises `SettingsError`.
    """
    if not (run / "manifest.json").is_file():
        raise SettingsError(
            f"{run}: is not a finished run, for it has no manifest.json; give the folder that a scan printed"
        )
