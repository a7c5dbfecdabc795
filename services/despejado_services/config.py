"""The configuration of the services: one JSON file, rendered by the hub room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError


class ConfigError(Exception):
    """A configuration that cannot be used; the text names each key, its value and what is wrong."""


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("give an http:// or https:// address")
    return value.rstrip("/")


def _prefix(value: str) -> str:
    if not value.startswith("/") or value != value.rstrip("/"):
        raise ValueError("give a path that begins with / and does not end with one")
    return value


HttpUrl = Annotated[str, AfterValidator(_http_url)]
Prefix = Annotated[str, AfterValidator(_prefix)]


class Limits(BaseModel):
    """How much one request, one user and the whole service may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    maxrec: int = Field(default=1_000_000, gt=0)
    """Rows of a result at most, with or without a MAXREC (TAP 1.1 §2.7.4)."""
    execution_seconds: int = Field(default=600, gt=0)
    """How long one query may run, sync or async."""
    jobs_per_user: int = Field(default=10, gt=0)
    """Jobs of one user that may be QUEUED or EXECUTING at one time."""
    result_retention_seconds: int = Field(default=7 * 86_400, gt=0)
    """How long a job and its result are kept."""
    sync_queries: int = Field(default=4, gt=0)
    """Sync queries at a time; more wait for their turn."""
    async_workers: int = Field(default=2, gt=0)
    """Jobs that run at a time, of all users."""
    async_per_user: int = Field(default=2, gt=0)
    """Jobs that run at a time of one user; more stay QUEUED."""
    wait_seconds: float = Field(default=300, gt=0)
    """The longest answer to WAIT (UWS 1.1 §2.2.1.1); proxies cut longer silences."""
    request_bytes: int = Field(default=4 << 20, gt=0)
    """The largest request body; a long list of identifiers fits."""


class ServiceConfig(BaseModel):
    """Everything the process needs to know; keys as in ``docs/developers.md``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    """0 lets the system choose; the ready line tells."""
    prefix: Prefix
    state: Path
    """Folder of the job store and the results; made when missing."""
    data: Path
    """Folder of the catalogues; the service writes its catalogue cache here."""
    hub_api_url: HttpUrl
    service_token_file: Path | None = None
    """The service's own hub token. Users' tokens are checked with themselves: it is not read."""
    scope: str = Field(min_length=1)
    """The hub scope that a token must have."""
    public_url: HttpUrl
    """The address in documents when a request's own Host cannot be used."""
    limits: Limits = Limits()


def load_config(path: Path) -> ServiceConfig:
    """Read and check the file. Raises :class:`ConfigError` that lists every problem."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise ConfigError(f"{path}: cannot be read: {problem.strerror}") from problem
    try:
        return ServiceConfig.model_validate_json(text)
    except ValidationError as problem:
        lines = [f"{path}: {problem.error_count()} problem(s):"]
        for error in problem.errors():
            key = ".".join(str(part) for part in error["loc"]) or "(the file)"
            shown = repr(error["input"])
            if len(shown) > 80:
                shown = shown[:77] + "..."
            missing = error["type"] == "missing"
            lines.append(f"  {key}" + ("" if missing else f" = {shown}") + f": {error['msg']}")
        raise ConfigError("\n".join(lines)) from problem
