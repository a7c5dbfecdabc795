"""Tables and amounts as commands print them."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as aligned columns; the column before the last holds numbers."""
    last = len(rows[0]) - 1
    widths = [max(len(row[column]) for row in rows) for column in range(last)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[: last - 1], widths, strict=False)]
        cells += [row[last - 1].rjust(widths[last - 1]), row[last]]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def about(seconds: float) -> str:
    """A duration as one says it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
