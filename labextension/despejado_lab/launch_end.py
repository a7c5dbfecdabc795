"""What a lab that cannot start says of it, where the cluster finds it and the hub shows it.

Kubernetes keeps what a container writes to its termination log with the pod. The last line is a
sentence for people; the lines before it are the server's own last words.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any

TERMINATION_LOG = Path("/dev/termination-log")
_LIMIT = 3000
"""Bytes; Kubernetes keeps 4096 for each container and 12 KiB for a pod."""
_RECORDS = 20


class LaunchError(Exception):
    """The lab cannot start; the text says why, and what to do."""


class Ending:
    """Within this context, until ``started`` is called, a failure leaves its reason behind.

    Exceptions pass through. A server that is stopped, or ends by itself with status 0, says
    nothing.
    """

    def __init__(self, place: Path = TERMINATION_LOG) -> None:
        self._place = place
        self._records = _LastRecords()

    def __enter__(self) -> Ending:
        # Jupyter's applications have loggers of their own that hand nothing on to the root's.
        logging.setLogRecordFactory(self._records)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        waiting = logging.getLogRecordFactory() is self._records
        self.started()
        if not waiting or error is None or isinstance(error, KeyboardInterrupt):
            return
        if isinstance(error, SystemExit) and not error.code:
            return
        self._write([*self._records.lines(), self._sentence(error)])

    def started(self) -> None:
        """The server answers: what it logs from now on is not kept."""
        if logging.getLogRecordFactory() is self._records:
            logging.setLogRecordFactory(self._records.factory)

    def _sentence(self, error: BaseException) -> str:
        if isinstance(error, LaunchError):
            return str(error)
        if not isinstance(error, SystemExit):
            return f"The lab's server could not start: {_words(error)}"
        if isinstance(error.code, str):
            return error.code
        why = self._records.last_error()
        if why:
            return f"The lab's server could not start: {why}"
        return f"The lab's server ended before it was ready (exit code {error.code})."

    def _write(self, lines: list[str]) -> None:
        text = "\n".join(lines)
        content = text.encode("utf-8", "replace")[-_LIMIT:]
        try:
            # Only what the kubelet has put there: on a machine without one it is no place.
            descriptor = os.open(self._place, os.O_WRONLY | os.O_TRUNC)
        except OSError:
            return
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)


class _LastRecords:
    """Makes the records of all loggers and keeps the last of them."""

    def __init__(self) -> None:
        self.factory = logging.getLogRecordFactory()
        self._kept: deque[logging.LogRecord] = deque(maxlen=_RECORDS)

    def __call__(self, *arguments: Any, **options: Any) -> logging.LogRecord:
        record: logging.LogRecord = self.factory(*arguments, **options)
        if record.levelno >= logging.INFO:
            self._kept.append(record)
        return record

    def last_error(self) -> str:
        """The last error, with its cause; empty if there was none."""
        errors = [record for record in self._kept if record.levelno >= logging.ERROR]
        return _said(errors[-1]) if errors else ""

    def lines(self) -> list[str]:
        """What was said, each message on a line of its own."""
        return [f"{record.levelname} {record.name}: {_said(record)}" for record in self._kept]


def _said(record: logging.LogRecord) -> str:
    message = " ".join(record.getMessage().split())
    error = record.exc_info[1] if record.exc_info else None
    return message if error is None else f"{message} ({_words(error)})"


def _words(error: BaseException) -> str:
    """An exception in one line, for people where it is the system's."""
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
