"""The platform: every section of ``platform.yaml`` with what it means.

Titles and descriptions reach editors (JSON Schema) and the operators' page from here. Relations
between sections are checked in :mod:`despejado_hub.config.relations`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from despejado_spawner.site.homes import LAYOUTS, Layout
from despejado_spawner.site.values import Duration, Model, choice, words
from pydantic import Field, WithJsonSchema, model_validator

from .identity import BySource, IdentitySettings, read_settings
from .labs import Labs
from .relations import refuse_related, relation_problems
from .types import (
    DatasetName,
    FilePath,
    Host,
    Prefix,
    Repository,
    Scope,
    SecretReference,
    Url,
    UrlOrBuiltIn,
)

UserName = Annotated[str, Field(min_length=1, max_length=255)]


class Public(Model):
    """Where people reach the platform."""

    host: Host = Field(
        default="127.0.0.1",
        title="Host",
        description="The address that the platform listens on; 0.0.0.0 or :: is every one.",
    )
    port: int = Field(
        default=8000,
        ge=1,
        le=65535,
        title="Port",
        description="The port that the platform listens on.",
    )
    prefix: Prefix = Field(
        default="/", title="Prefix", description="The URL path below which everything lies."
    )
    url: Url | None = Field(
        default=None,
        title="Public URL",
        description="The address that people type, where a gateway stands before the platform. "
        "Without it, the address follows from host, port and prefix.",
    )


class DemoLogin(Model):
    """Any name with one password; for one machine, so it listens on loopback only."""

    kind: Annotated[
        str,
        choice(("demo",), ("oidc", "ldap", "headers", "pam")),
        WithJsonSchema({"type": "string", "enum": ["demo"]}),
    ] = Field(
        default="demo",
        title="Kind of login",
        description="demo: any name with one password, on loopback only.",
    )
    password: SecretReference | None = Field(
        default=None,
        title="Password",
        description="A reference to the password; without it one is made and printed at start.",
    )


class Idle(Model):
    """When labs that nobody uses are stopped."""

    stop_after: Duration | None = Field(
        default=3600,
        title="Stop after",
        description="Stop a lab that was idle for this long; null never stops one.",
    )
    max_age: Duration | None = Field(
        default=None,
        title="Longest life",
        description="Stop a lab this long after its start even if it is used; null never does.",
    )
    check_every: Annotated[Duration, Field(ge=1)] = Field(
        default=300, title="Check every", description="How often idle labs are looked for."
    )


class HubLimits(Model):
    """What the hub allows at one time."""

    concurrent_spawns: int = Field(
        default=20,
        ge=1,
        title="Concurrent starts",
        description="Labs that may be starting at one time.",
    )
    active_labs: int | None = Field(
        default=None,
        ge=1,
        title="Active labs",
        description="Labs that may run at one time, of all users; null is no limit.",
    )
    start_timeout: Annotated[Duration, Field(ge=1)] = Field(
        default=1800,
        title="Start timeout",
        description="How long a lab may take to start, with the making of its environment.",
    )


class Hub(Model):
    """The hub: login, culling, limits."""

    login: DemoLogin = Field(
        default_factory=DemoLogin, title="Login", description="How people log in."
    )
    admins: tuple[UserName, ...] = Field(
        default=(),
        strict=False,
        title="Administrators",
        description="User names that may see and stop the labs of others.",
    )
    idle: Idle = Field(
        default_factory=Idle,
        title="Idle labs",
        description="When labs that nobody uses are stopped.",
    )
    limits: HubLimits = Field(
        default_factory=HubLimits,
        title="Limits",
        description="What the hub allows at one time.",
    )


class Dataset(Model):
    """A data set: where its Butler repository and its tables are."""

    title: str | None = Field(
        default=None, min_length=1, title="Title", description="What people read in menus."
    )
    butler: Repository | None = Field(
        default=None,
        title="Butler repository",
        description="built-in (the sample repository), a path, or the URL of a repository.",
    )
    tap: UrlOrBuiltIn | None = Field(
        default=None,
        title="TAP service",
        description="built-in (the platform's own service) or the URL of a TAP service.",
    )


class TapLimits(Model):
    """What one query or one user may take of the TAP service."""

    maxrec: int = Field(
        default=1_000_000,
        ge=1,
        le=10**9,
        title="Rows of a result",
        description="The hard limit of rows of one result (MAXREC).",
    )
    execution: Annotated[Duration, Field(ge=1)] = Field(
        default=600, title="Execution time", description="How long one query may run."
    )
    jobs_per_user: int = Field(
        default=10,
        ge=1,
        le=10_000,
        title="Jobs of a user",
        description="Asynchronous jobs of one user that may wait or run at one time.",
    )
    result_retention: Annotated[Duration, Field(ge=60)] = Field(
        default=7 * 86400,
        title="Result retention",
        description="How long jobs and their results are kept (the UWS destruction time).",
    )


class Tap(Model):
    """The platform's own TAP service."""

    scope: Scope = Field(
        default="custom:tap:query",
        title="Scope",
        description="The JupyterHub scope that a token needs to query.",
    )
    limits: TapLimits = Field(
        default_factory=TapLimits,
        title="Limits",
        description="What one query or one user may take.",
    )


