"""
Work beyond this machine: Dask's workers, here or elsewhere, as one engine.

Dask does a piece of work again elsewhere when its worker is lost. See docs/decisions/0022-engine.md.
"""

import asyncio
import importlib
import ipaddress
import logging
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from scanner import __version__
from scanner.errors import EngineError, OrgproofError, SettingsError
from scanner.interfaces import Engine

R = TypeVar("R")

LOCAL = "local"
"""
The engine that is none: all work is done in this process.
"""

_PATIENCE = 15
"""
Seconds in which a scheduler, and a first worker, must answer.
"""

_THREADS = 32
"""
Threads of each worker on this machine: they wait for AWS most of the time.
"""

_NEEDED = ("scanner.wiring", "scanner.evidence.replay")

_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_PLAIN, _TLS = "dask", "tls"


@contextmanager
def open_engine(name: str) -> Iterator[Engine | None]:
    """
    Yield the engine of a name until the block ends; None for `local`.

    `dask` starts workers on this machine, one for each core, `dask://HOST:PORT` and `tls://HOST:PORT` are a scheduler that
    runs already. Raises `SettingsError` for another name, where Dask is not installed, where nobody answers, where workers
    run another version of orgproof, and for a plain connection beyond this machine: sessions travel over it.
    """
    if name == LOCAL:
        yield None
        return
    check_engine(name)
    try:
        import distributed  # noqa: PLC0415 - an extra, and a second
    except ImportError:
        raise SettingsError(
            f"--engine {name} needs Dask; install it with: pip install 'orgproof[dask]'"
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        place = name.replace("dask://", "tcp://", 1)
        if name == _PLAIN:
            place = stack.enter_context(_start_workers(distributed))
        yield DaskEngine(stack.enter_context(_connect(distributed, name, place)))


def check_engine(name: str) -> None:
    """
    Raise `SettingsError` unless an engine of this name can be opened, as far as its name tells.
    """
    if name in (LOCAL, _PLAIN):
        return
    parts = urlsplit(name)
    try:
        is_place = parts.scheme in (_PLAIN, _TLS) and bool(parts.hostname and parts.port)
    except ValueError:
        is_place = False
    if not is_place or parts.path or parts.query or parts.username:
        raise SettingsError(
            "the engine is not one of: local, dask, dask://HOST:PORT, tls://HOST:PORT"
        )
    if parts.scheme == _PLAIN and not _is_loopback(str(parts.hostname)):
        raise SettingsError(
            f"engine {name}: sessions in your accounts would travel to {parts.hostname} in the clear; use tls://, with "
            "the certificates in Dask's own configuration (distributed.comm.tls)"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class DaskEngine:
    """
    The workers of a Dask scheduler. See `Engine`.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - distributed is an extra
        self._executor = client.get_executor(pure=False, retries=3)

    def submit(self, work: Callable[..., R], *arguments: object) -> "Future[R]":
        """
        Have a piece of work done. See `Engine.submit`.
        """
        told: Future[R] = Future()
        try:
            # Nothing of the arguments is in the key, which schedulers log.
            asked = self._executor.submit(work, *arguments)
        except Exception as exc:  # noqa: BLE001 - whatever Dask raises where its scheduler is gone
            raise _explain_loss(exc) from None
        asked.add_done_callback(lambda done: _tell(done, told))
        return told


def _tell(done: "Future[R]", told: "Future[R]") -> None:
    """
    Hand on what came of a piece of work, an error of Dask's own as ours.
    """
    try:
        result = done.result()
    except OrgproofError as exc:
        told.set_exception(exc)
    except BaseException as exc:  # noqa: BLE001 - a lost worker, a scheduler that is gone, a cancelled future
        told.set_exception(_explain_loss(exc))
    else:
        told.set_result(result)


def _explain_loss(exc: BaseException) -> EngineError:
    # Only its kind: its words may quote what was sent.
    return EngineError(
        f"the engine gave a piece of work up ({type(exc).__name__}); see whether its scheduler and workers run, or go on "
        "with --engine local"
    )


@contextmanager
def _start_workers(distributed: Any) -> Iterator[Any]:  # noqa: ANN401 - an extra
    """
    Start workers on this machine, and yield their cluster. They talk over TLS, and know no credentials.
    """
    held = signal.getsignal(signal.SIGINT)
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AWS_")}
    # What they inherit: Ctrl-C is for this process to answer, and credentials are for nobody else.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        cluster = distributed.LocalCluster(
            n_workers=os.cpu_count() or 1,
            threads_per_worker=_THREADS,
            processes=True,
            # What cannot be left out answers this machine alone, on a port of its own, and shows no work.
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            worker_dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            memory_limit=0,
            host="127.0.0.1",
            protocol="tls://",
            security=distributed.Security.temporary(),
            env=dict.fromkeys(_SECRETS, ""),
        )
    finally:
        signal.signal(signal.SIGINT, held)
        os.environ.update(hidden)
    try:
        yield cluster
    finally:
        cluster.close()


@contextmanager
def _connect(distributed: Any, name: str, place: Any) -> Iterator[Any]:  # noqa: ANN401 - an extra
    """
    Yield a client of a cluster of ours, or of the scheduler at an address.
    """
    try:
        if isinstance(place, str):
            asyncio.run(asyncio.wait_for(_greet(distributed, place), _PATIENCE))
        client = distributed.Client(place, timeout=_PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError, ImportError) as exc:
        raise SettingsError(
            f"engine {name}: no scheduler answers there ({type(exc).__name__}); start one with `dask scheduler`"
        ) from None
    try:
        # Also those that come later: threads that import the same at once can see it half done.
        client.register_plugin(_make_preparation(distributed))
        _check_workers(client, name)
        yield client
    finally:
        client.close(timeout=_PATIENCE)


async def _greet(distributed: Any, address: str) -> None:  # noqa: ANN401 - an extra
    """
    See that a scheduler answers: Dask's client would wait for ever for one that takes a connection and says nothing.
    """
    arguments = distributed.Security().get_connection_args("client")
    comm = await distributed.comm.connect(address, **arguments)
    await comm.close()


def _make_preparation(distributed: Any) -> Any:  # noqa: ANN401 - an extra
    class Preparation(distributed.WorkerPlugin):  # type: ignore[misc]  # an extra
        def setup(self, worker: object) -> None:  # noqa: ARG002 - as Dask calls it
            """
            Import what is going to be asked for. See `WorkerPlugin`.
            """
            prepare()

    return Preparation()


def prepare() -> None:
    """
    Import in a worker, in one thread, whatever work is made of.
    """
    for name in _NEEDED:
        importlib.import_module(name)


def _check_workers(client: Any, name: str) -> None:  # noqa: ANN401 - as above
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
        found = set(client.run(tell_version).values())
    except ModuleNotFoundError:
        found = {"none"}
    except Exception as exc:  # noqa: BLE001 - whatever Dask raises where workers fail
        raise SettingsError(
            f"engine {name}: no worker answers ({type(exc).__name__}); start one with `dask worker`"
        ) from None
    if found != {__version__}:
        raise SettingsError(
            f"engine {name}: its workers run orgproof {', '.join(sorted(found))}, and this is {__version__}; install the "
            "same there"
        )


def tell_version() -> str:
    """
    Return the version of orgproof that a worker runs.
    """
    return __version__
