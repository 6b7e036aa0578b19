#!/usr/bin/env python3
"""The services of compose.yaml without containers, for development and tests.

    python docker/stack.py                                           # until Ctrl-C; prints the environment of clients
    python docker/stack.py -- blurb-tune submit sweeps/quickstart.yaml --wait

The same commands with the same environment and health checks, in the same order, as processes of this machine: service names
become 127.0.0.1, each exposed port a free one, volumes folders. What an image would bring is taken from this machine:
PostgreSQL and Caddy (Debian's packages; without Caddy there is no proxy) and, for S3, moto's server, which keeps everything
in memory and knows no passwords.

A command after `--` runs with the clients' environment, and its exit code is this script's. Without one that environment is
printed as lines NAME=VALUE once all services are healthy, and standard output is closed. At the end everything is stopped, and
its files are gone.
"""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

HERE = Path(__file__).resolve().parent
START_SECONDS = 180.0
STOP_SECONDS = 10.0  # as docker's
_POLL_SECONDS = 0.2
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_VARIABLE = re.compile(r"\$\{(\w+)(?::\?([^}]*))?\}")
_LIBC = ctypes.CDLL(None)


class StackError(Exception):
    """The stack cannot start, and why."""


def read_env(text: str) -> dict[str, str]:
    """The lines NAME=VALUE of an .env file."""
    return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z]\w*=", line))


def interpolate(value: Any, env: Mapping[str, str]) -> Any:
    """`${NAME}` and `${NAME:?message}`, the two forms that compose.yaml uses, in all strings of `value`.

    Raises StackError where a variable has no value.
    """
    if isinstance(value, dict):
        return {key: interpolate(item, env) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, env) for item in value]

    def of(match: re.Match[str]) -> str:
        if not env.get(match[1]):
            raise StackError(f"{match[1]} has no value: {match[2] or 'see .env.example'}")
        return env[match[1]]

    return _VARIABLE.sub(of, value) if isinstance(value, str) else value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Service:
    """One container of compose.yaml, as a process."""

    name: str
    command: list[str]
    environment: dict[str, str]
    health: list[str]  # empty: it is healthy when its port is open
    port: int
    needs: list[str]
    user: str | None = None
    process: subprocess.Popen[bytes] | None = None
    is_healthy: bool = False

    def start(self, log: Path, folder: Path) -> None:
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
                preexec_fn=lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM),
            )

    def check(self) -> bool:
        """Whether it answers. Raises StackError when it has ended."""
        if self.process is not None and self.process.poll() is not None:
            raise StackError(f"{self.name} ended with exit code {self.process.returncode}")
        if self.health:
            quiet = subprocess.DEVNULL
            self.is_healthy = not subprocess.call(self.health, env=self.environment, stdout=quiet, stderr=quiet)
        else:
            with socket.socket() as probe:
                self.is_healthy = probe.connect_ex(("127.0.0.1", self.port)) == 0
        return self.is_healthy