class Services(Model):
    """The data services that the platform runs itself."""

    tap: Tap | None = Field(
        default_factory=Tap,
        title="TAP",
        description="The platform's own TAP service; null runs none.",
    )


class Firefly(Model):
    """A Firefly server for images and tables."""

    url: Url = Field(title="URL", description="The address of the Firefly server.")


class Homes(Model):
    """Home folders of users."""

    layout: Annotated[Layout, choice(LAYOUTS), words(*LAYOUTS)] = Field(
        default="username",
        title="Layout",
        description="username: the home of rachel is homes/rachel. initial/username: it is "
        "homes/r/rachel; where labs are pods only.",
    )


class Storage(Model):
    """Where the platform keeps things."""

    state: FilePath | None = Field(
        default=None,
        title="State folder",
        description="The folder of everything that is kept. Without it /var/lib/despejado for "
        "root, ~/.local/share/despejado for others; --state FOLDER on the command line wins.",
    )
    homes: Homes = Field(default_factory=Homes, title="Homes", description="Home folders of users.")


class Platform(Model):
    """A whole platform, as ``platform.yaml`` says it."""

    version: Literal[1] = Field(title="Version", description="The version of this format: 1.")
    name: str = Field(
        min_length=1,
        max_length=80,
        title="Name",
        description="What people read as the name of the platform.",
    )
    public: Public = Field(
        default_factory=Public,
        title="Public address",
        description="Where people reach the platform.",
    )
    hub: Hub = Field(default_factory=Hub, title="Hub", description="Login, idle labs and limits.")
    identity: Annotated[IdentitySettings, BySource] = Field(
        default_factory=lambda: read_settings({}),
        title="Identity",
        description="Where UID, GID and groups of a user come from.",
    )
    labs: Labs = Field(default_factory=Labs, title="Labs", description="What a user may start.")
    datasets: dict[DatasetName, Dataset] = Field(
        default_factory=dict,
        title="Data sets",
        description="Data sets that labs find, by name.",
    )
    default_dataset: DatasetName | None = Field(
        default=None,
        title="Default data set",
        description="The data set of whoever names none; needed if there is more than one.",
    )
    services: Services = Field(
        default_factory=Services,
        title="Services",
        description="The data services that the platform runs itself.",
    )
    firefly: Firefly | None = Field(
        default=None,
        title="Firefly",
        description="A Firefly server; without one, images are shown in the notebook.",
    )
    storage: Storage = Field(
        default_factory=Storage,
        title="Storage",
        description="Where the platform keeps things.",
    )

    @model_validator(mode="after")
    def _related(self) -> Platform:
        problems = relation_problems(self.model_dump(exclude_unset=True))
        if problems:
            raise refuse_related(problems)
        return self

    @property
    def first_dataset(self) -> str | None:
        """The name of the default data set: the one that is named, or the only one."""
        if self.default_dataset is not None:
            return self.default_dataset
        return next(iter(self.datasets), None)
