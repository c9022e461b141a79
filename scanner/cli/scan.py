"""
`orgproof scan`: read every account of the organization and make the evidence.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from scanner.cli.ending import foreseen
from scanner.cli.manner import Manner, watch
from scanner.cli.options import (
    Accounts,
    Config,
    EngineName,
    ExternalId,
    Formats,
    Log,
    Overrides,
    Profile,
    Quiet,
    RoleName,
    Units,
    Workers,
    check_finished,
    load_settings,
    override_reach,
    split_names,
)
from scanner.cli.results import choose_steps, finish
from scanner.cli.resumption import resume_scan
from scanner.errors import SettingsError
from scanner.stopping import DOES_NOT_VERIFY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanner.group import Member


def scan(
    config: Config = None,
    output: Annotated[Path | None, typer.Option(help="Folder under which runs are kept.")] = None,
    period: Annotated[str | None, typer.Option(help="Period, such as 2026-Q4.")] = None,
    framework: Annotated[
        list[str] | None, typer.Option(help="Framework to judge by; repeatable.")
    ] = None,
    framework_file: Annotated[
        list[Path] | None, typer.Option(help="Catalog of your own to judge by as well; repeatable.")
    ] = None,
    acceptances: Annotated[Path | None, typer.Option(help="Accepted risks (YAML).")] = None,
    previous: Annotated[
        Path | None,
        typer.Option(help="Run to compare with; by default the newest under --output."),
    ] = None,
    account: Accounts = None,
    ou: Units = None,
    profile: Profile = None,
    role_name: RoleName = None,
    external_id: ExternalId = None,
    endpoint_url: Annotated[
        str | None, typer.Option(help="Another AWS endpoint; printed in every document.")
    ] = None,
    workers: Workers = None,
    engine: EngineName = None,
    organization: Annotated[
        list[str] | None,
        typer.Option(
            help="Which [[organization]] of the settings file; repeatable, all by default.",
            metavar="NAME",
        ),
    ] = None,
    formats: Formats = None,
    sign_key: Annotated[
        Path | None, typer.Option(help="Private key (PEM) to sign the run with.", metavar="FILE")
    ] = None,
    sign_kms: Annotated[
        str | None, typer.Option(help="AWS KMS key to sign the run with.", metavar="KEY")
    ] = None,
    no_confirm: Annotated[
        bool, typer.Option("--no-confirm", help="Do not ask about users without MFA live.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with a run that was stopped.", metavar="RUN")
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="With --resume: try every unread account again."),
    ] = False,
    quiet: Quiet = False,
    log_format: Log = None,
) -> None:
    """
    Read every account of the organization and make the evidence.
    """
    overrides: Overrides = {
        "scan": {
            "period": period,
            "frameworks": framework,
            "framework_files": [str(path) for path in framework_file or []],
            "acceptances": str(acceptances) if acceptances else None,
            "workers": workers,
            "engine": engine,
            "formats": split_names(formats),
        },
        **override_reach(profile, role_name, external_id, endpoint_url, account, ou),
        "confirm": {"enabled": False if no_confirm else None},
        "sign": {"key": str(sign_key) if sign_key else None, "kms_key": sign_kms},
    }
    manner = Manner(quiet, log_format)
    with foreseen(manner=manner):
        if resume is not None:
            overrides["scan"] |= {"output": output, "previous": previous}
            one = _pick_one(organization)
            resume_scan(
                resume, config, overrides, manner, retry_failed=retry_failed, organization=one
            )
        if retry_failed:
            raise SettingsError("--retry-failed goes with --resume RUN")
    if previous is not None:
        _check_previous(previous, manner)
    with foreseen(manner=manner):
        one = _begin_group(config, organization or [], output, previous, manner)
        start_scan(config, overrides, output, manner, previous=previous, organization=one)


def start_scan(
    config: Path | None,
    overrides: Overrides,
    output: Path | None,
    manner: Manner,
    *,
    previous: Path | None = None,
    simulated: bool = False,
    organization: str | None = None,
) -> NoReturn:
    """
    Scan as the settings and the options say, and end with the run's status.
    """
    # boto3 and pandas take a second to import, and `--help` needs neither.
    from scanner.engine import open_engine
    from scanner.pipeline import scan as run_scan
    from scanner.wiring import choose_destinations, prepare_means, prepare_order

    settings, source = load_settings(config, overrides, organization)
    inputs = {"settings.toml": source} if source is not None else {}
    order = prepare_order(settings, inputs, output=output, previous=previous, simulated=simulated)
    destinations = choose_destinations(settings)
    with open_engine(settings.scan.engine) as engine, watch(manner) as watched:
        finished = run_scan(order, prepare_means(settings, order.terms, watched, engine))
    steps = choose_steps(finished, overrides, previous=previous)
    finish(finished, destinations, config, steps, manner)


def _begin_group(
    config: Path | None,
    names: list[str],
    output: Path | None,
    previous: Path | None,
    manner: Manner,
) -> str | None:
    """
    Scan the organizations of a group, and end. Return instead which one this command itself is to scan.
    """
    from scanner.group import list_members
    from scanner.settings import read_settings_file

    members = list_members(read_settings_file(config), str(config)) if config else []
    if members and len(names) != 1:
        from scanner.cli.group import choose_members, scan_group

        if previous is not None:
            raise SettingsError(
                "--previous is one organization's run; choose it with --organization NAME"
            )
        chosen = choose_members(members, names, str(config))
        scan_group(members, chosen, output or Path(_name_output(members)), manner)
    return _pick_one(names)


def _name_output(members: "Sequence[Member]") -> str:
    """
    Return where the overview goes: the folder that all organizations share, else the first one's.
    """
    import tomllib

    scan = tomllib.loads(members[0].source.decode()).get("scan", {})
    return str(scan.get("output", "outputs"))


def _pick_one(names: list[str] | None) -> str | None:
    if names and len(names) > 1:
        raise SettingsError("--organization can be given once here")
    return names[0] if names else None


def _check_previous(run: Path, manner: Manner) -> None:
    """
    Refuse a run to compare with before anything is asked of AWS.
    """
    from scanner.evidence.previous import take_previous

    with foreseen(evidence_status=DOES_NOT_VERIFY, manner=manner):
        check_finished(run)
        take_previous(run)
