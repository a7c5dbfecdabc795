"""What the lab shows of itself: ``config/lab.json``, or the environment where there is none."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from despejado_lab.startup import AbnormalStartup, read_startup

# Names in the environment of a lab (lab contract, section 6).
IMAGE_TAG, IMAGE_SPEC = "JUPYTER_IMAGE", "JUPYTER_IMAGE_SPEC"
IMAGE_TITLE, IMAGE_DIGEST = "IMAGE_DESCRIPTION", "IMAGE_DIGEST"
SIZE, CPU, MEMORY = "CONTAINER_SIZE", "CPU_LIMIT", "MEM_LIMIT"


@dataclass(frozen=True)
class User:
    """The POSIX identity that the lab runs with."""

    name: str | None = None
    uid: int | None = None
    gid: int | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Image:
    """The software environment of the kernels."""

    tag: str | None = None
    title: str | None = None
    digest: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Size:
    """Limits of the lab: CPU in cores, memory in bytes; None is no limit or not known.

    ``bigger`` names the sizes with more memory that the user may start, the next one first.
    """

    name: str | None = None
    cpu: float | None = None
    memory: int | None = None
    bigger: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hub:
    """Pages of the hub for the browser, as URL or path on this host.

    ``spawn_url`` is where this very server is started; it takes options as ``opt-NAME``.
    """

    home_url: str
    logout_url: str
    spawn_url: str


@dataclass(frozen=True)
class LabConfig:
    """All that the front end is told; ``problem`` says why something is missing."""

    user: User = User()
    image: Image = Image()
    size: Size = Size()
    server_name: str = ""
    hub: Hub | None = None
    startup: AbnormalStartup | None = None
    tutorials: str | None = None
    problem: str | None = None

    def as_json(self) -> dict[str, object]:
        """The answer of ``GET despejado/config``; paths of the server stay on the server."""
        answer = asdict(self)
        del answer["tutorials"]
        return answer


class _Reader:
    """Takes typed values out of a JSON object and collects what did not fit."""

    def __init__(self, source: object, where: str, problems: list[str]) -> None:
        self._where = where
        self._problems = problems
        self._source: Mapping[object, object] = {}
        if isinstance(source, Mapping):
            self._source = source
        elif source is not None:
            problems.append(f"{where or 'the file'} should be an object")

    def part(self, key: str) -> _Reader:
        return _Reader(self._source.get(key), f"{self._where}{key}.", self._problems)

    def text(self, key: str) -> str | None:
        value = self._source.get(key)
        if isinstance(value, str):
            return value
        self._wrong(key, value, "a text")
        return None

    def number(self, key: str) -> float | None:
        value = self._source.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        self._wrong(key, value, "a number")
        return None

    def whole(self, key: str) -> int | None:
        value = self.number(key)
        return None if value is None else int(value)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._source.get(key)
        if isinstance(value, list):
            return tuple(item for item in value if isinstance(item, str))
        self._wrong(key, value, "a list of texts")
        return ()

    def table(self, key: str) -> dict[str, str]:
        value = self._source.get(key)
        if isinstance(value, Mapping):
            return {str(name): str(entry) for name, entry in value.items()}
        self._wrong(key, value, "an object of texts")
        return {}

    def _wrong(self, key: str, value: object, wanted: str) -> None:
        if value is not None:
            self._problems.append(f"{self._where}{key} should be {wanted}")


def parse_lab_json(content: str, hub_user: str = "") -> LabConfig:
    """The content of ``lab.json``. What does not fit is left out and named in ``problem``.

    ``hub_user`` is the user's name at the hub, which need not be the one of the lab's identity.
    """
    try:
        document = json.loads(content)
    except ValueError as error:
        return LabConfig(problem=f"lab.json is not JSON: {error}")
    problems: list[str] = []
    top = _Reader(document, "", problems)
    user, server = top.part("user"), top.part("server")
    image, size = top.part("image"), top.part("size")
    hub_url, server_name = server.text("hub_url"), server.text("name") or ""
    return LabConfig(
        user=User(user.text("name"), user.whole("uid"), user.whole("gid"), user.texts("groups")),
        image=Image(
            image.text("tag"), image.text("title"), image.text("digest"), image.table("versions")
        ),
        size=Size(
            size.text("name"), size.number("cpu"), size.whole("memory"), size.texts("bigger")
        ),
        server_name=server_name,
        hub=hub_pages(hub_url, hub_user, server_name) if hub_url else None,
        tutorials=top.text("tutorials"),
        problem="lab.json: " + "; ".join(problems) if problems else None,
    )


def hub_pages(hub_url: str, user: str, server_name: str) -> Hub:
    """The pages below the hub's address (which ends with its prefix, ``/hub/``)."""
    base = hub_url.rstrip("/")
    own = "".join(f"/{quote(part, safe='')}" for part in (user, server_name) if part and user)
    return Hub(f"{base}/home", f"{base}/logout", f"{base}/spawn{own}")


