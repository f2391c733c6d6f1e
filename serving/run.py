"""Start the service as a process of its own, wait until it answers, and stop it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]

from features.errors import HoldfastError, InputError
from features.home import ROOT, Home
from serving import logs
from serving.answering import budget_seconds
from serving.bounds import bounds
from serving.deployment import ONE_THREAD
from serving.leash import PARENT
from serving.opening import open_desk, open_last
from serving.openness import Tls, check_keys, check_tls
from serving.stopping import FINISH_SECONDS, drain_seconds
from serving.volatile import volatile

SERVICE = "serving.service:HoldfastService"
_TICK_SECONDS = 0.25
_PATIENCE_SECONDS = FINISH_SECONDS + 10.0


@dataclass(frozen=True)
class Server:
    """A running service: its process, which leads a process group of its own, its address, and where it counts."""

    process: "subprocess.Popen[bytes]"
    url: str
    counts: Path

    def wait_ready(self, timeout_seconds: float = 120.0, on_tick: Callable[[float], None] | None = None) -> None:
        """Wait until the service answers; `on_tick` is told the seconds passed.

        Raises HoldfastError when it ends before, or doesn't answer in time.
        """
        wait_ready(self.url, timeout_seconds, on_tick, lambda: self.process.poll() is None)

    def stop(self) -> int:
        """Tell the service to end, wait until it has answered what it had taken, and return its exit status."""
        # The supervisor gives each worker a process group of its own, so they have to be found before it ends.
        workers = _workers(self.process.pid) if self.process.poll() is None else []
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            return self.process.wait(drain_seconds() + _PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            for worker in workers:
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
            shutil.rmtree(self.counts, ignore_errors=True)
            with suppress(OSError):
                self.counts.parent.rmdir()


def serve(
    home: Home, bundle: Path | None, host: str = "127.0.0.1", port: int = 3000, workers: int = 1,
    version: str = "unregistered", tls: Tls | None = None,
) -> Server:  # fmt: skip
    """Start the service of a home with the bundle in a folder, once the desk has been opened here to see that it opens.

    Without a folder it follows the registry, and begins with what served last.

    Raises PlaybookError, RegistryError, ContractError or StoreError when it doesn't, InputError when the port is taken,
    TLS's files or the environment don't do, or somebody beyond this machine could ask without a key.
    """
    budget_seconds()
    drain_seconds()
    with closing((open_last(home) if bundle is None else open_desk(home, bundle, version)).history) as history:
        check_keys(history.keys.all(), host)
    bounds()
    logs.check()
    if tls is not None:
        check_tls(tls)
    return start(environment(home, bundle, workers, version), host, port, tls=tls)


def start(environment: dict[str, str], host: str, port: int, service: str = SERVICE, tls: Tls | None = None) -> Server:
    """Start a BentoML service in an environment, in a process group of its own; `host` is an IP address.

    Raises InputError when the address can't be listened on.
    """
    port = free_port(host, port)
    command = [sys.executable, "-m", "bentoml", "serve", service, "--quiet", "--host", host, "--port", str(port)]
    if tls is not None:
        command += ["--ssl-certfile", str(tls.certificate.resolve()), "--ssl-keyfile", str(tls.key.resolve())]
    # Whoever starts with BentoML's home clears what its workers have counted: each service has one of its own.
    counts = Path(environment["BENTOML_HOME"]) / f"port-{port}"
    own = environment | {"BENTOML_HOME": str(counts)}
    process = subprocess.Popen([*command, "--working-dir", str(ROOT)], env=own, cwd=ROOT, start_new_session=True)
    return Server(process, f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}", counts)


def environment(home: Home, bundle: Path | None, workers: int, version: str) -> dict[str, str]:
    """Say to the workers where they are: this process's environment, with the home's places and one thread each.

    Without a bundle they follow the registry.
    """
    return {
        **os.environ,
        **home.places,
        **dict.fromkeys(ONE_THREAD, "1"),
        "BENTOML_CONFIG_OVERRIDES": json.dumps({"services": {"holdfast": {"workers": workers}}}),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(volatile(home)),
        # BentoML traces every request, whoever reads that; to be traced, set it to false.
        "OTEL_SDK_DISABLED": os.environ.get("OTEL_SDK_DISABLED", "true"),
        "HOLDFAST_BUNDLE": str(bundle.resolve()) if bundle else "",
        "HOLDFAST_BUNDLE_VERSION": version,
        "HOLDFAST_CLOCK": home.clock,
        # The C library gives threads heaps of their own, and keeps what is free in each: 9 MB for nothing.
        "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
        PARENT: str(os.getpid()),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }


def wait_ready(
    url: str,
    timeout_seconds: float = 120.0,
    on_tick: Callable[[float], None] | None = None,
    alive: Callable[[], bool] = lambda: True,
) -> None:
    """Wait until a service at an address says that it is ready; `alive` tells whether there is still hope.

    Raises HoldfastError when there isn't, or when it takes too long.
    """
    began = time.monotonic()
    while not _ready(url):
        passed = time.monotonic() - began
        if not alive():
            raise HoldfastError(
                f"expected the service at {url} to start, found that it ended; its own message is above"
            )
        if passed > timeout_seconds:
            raise HoldfastError(
                f"expected the service at {url} within {timeout_seconds:g} s, found no answer; see its log"
            )
        if on_tick is not None:
            on_tick(passed)
        time.sleep(_TICK_SECONDS)


def _workers(process_id: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(process_id).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def free_port(host: str, port: int) -> int:
    """Check that a port can be listened on, and return it; 0 finds a free one.

    Raises InputError when the address can't be listened on.
    """
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
            return int(listener.getsockname()[1])
    except OSError as error:
        message = f"expected to listen on {host} port {port}, found: {error.strerror}; choose another host or port"
        raise InputError(message) from error


def _ready(url: str) -> bool:
    try:
        # Nothing is told it that others mustn't hear, and the name in its certificate is rarely this machine's.
        return httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False, verify=False).status_code == 200
    except httpx.HTTPError:
        return False
