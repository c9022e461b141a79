"""
`orgproof doctor`: which accounts a scan could read, before it is done.
"""

from typing import Annotated

import typer

from scanner.cli.ending import foreseen
from scanner.cli.options import (
    Accounts,
    Config,
    ExternalId,
    OneOrganization,
    Overrides,
    Profile,
    RoleName,
    Units,
    Workers,
    load_settings,
    override_reach,
)
from scanner.cli.printing import print_lines
from scanner.stopping import UNREADABLE


def doctor(
    config: Config = None,
    account: Accounts = None,
    ou: Units = None,
    profile: Profile = None,
    role_name: RoleName = None,
    external_id: ExternalId = None,
    endpoint_url: Annotated[str | None, typer.Option(help="Another AWS endpoint.")] = None,
    workers: Workers = None,
    organization: OneOrganization = None,
) -> None:
    """
    Find out which accounts a scan could read, and the fix for each that it could not.

    Every call of a scan is tried, and nothing is stored. Having a credential report made is one of them, and AWS
    then keeps that report for up to four hours. The exit status is 0 when a scan would read every account, else 3.
    """
    from scanner.doctor import examine
    from scanner.transcript import describe_check_up
    from scanner.wiring import prepare_instruments, prepare_order

    overrides: Overrides = {
        "scan": {"workers": workers},
        **override_reach(profile, role_name, external_id, endpoint_url, account, ou),
    }
    with foreseen():
        settings, _ = load_settings(config, overrides, organization)
        terms = prepare_order(settings, {}).terms
        check_up = examine(terms, prepare_instruments(settings, terms))
        print_lines(describe_check_up(check_up))
        raise typer.Exit(0 if check_up.is_ready else UNREADABLE)