@dataclass
class Stack:
    """All services, in a folder of their own, which others cannot list (PostgreSQL's user passes through it)."""

    folder: Path
    services: dict[str, Service] = field(default_factory=dict)
    client: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("logs", "home"):
            (self.folder / name).mkdir()
        subprocess.run([HERE / "secrets.sh", self.folder / ".env"], check=True)
        env = read_env((self.folder / ".env").read_text())
        env |= {name: os.environ[name] for name in ("RAY_WORKERS",) if name in os.environ}
        compose = interpolate(yaml.safe_load((HERE / "compose.yaml").read_text()), env)
        copies = {
            name if number == 0 else f"{name}-{number + 1}": settings
            for name, settings in compose["services"].items()
            for number in range(int(settings.get("deploy", {}).get("replicas", 1)))
        }
        self._ports = {name: {port: str(free_port()) for port in settings["expose"]} for name, settings in copies.items()}
        published: dict[str, str] = {}
        for name, settings in copies.items():
            for entry in settings.get("ports", []):
                outside, _, inside = entry.rpartition(":")
                published[outside] = f"127.0.0.1:{self._ports[name][inside]}"
            self.services[name] = self._service(name, settings)
        self._leave_out()
        self.client = {
            name: re.sub(r"(?:localhost|127\.0\.0\.1):\d+", lambda m: published[m[0].replace("localhost", "127.0.0.1")], value)
            for name, value in env.items()
        }

    def _service(self, name: str, settings: dict[str, Any]) -> Service:
        mounts = [entry.split(":") for entry in settings.get("volumes", [])]
        volumes = {inside: self._volume(name, outside) for outside, inside, *_ in mounts}

        def local(text: object) -> str:
            here = self._local(name, str(text))
            for inside, path in volumes.items():
                here = re.sub(rf"(?<![\w/.]){re.escape(inside)}(?![\w-])", str(path), here)
            return here

        command = settings["command"]
        command = shlex.split(command) if isinstance(command, str) else command
        service = Service(
            name=name,
            command=[local(part) for part in command],
            environment={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
                "HOME": str(self.folder / "home"),
                "LANG": "C.UTF-8",
                "RAY_TMPDIR": str(self.folder / name),
            }
            | {key: local(value) for key, value in settings.get("environment", {}).items()},
            health=[local(part) for part in settings["healthcheck"]["test"][1:]],
            port=int(next(iter(self._ports[name].values()))),
            needs=list(settings.get("depends_on", {})),
        )
        if service.command[:2] == ["ray", "start"]:
            # A node takes the head's folder otherwise, and two nodes in one folder delete each other's working directories.
            service.command += ["--temp-dir", str(self.folder / name)]
        elif name == "postgres":
            self._prepare_postgres(service)
        elif name == "s3":
            service.command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(service.port)]
        if not shutil.which(service.health[0], path=service.environment["PATH"]) or name == "s3":
            service.health = []
        return service

    def _local(self, name: str, text: str) -> str:
        """`text` of a service with the addresses of this machine."""
        for other, ports in self._ports.items():
            for inside, outside in ports.items():
                text = re.sub(rf"\b{other}:{inside}\b", f"127.0.0.1:{outside}", text)
        for inside, outside in self._ports[name].items():
            text = re.sub(rf"(?<!\w){inside}(?!\w)", outside, text)
        return text.replace("0.0.0.0", "127.0.0.1")

    def _volume(self, name: str, source: str) -> Path:
        """A folder for a volume; a file beside compose.yaml as a copy with the addresses of this machine."""
        if not source.startswith("./"):
            folder = self.folder / "volumes" / source
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        copy = self.folder / Path(source).name
        copy.write_text(self._local(name, (HERE / source).read_text()))
        return copy

    def _prepare_postgres(self, service: Service) -> None:
        """What the image does at its first start; as user postgres where we are root, which the server refuses to be."""
        binaries = shutil.which("initdb") or max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)
        if binaries is None:
            raise StackError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
        binaries = Path(binaries).resolve().parent
        service.environment["PATH"] = f"{binaries}:{service.environment['PATH']}"
        service.user = "postgres" if os.geteuid() == 0 else None
        data = self.folder / "postgres"
        data.mkdir(mode=0o700)
        password = data.with_name("pwfile")
        password.touch(mode=0o600)
        password.write_text(service.environment["POSTGRES_PASSWORD"])
        if service.user:
            shutil.chown(data, service.user)
            shutil.chown(password, service.user)
        user = service.environment["POSTGRES_USER"]
        once: dict[str, Any] = {"user": service.user, "cwd": data, "stdout": subprocess.DEVNULL, "check": True}
        options = ["--username", user, "--auth", "scram-sha-256", "--pwfile", password, "--no-sync", "--locale", "C.UTF-8"]
        subprocess.run([binaries / "initdb", "--pgdata", data, *options], **once)
        subprocess.run(
            [binaries / "postgres", "--single", "-c", "log_min_messages=fatal", "-D", data, "postgres"],
            input=f"CREATE DATABASE {user}\n".encode(),
            **once,
        )
        password.unlink()
        # -F: nothing has to be safe on disk that is deleted at the end.
        service.command += ["-D", str(data), "-k", str(data), "-h", "127.0.0.1", "-F"]

    def _leave_out(self) -> None:
        """Services whose program is not on this machine; only those that no other needs."""
        for name, service in list(self.services.items()):
            if shutil.which(service.command[0], path=service.environment["PATH"]) is None:
                if any(name in other.needs for other in self.services.values()):
                    raise StackError(f"{name} needs {service.command[0]}, which is not installed")
                print(f"stack: {name} is left out, {service.command[0]} is not installed", file=sys.stderr)
                del self.services[name]

    def start(self) -> None:
        """Start each service once those that it needs are healthy. Raises StackError when one is not in time, with its log."""
        deadline = time.monotonic() + START_SECONDS
        waiting = list(self.services.values())
        while waiting:
            for service in waiting:
                if service.process is None and all(self.services[name].is_healthy for name in service.needs):
                    service.start(self._log(service), self.folder / "home")
            try:
                waiting = [service for service in waiting if service.process is None or not service.check()]
                if time.monotonic() > deadline:
                    raise StackError(
                        f"not healthy after {START_SECONDS:.0f} s: {', '.join(service.name for service in waiting)}"
                    )
            except StackError as error:
                logs = [f"--- {service.name}\n{self._tail(service)}" for service in waiting if service.process]
                raise StackError("\n".join([str(error), *logs])) from None
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Stop the services as docker does, each before those that it needs: SIGTERM, then SIGKILL to whatever is left."""
        running = [service for service in self.services.values() if service.process is not None]
        while running:
            needed = {name for service in running for name in service.needs}
            wave = [service for service in running if service.name not in needed]
            for service in wave:
                service.process.terminate()
            for service in wave:
                try:
                    service.process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    print(f"stack: {service.name} did not stop within {STOP_SECONDS:.0f} s", file=sys.stderr)
            running = [service for service in running if service not in wave]
        while rest := psutil.Process().children(recursive=True):
            for process in rest:
                process.kill()
            psutil.wait_procs(rest, timeout=STOP_SECONDS)

    def _log(self, service: Service) -> Path:
        return self.folder / "logs" / f"{service.name}.log"

    def _tail(self, service: Service) -> str:
        return "\n".join(self._log(service).read_text(errors="replace").splitlines()[-20:])


def main(arguments: list[str]) -> int:
    command = arguments[1:] if arguments[:1] == ["--"] else []
    if arguments and not command:
        print(__doc__, file=sys.stderr)
        return 2
    # Processes whose parent ends become our children, so that none is forgotten at the end.
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="blurb-stack-"))
    folder.chmod(0o711)
    stack = None
    try:
        stack = Stack(folder)
        stack.start()
        if command:
            return subprocess.call(command, env=os.environ | stack.client)
        print("\n".join(f"{name}={shlex.quote(value)}" for name, value in stack.client.items()), flush=True)
        os.close(sys.stdout.fileno())
        signal.pause()
    except StackError as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        if stack is not None:
            stack.stop()
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
