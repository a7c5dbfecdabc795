"""Who may reach a lab, and what a lab may reach.

Hub and proxy may connect to the lab's port and nobody else may connect at all. A lab may connect
to DNS, the hub's port, what ``allow`` lists, and with ``internet`` to all public addresses.
Policies see the address behind a Service, so name pods rather than a cluster IP.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from despejado_spawner.site.names import (
    NAMESPACE_LABEL,
    Cidr,
    Labels,
    NamespaceLabels,
    Port,
    PortNumber,
)
from despejado_spawner.site.values import ONE_OR_MORE, Model, Spelling, choice, refuse, words

PROTOCOLS = ("TCP", "UDP", "SCTP")
HUB_PORT = 8081


class Peer(Model):
    """Pods, namespaces, both, or addresses; pods without a namespace are in that of labs."""

    pods: Labels | None = Field(
        default=None, title="Pods", description="The labels of the pods; {} is all of them."
    )
    namespace: NamespaceLabels | None = Field(
        default=None,
        title="Namespace",
        description="The name of their namespace, or the labels of several.",
    )
    cidr: Cidr | None = Field(
        default=None,
        title="Addresses",
        description="An address, or a network without host bits, in place of pods.",
    )

    @model_validator(mode="after")
    def _pods_or_addresses(self) -> Peer:
        if (self.cidr is None) == (self.pods is None and self.namespace is None):
            raise refuse(
                "needs either cidr, or pods and namespace or one of the two",
                "{cidr: 192.0.2.0/24}, or {pods: {app: name}, namespace: name}",
            )
        return self


class HubPeer(Peer):
    """The hub, with the port of its API."""

    port: PortNumber | None = Field(
        default=None,
        title="Port",
        description=f"The port of the hub's API; null is the platform's own, or {HUB_PORT}.",
    )


class Destination(Peer):
    """A service that labs may use."""

    ports: Annotated[tuple[Port, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None, title="Ports", description="Numbers or names of ports; null is all."
    )
    protocol: Annotated[str, choice(PROTOCOLS), words(*PROTOCOLS)] = Field(
        default="TCP", title="Protocol", description="Of the ports."
    )


class Internet(Model):
    """All public addresses; none of private, shared or link-local networks."""

    ports: Annotated[tuple[Port, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None, title="Ports", description="Numbers of TCP ports; null is all."
    )
    excluded: tuple[Cidr, ...] = Field(
        default=(),
        alias="except",
        strict=False,
        title="Except",
        description="Networks that labs may not reach all the same.",
    )


def _yes_or_no(value: object) -> object:
    if isinstance(value, bool):
        return {} if value else None
    if isinstance(value, str | int | float | list | tuple):
        raise refuse("is neither yes, no nor a section", "true, false, or {ports: [443]}")
    return value


class Network(Model):
    """The peers of all labs."""

    hub: Annotated[tuple[HubPeer, ...], Field(strict=False), ONE_OR_MORE] = Field(
        default=(),
        title="Hub",
        description="Who the hub is: may connect to labs, and labs to it.",
    )
    proxy: Annotated[tuple[Peer, ...], Field(strict=False), ONE_OR_MORE] = Field(
        default=(), title="Proxy", description="Who the proxy is: may connect to labs."
    )
    dns: Annotated[tuple[Peer, ...], Field(strict=False), ONE_OR_MORE] = Field(
        default=(Peer(pods={"k8s-app": "kube-dns"}, namespace={NAMESPACE_LABEL: "kube-system"}),),
        title="DNS",
        description="Where labs ask for names.",
        json_schema_extra={
            "default": {"pods": {"k8s-app": "kube-dns"}, "namespace": "kube-system"}
        },
    )
    allow: Annotated[tuple[Destination, ...], Field(strict=False), ONE_OR_MORE] = Field(
        default=(), title="Allow", description="What labs may reach beside."
    )
    internet: Annotated[Internet | None, Spelling(_yes_or_no, lambda _: {"type": "boolean"})] = (
        Field(
            default=None,
            title="Internet",
            description="Whether labs may reach all public addresses, or on which ports.",
            json_schema_extra={"default": False},
        )
    )
