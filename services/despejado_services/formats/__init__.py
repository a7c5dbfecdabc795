"""Writers of result tables, and the table of those that are offered."""

from despejado_services.formats.choice import Format

__all__ = ["Format"]
