"""``despejado render role``: the rights of a hub whose labs are pods."""

from .render_pods import role as main

__all__ = ["main"]
