"""
Going on with a run that was stopped: `orgproof scan --resume`.
"""

from pathlib import Path
from typing import NoReturn

from scanner.cli.manner import Manner, watch
from scanner.cli.options import Overrides, keep_given, load_settings
from scanner.cli.results import choose_steps, finish
from scanner.errors import SettingsError

_MAY_CHANGE = frozenset(
    {("aws", "profile"), ("aws", "external_id"), ("scan", "workers"), ("scan", "engine")}
)
"""
What a resumed run may be told anew, beside the key it is signed with: none of it bears on the result.
"""


def resume_scan(
    run: Path,
    config: Path | None,
    overrides: Overrides,
    manner: Manner,
    *,
    retry_failed: bool,
    organization: str | None = None,
) -> NoReturn:
    """
    Go on with a run. What it is to do stands in its folder; only how it is reached may be said again.
    """
    from scanner.engine import open_engine
    from scanner.evidence.resumption import read_terms
    from scanner.pipeline import resume
    from scanner.settings import read_settings_file, read_stored_settings
    from scanner.wiring import choose_destinations, prepare_means

    given = keep_given(overrides)
    fixed = sorted(
        f"{table}.{name}"
        for table, values in given.items()
        for name in values
        if table != "sign" and (table, name) not in _MAY_CHANGE
    )
    if fixed:
        raise SettingsError(
            f"--resume goes on with the run's own settings, so {', '.join(fixed)} cannot be given again"
        )
    if not run.is_dir():
        raise SettingsError(f"{run}: is no folder; give the folder of the run to go on with")
    run = run.absolute()  # a new run goes beside it, also beside "."
    terms = read_terms(run)
    stored = run / "inputs" / "settings.toml"
    if config is None and stored.exists():
        settings = read_stored_settings(read_settings_file(stored), str(stored), given)
    else:
        settings, _ = load_settings(config, overrides, organization)
    destinations = choose_destinations(settings)
    with open_engine(settings.scan.engine) as engine, watch(manner) as watched:
        means = prepare_means(settings, terms, watched, engine)
        finished = resume(run, means, retry_failed=retry_failed)
    steps = choose_steps(finished, overrides, config=config)
    finish(finished, destinations, config, steps, manner)
