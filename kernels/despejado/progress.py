"""What a notebook shows while a query runs: a widget with Abort, or one line of text."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from .jobs import Progress
from .notebook import Shown, display

_WORDS = {
    "PENDING": "waiting to start",
    "QUEUED": "queued",
    "EXECUTING": "running",
    "COMPLETED": "completed",
    "ERROR": "failed",
    "ABORTED": "aborted",
}


class QueryProgress(anywidget.AnyWidget):
    """Phase, elapsed time, rows and note of one query; the browser counts the seconds.

    A click on Abort comes as the message ``{"type": "abort"}``. JupyterLab sends it to a
    subshell of the kernel, so that it arrives while the cell is still waiting.
    """

    _esm = Path(__file__).with_name("progress.js")
    _css = Path(__file__).with_name("progress.css")
    phase = traitlets.Unicode("PENDING").tag(sync=True)
    started = traitlets.Float(0.0).tag(sync=True)
    seconds = traitlets.Float(None, allow_none=True).tag(sync=True)
    rows = traitlets.Int(None, allow_none=True).tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    aborting = traitlets.Bool(False).tag(sync=True)

    def text(self) -> str:
        """The same in one line, for documents without widgets."""
        parts = [f"ADQL query {_WORDS.get(self.phase, self.phase.lower())}"]
        if self.seconds is not None:
            parts.append(f"after {self.seconds:.1f} s")
        if self.rows is not None:
            parts.append(f"with {self.rows:,} rows")
        return " ".join(parts) + (f". {self.note}" if self.note else "")

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**(data or {}), "text/plain": self.text()}, metadata


class ProgressDisplay:
    """Shows a `QueryProgress` in the cell that runs, from the first report on."""

    def __init__(self, abort: Callable[[], None], started: float) -> None:
        self._abort = abort
        self._started = started
        self._widget: QueryProgress | None = None
        self._handle: Shown | None = None

    def report(self, progress: Progress) -> None:
        """Show how the query stands."""
        widget = self._widget or self._open()
        with widget.hold_sync():
            widget.note = progress.note
            widget.rows = progress.rows
            if progress.final:
                widget.seconds = time.time() - self._started
            widget.phase = progress.phase

    def close(self, progress: Progress) -> None:
        """Leave the last state in the document, if anything was shown."""
        if self._widget is None:
            return
        self.report(progress if progress.final else replace(progress, phase="ERROR"))
        if self._handle is not None:
            self._handle.update(self._widget)

    def _open(self) -> QueryProgress:
        widget = QueryProgress(started=self._started)
        widget.on_msg(self._received)
        _listen_where_sent(widget)
        self._widget = widget
        self._handle = display(widget)
        return widget

    def _received(self, _widget: object, content: dict[str, object], _buffers: object) -> None:
        if content.get("type") == "abort" and self._widget is not None:
            self._widget.aborting = True
            self._abort()


def _listen_where_sent(widget: QueryProgress) -> None:
    """Let clicks arrive in the subshell that the front end sent them to.

    From 7.4 on ipykernel hands what comes for a comm to the loop that used the comm last. That is
    the cell's here, and it waits for the query: the click would arrive after the end.
    """
    comm: Any = widget.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, sent_to: sent_to
