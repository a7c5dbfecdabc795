"""The discovery document: which data sets a platform has and where their services are.

The form is Rubin's (``lsst.rsp`` reads the same file); what this platform adds stands under the
key ``despejado``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .errors import BadDiscovery, RepositoryMissing, UnknownName, did_you_mean


@dataclass(frozen=True)
class Service:
    """One service of a data set: its address, and those of its versions by name.

    ``external``: it belongs to somebody else, who must not be given the platform's token.
    """

    url: str
    versions: Mapping[str, str] = field(default_factory=dict)
    external: bool = False

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address at or below which a token may be sent."""
        if self.external:
            return ()
        return (self.url, *self.versions.values())


@dataclass(frozen=True)
class Dataset:
    """One data set: its Butler repository, if any, and its services by name (``tap``, ...)."""

    name: str
    butler_config: str | None
    services: Mapping[str, Service]

    def service(self, name: str) -> Service:
        """The service of that name; raises `UnknownName` with those that exist."""
        if name in self.services:
            return self.services[name]
        hint = did_you_mean(name, self.services) or " It has no services."
        raise UnknownName(f"Data set {self.name!r} has no service {name!r}.{hint}")

    def repository(self) -> str:
        """Where the Butler repository is; raises `RepositoryMissing`."""
        if self.butler_config:
            return self.butler_config
        raise RepositoryMissing(
            f"Data set {self.name!r} has no Butler repository on this platform."
        )


@dataclass(frozen=True)
class Discovery:
    """All data sets of a platform; ``source`` says where this was read."""

    source: str
    datasets: Mapping[str, Dataset]
    default_dataset: str | None = None
    hub_url: str | None = None
    firefly_url: str | None = None

    def dataset(self, name: str | None = None) -> Dataset:
        """The data set of that name, or the default one; raises `UnknownName`."""
        wanted = name or self.default_dataset
        if wanted is None and len(self.datasets) == 1:
            (wanted,) = self.datasets
        if wanted is None:
            raise UnknownName(
                "This platform has no default data set: name one." + did_you_mean("", self.datasets)
            )
        if wanted in self.datasets:
            return self.datasets[wanted]
        raise UnknownName(
            f"There is no data set {wanted!r} on this platform."
            + did_you_mean(wanted, self.datasets)
        )

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address at or below which the token may be sent."""
        return tuple(
            url
            for dataset in self.datasets.values()
            for service in dataset.services.values()
            for url in service.urls
        )


def parse_discovery(document: object, source: str) -> Discovery:
    """Read the JSON value of a discovery document.

    Unknown keys are ignored (other platforms add theirs); wrong types of known ones raise
    `BadDiscovery` with the key and the place.
    """
    reader = _Reader(source)
    root = reader.mapping(document, "the document")
    datasets = reader.mapping(root.get("datasets", {}), "datasets")
    ours = reader.mapping(root.get("despejado") or {}, "despejado")
    elsewhere = reader.mapping(ours.get("external_services") or {}, "despejado.external_services")
    return Discovery(
        source=source,
        datasets={
            name: reader.dataset(name, value, elsewhere.get(name))
            for name, value in datasets.items()
        },
        default_dataset=reader.text(ours.get("default_dataset"), "despejado.default_dataset"),
        hub_url=reader.text(ours.get("hub_url"), "despejado.hub_url"),
        firefly_url=reader.text(ours.get("firefly_url"), "despejado.firefly_url"),
    )


@dataclass(frozen=True)
class _Reader:
    """Typed reads that know where the document came from."""

    source: str

    def mapping(self, value: object, key: str) -> dict[str, object]:
        if isinstance(value, dict) and all(isinstance(name, str) for name in value):
            return value
        raise self._wrong(key, "an object", value)

    def text(self, value: object, key: str) -> str | None:
        if value is None or isinstance(value, str):
            return value or None
        raise self._wrong(key, "text or null", value)

    def dataset(self, name: str, value: object, external: object) -> Dataset:
        key, external_key = f"datasets.{name}", f"despejado.external_services.{name}"
        fields = self.mapping(value, key)
        services = self.mapping(fields.get("services") or {}, f"{key}.services")
        others = self.mapping(external or {}, external_key)
        return Dataset(
            name=name,
            butler_config=self.text(fields.get("butler_config"), f"{key}.butler_config"),
            services={
                service: self._service(entry, f"{key}.services.{service}")
                for service, entry in services.items()
            }
            | {
                service: replace(self._service(entry, f"{external_key}.{service}"), external=True)
                for service, entry in others.items()
            },
        )

    def _service(self, value: object, key: str) -> Service:
        fields = self.mapping(value, key)
        url = self.text(fields.get("url"), f"{key}.url")
        if url is None:
            raise self._wrong(f"{key}.url", "an address", None)
        versions = self.mapping(fields.get("versions") or {}, f"{key}.versions")
        return Service(
            url=url.rstrip("/"),
            versions={
                name: found.rstrip("/")
                for name, entry in versions.items()
                if (
                    found := self.text(
                        self.mapping(entry, f"{key}.versions.{name}").get("url"),
                        f"{key}.versions.{name}.url",
                    )
                )
            },
        )

    def _wrong(self, key: str, wanted: str, value: object) -> BadDiscovery:
        return BadDiscovery(
            f"The discovery document from {self.source} is not usable: {key} must be {wanted}, "
            f"not {value!r}. The operator of the platform can put it right."
        )
