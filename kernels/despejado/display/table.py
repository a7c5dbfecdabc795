"""A preview of a table: the first rows with units, numbers aligned, nothing unescaped."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ..notebook import display, in_notebook

if TYPE_CHECKING:
    from astropy.table import Table

ROWS = 10
_TEXT = 60
_NONE = "\N{EN DASH}"


@dataclass(frozen=True, eq=False)
class TableView:
    """A table that has been shown; ``table`` is all of it."""

    table: Table

    def _ipython_display_(self) -> None:
        """Nothing: the preview has been shown."""


@dataclass(frozen=True, eq=False)
class Preview:
    """The first rows of a table, as HTML in notebooks and as text elsewhere."""

    table: Table

    def summary(self) -> str:
        """How much there is, and how much of it is shown."""
        rows, columns = len(self.table), len(self.table.colnames)
        text = (
            f"{rows:,} row{'' if rows == 1 else 's'}, {columns} column{'' if columns == 1 else 's'}"
        )
        return f"{text}; the first {ROWS} rows" if rows > ROWS else text

    def __repr__(self) -> str:
        names = self.table.colnames
        grid = [names, [f"({text})" if (text := self._unit(name)) else "" for name in names]]
        grid += [[self._cell(name, row) for name in names] for row in self._shown()]
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        right = [self._is_number(name) for name in names]
        lines = [
            "  ".join(
                text.rjust(width) if number else text.ljust(width)
                for text, width, number in zip(line, widths, right, strict=True)
            ).rstrip()
            for line in grid
        ]
        return "\n".join([*lines, self.summary()])

    def _repr_html_(self) -> str:
        names = self.table.colnames
        heads = "".join(
            f'<th scope="col" style="text-align:{self._side(name)}"'
            f' title="{escape(self._about(name))}">'
            f"{escape(name)}<br><small>{escape(self._unit(name)) or '&nbsp;'}</small></th>"
            for name in names
        )
        rows = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align:{self._side(name)}">{escape(self._cell(name, row))}</td>'
                for name in names
            )
            + "</tr>"
            for row in self._shown()
        )
        return (
            '<div style="overflow-x:auto"><table style="font-variant-numeric:tabular-nums">'
            '<caption style="caption-side:bottom;text-align:left">'
            f"{escape(self.summary())}</caption>"
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        )

    def _shown(self) -> range:
        return range(min(ROWS, len(self.table)))

    def _unit(self, name: str) -> str:
        unit = getattr(self.table[name], "unit", None)
        return str(unit) if unit else ""

    def _about(self, name: str) -> str:
        return str(getattr(self.table[name].info, "description", None) or "")

    def _is_number(self, name: str) -> bool:
        dtype = getattr(self.table[name], "dtype", None)
        return dtype is not None and dtype.kind in "iufc" and self.table[name].ndim == 1

    def _side(self, name: str) -> str:
        return "right" if self._is_number(name) else "left"

    def _cell(self, name: str, row: int) -> str:
        column = self.table[name]
        value = column[row]
        if value is np.ma.masked or value is None:
            return _NONE
        if self._is_number(name):
            return _number(getattr(value, "value", value), column)
        text = (
            str(value) if np.ndim(value) == 0 else np.array2string(np.asarray(value), threshold=4)
        )
        return text if len(text) <= _TEXT else text[: _TEXT - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _number(value: Any, column: Any) -> str:
    """A number in the column's own format, or with the digits that a reader needs.

    Eight for doubles (a position to a few milliarcseconds), five for floats.
    """
    wanted = getattr(column.info, "format", None)
    if wanted and isinstance(wanted, str):
        return wanted % value if "%" in wanted else format(value, wanted.strip("{}:"))
    if column.dtype.kind != "f":
        return str(value)
    if not np.isfinite(value):
        return _NONE if np.isnan(value) else str(value)
    return f"{value:.8g}" if column.dtype.itemsize > 4 else f"{value:.5g}"


def show_preview(table: Table) -> TableView:
    """Display the preview in a notebook, print it elsewhere."""
    preview = Preview(table)
    if in_notebook():
        display(preview)
    else:
        print(preview)
    return TableView(table)
