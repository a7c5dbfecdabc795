"""Running uv: an environment of its own, line by line, and its errors in plain words."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from despejado_images.environments.errors import EnvironmentBuildError

# What the caller's shell may hold for other projects and must not leak into ours.
_NOT_OURS = (
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_WORKING_DIR",
    "UV_WORKING_DIRECTORY",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_BREAK_SYSTEM_PACKAGES",
    "UV_TARGET",
    "UV_PREFIX",
    "UV_RESOLUTION",
    "UV_PRERELEASE",
    "UV_REQUIRE_HASHES",
    "UV_CONSTRAINT",
    "UV_OVERRIDE",
    "UV_BUILD_CONSTRAINT",
    "UV_NO_BINARY",
    "UV_COMPILE_BYTECODE",
    "UV_CUSTOM_COMPILE_COMMAND",
    "UV_VENV_CLEAR",
    "UV_VENV_SEED",
)


def find_uv() -> Path:
    """The uv of this installation (extra ``local``), else the one on PATH."""
    try:
        from uv import find_uv_bin

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise EnvironmentBuildError(
            "uv is missing, which builds the environments: install despejado-images[environments]."
        )
    return Path(found)


def clean_environment() -> dict[str, str]:
    """The caller's environment without what belongs to other projects."""
    return {key: value for key, value in os.environ.items() if key not in _NOT_OURS}


class Uv:
    """uv for one store: files are hard links to one cache, so environments share them.

    The user's own cache is used where links from it are possible, since the platform's packages
    are in it already; otherwise one beside the environments.
    """

    def __init__(self, root: Path, log: Path, keep_open: Sequence[int] = ()) -> None:
        self.binary = find_uv()
        self.log = log
        self.keep_open = tuple(keep_open)
        self.environment = {
            **clean_environment(),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
            "NO_COLOR": "1",
        }
        self.environment.setdefault("UV_LINK_MODE", "hardlink")
        if "UV_CACHE_DIR" not in self.environment:
            command = [str(self.binary), "cache", "dir"]
            answer = subprocess.run(
                command, cwd="/", env=self.environment, capture_output=True, text=True, check=False
            )
            cache = Path(answer.stdout.strip() or "/nonexistent")
            if not links_possible(cache, root):
                self.environment["UV_CACHE_DIR"] = str(root / "cache")

    def run(self, arguments: Sequence[str | Path], on_line: Callable[[str], None]) -> None:
        """Run uv; ``on_line`` gets each line it prints. Raises ``EnvironmentBuildError``."""
        command = [str(self.binary), *map(str, arguments)]
        run_logged(
            command, self.log, self.environment, on_line, explain_uv, keep_open=self.keep_open
        )


def run_logged(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    explain: Callable[[Sequence[str]], str],
    *,
    keep_open: Sequence[int] = (),
    user: int | None = None,
    accept: Sequence[int] = (0,),
) -> None:
    """Run a command, keep what it says in ``log``, and raise ``explain(last lines)`` if it fails.

    It fails if its status is none of ``accept``, or is not 0 and ``explain`` knows why.

    ``keep_open`` are file descriptors that the child inherits: with the builder's lock among them
    nobody else starts on the same folder while a child of a killed builder still writes there.
    """
    last: deque[str] = deque(maxlen=200)
    with log.open("a") as record:
        record.write(f"$ {' '.join(command)}\n")
        record.flush()
        process = subprocess.Popen(
            command,
            cwd="/",
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=tuple(keep_open),
            user=user,
            group=user,
            extra_groups=None if user is None else (),
        )
        try:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            for line in process.stdout:
                record.write(line)
                last.append(line.rstrip("\n"))
                on_line(line.rstrip("\n"))
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        record.write(f"-> {status}\n")
    if status == 0:
        return
    reason = explain(last)
    if reason or status not in accept:
        raise EnvironmentBuildError(reason or f"{Path(command[0]).name} ended with {status}")


def links_possible(cache: Path, root: Path) -> bool:
    """Whether a cache folder is (or would be) writable, our own, and on the store's file system.

    Links are the same files: whoever owns the cache (the user who called ``sudo``, whose HOME it
    may have kept) could change what all labs run.
    """
    there, here = _existing(cache), _existing(root)
    if there.stat().st_uid != os.geteuid():
        return False
    return os.access(there, os.W_OK) and there.stat().st_dev == here.stat().st_dev


def _existing(path: Path) -> Path:
    for folder in (path, *path.parents):
        if folder.exists():
            return folder
    return Path("/")


_NO_NETWORK = re.compile(
    r"dns error|failed to lookup address|client error \(Connect\)|Connection refused"
    r"|Network is unreachable|No route to host|network was disabled|operation timed out"
    r"|error sending request|request or response body error|Connection reset",
    re.IGNORECASE,
)
_DISK_FULL = re.compile(r"No space left on device|os error 28|Disk quota exceeded", re.IGNORECASE)
_STATUS = re.compile(r"HTTP status (?:client|server) error \((\d{3}[^)]*)\)")
_NOT_FOUND = re.compile(r"Because (\S+) was not found in the package registry")

NO_NETWORK = (
    "The package index cannot be reached. Environments that are ready still work; "
    "try again when there is a network."
)
DISK_FULL = "The disk is full. Free some space (environments can be removed), then try again."


def explain_uv(lines: Sequence[str]) -> str:
    """What uv's last lines mean, as a sentence for the person who waits."""
    text = "\n".join(lines)
    if _DISK_FULL.search(text):
        return DISK_FULL
    if _NO_NETWORK.search(text):
        return NO_NETWORK
    if status := _STATUS.search(text):
        return f"The package index refused: HTTP {status[1]}. Try again later."
    if "No solution found" in text:
        if missing := _NOT_FOUND.search(text):
            return f"The package index has no {missing[1]}."
        cause = re.sub(r"\s+", " ", text.partition("cause:")[2] or text.partition("╰─▶")[2])
        return f"No set of packages fits together: {_shortened(cause)}"
    if "Hash mismatch" in text:
        return (
            "A downloaded file is not the one that the lock names (hash mismatch). Try again; if "
            "it stays, the package index is not to be trusted."
        )
    if "Permission denied" in text:
        return f"Not permitted: {_shortened(_error_line(lines))}"
    return _shortened(_error_line(lines))


def _error_line(lines: Sequence[str]) -> str:
    errors = [line for line in lines if line.lstrip().startswith(("error:", "cause:", "×"))]
    return " ".join((errors or [line for line in lines if line.strip()][-1:])[:3])


def _shortened(text: str, length: int = 400) -> str:
    text = text.strip()
    return text if len(text) <= length else f"{text[:length]} ..."
