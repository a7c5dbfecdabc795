"""Who may do what: one table, from which the hub's roles and scopes are made; no I/O.

The least that works: a service's role names the calls that it makes and no more.
"""

from __future__ import annotations

from typing import Any

from despejado_hub.config import Platform, derive

CULLER = "idle-culler"
OPERATOR = "operator"
SUPERVISOR = "supervisor"
TAP = "tap"


def custom_scopes(platform: Platform) -> dict[str, dict[str, Any]]:
    """``c.JupyterHub.custom_scopes``."""
    return {scope: {"description": text} for scope, text in derive.data_scopes(platform).items()}


def roles(platform: Platform) -> list[dict[str, Any]]:
    """``c.JupyterHub.load_roles``."""
    data = list(derive.data_scopes(platform))
    return [
        {
            "name": "user",
            "description": "What every user may do: their own things, and query data",
            "scopes": ["self", *data],
        },
        {
            "name": "server",
            "description": "What a running lab may do: report activity, be visited, end itself",
            # "Save all and exit" in the lab's menu is a request of the lab's server.
            "scopes": [
                "users:activity!user",
                "access:servers!server",
                "delete:servers!server",
            ],
        },
        {
            "name": OPERATOR,
            "description": "What administrators may do: see all users and labs, and stop labs",
            # JupyterHub's own role "admin", which cannot be narrowed, may also enter labs, make
            # tokens for others and start their labs: all of them ways to be somebody else.
            "scopes": [
                "admin-ui",
                "list:users",
                "read:users",
                "read:servers",
                "delete:servers",
                "list:groups",
                "read:groups",
                "read:hub",
                "read:metrics",
            ],
            "users": list(platform.hub.admins),
        },
        {
            "name": CULLER,
            "description": "Stop labs that nobody uses",
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
            "services": [CULLER],
        },
        {
            "name": SUPERVISOR,
            "description": "Tell the hub of a new proxy, and shut it down in order",
            "scopes": ["proxy", "shutdown"],
            "services": [SUPERVISOR],
        },
    ]