def _positive(text: str | None) -> float | None:
    """A limit from the environment; unset, zero, ``nan`` and ``inf`` are no limit."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def config_from_environment(environ: Mapping[str, str]) -> LabConfig:
    """The same from variables, for labs of other hubs; all None in a plain JupyterLab."""
    memory = _positive(environ.get(MEMORY))
    hub = None
    if environ.get("JUPYTERHUB_API_URL"):
        prefix = environ.get("JUPYTERHUB_BASE_URL", "/").rstrip("/")
        hub = hub_pages(
            environ.get("JUPYTERHUB_PUBLIC_HUB_URL")
            or f"{environ.get('JUPYTERHUB_HOST', '')}{prefix}/hub/",
            environ.get("JUPYTERHUB_USER", ""),
            environ.get("JUPYTERHUB_SERVER_NAME", ""),
        )
    return LabConfig(
        user=User(name=environ.get("JUPYTERHUB_USER") or environ.get("USER")),
        image=Image(
            tag=environ.get(IMAGE_TAG) or environ.get(IMAGE_SPEC),
            title=environ.get(IMAGE_TITLE),
            digest=environ.get(IMAGE_DIGEST),
        ),
        size=Size(
            environ.get(SIZE), _positive(environ.get(CPU)), None if memory is None else int(memory)
        ),
        server_name=environ.get("JUPYTERHUB_SERVER_NAME", ""),
        hub=hub,
    )


def merge(first: LabConfig, second: LabConfig) -> LabConfig:
    """``first``, with ``second`` where a whole part is missing."""
    return replace(
        first,
        user=first.user if first.user != User() else second.user,
        image=first.image if first.image != Image() else second.image,
        size=first.size if first.size != Size() else second.size,
        server_name=first.server_name or second.server_name,
        hub=first.hub or second.hub,
    )


def with_own_identity(config: LabConfig) -> LabConfig:
    """Fill in the process's own UID and GID where nobody named them."""
    user = config.user
    if user.uid is not None:
        return config
    return replace(config, user=replace(user, uid=os.getuid(), gid=os.getgid()))


def with_own_versions(config: LabConfig, versions: Mapping[str, str]) -> LabConfig:
    """A plain JupyterLab is its own image: say so, with what the server itself runs."""
    if config.image != Image():
        return config
    return replace(config, image=Image(title="JupyterLab", versions=versions))


def read_config(runtime_dir: Path | None, environ: Mapping[str, str]) -> LabConfig:
    """Read ``config/lab.json`` below the runtime folder; blocking, call it in a thread.

    Never raises for a missing or broken file: the environment is used instead and ``problem``
    says what was wrong. Without any runtime folder there is no problem.
    """
    from jupyterlab import __version__ as jupyterlab_version

    fallback = config_from_environment(environ)
    config = fallback
    if runtime_dir is not None:
        try:
            content = (runtime_dir / "config" / "lab.json").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            config = replace(fallback, problem=f"lab.json cannot be read: {error}")
        else:
            hub_user = environ.get("JUPYTERHUB_USER", "")
            config = merge(parse_lab_json(content, hub_user), fallback)
    versions = {"jupyterlab": jupyterlab_version, "python": platform.python_version()}
    config = with_own_identity(with_own_versions(config, versions))
    return replace(config, startup=read_startup(environ))
