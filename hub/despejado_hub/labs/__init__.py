"""Everything that differs between labs as processes and labs as pods, behind one interface."""

from __future__ import annotations

from despejado_hub.config import Platform
from despejado_hub.lazy_names import import_names_later

from .interface import Labs

__all__ = ["Labs", "labs_of"]


def labs_of(platform: Platform) -> Labs:
    """The labs of a platform; the one place of the hub that asks which kind they are.

    The libraries of the other kind are not imported.
    """
    if platform.labs.pods is not None:
        import_names_later()
        from .pods.pod_labs import PodLabs

        return PodLabs(platform)
    from .processes.process_labs import ProcessLabs

    return ProcessLabs(platform)
