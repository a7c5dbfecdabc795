"""``%%adql``: a cell that is a query.

Loaded when a kernel starts, so nothing heavy is imported before the first query.
"""

from __future__ import annotations

import argparse
import keyword
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, magics_class

if TYPE_CHECKING:
    from astropy.table import Table
    from IPython.core.interactiveshell import InteractiveShell

    from .adql import Query
    from .jobs import Outcome, Progress
    from .progress import ProgressDisplay
    from .service import TapQueryError


@dataclass(frozen=True)
class Options:
    """What stands behind ``%%adql``."""

    output: str | None = None
    dataset: str | None = None
    maxrec: int | None = None
    keep: bool = False


class _Parser(argparse.ArgumentParser):
    """An argparse parser that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%%adql: {message}\n{self.format_usage().strip()}")


def parse_options(line: str) -> Options:
    """The options of a cell; raises IPython's `UsageError` with what is wrong."""
    parser = _Parser(prog="%%adql", add_help=False, allow_abbrev=False)
    parser.add_argument("-o", "--output", metavar="NAME")
    parser.add_argument("--dataset", metavar="NAME")
    parser.add_argument("--maxrec", metavar="ROWS", type=int)
    parser.add_argument("--async", dest="keep", action="store_true")
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise UsageError(f"%%adql: {error} in {line!r}") from None
    found = Options(**vars(parser.parse_args(words)))
    name = found.output
    if name is not None and (not name.isidentifier() or keyword.iskeyword(name)):
        raise UsageError(f"%%adql: -o wants the name of a variable, and {name!r} is none")
    if found.maxrec is not None and found.maxrec < 1:
        raise UsageError(f"%%adql: --maxrec wants a number above 0, not {found.maxrec}")
    return found


@magics_class
class AdqlMagics(Magics):
    """Queries in cells."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._shell = shell

    @cell_magic
    def adql(self, line: str, cell: str) -> Table | None:
        """Run an ADQL query and get an astropy Table.

        Written as::

            %%adql [-o NAME] [--maxrec ROWS] [--dataset NAME] [--async]
            SELECT TOP 10 * FROM ...

        -o NAME, --output NAME  put the Table into this variable and show its first rows
        --maxrec ROWS           at most this many rows
        --dataset NAME          data set to ask, if not the default one
        --async                 show the progress from the start, and keep the job on the service
                                afterwards (despejado.tap().get_job_list() finds it); without
                                this it is deleted when its rows are here

        ``{name}`` in the query is replaced by the variable's value as an ADQL literal: numbers,
        strings, lists of them. While it runs, phase and elapsed time are shown with a button
        that aborts the job; interrupting the kernel aborts it too.
        """
        options = parse_options(line)
        outcome = self._run(cell, options)
        if options.output is None:
            _say_overflow(outcome, "The table")
            return outcome.table
        self._shell.user_ns[options.output] = outcome.table
        show_table(outcome)
        _say_overflow(outcome, options.output)
        return None

    def _run(self, cell: str, options: Options) -> Outcome:
        from . import adql, jobs
        from .service import TapQueryError, tap

        query = adql.fill(cell, self._shell.user_ns)
        if not query.text.strip():
            raise UsageError("the cell has no query: write SELECT ... below %%adql")
        shown = _Shown()
        run = jobs.QueryRun(tap(options.dataset), query.text, shown.report)
        shown.abort = run.abort
        try:
            if options.keep:
                shown.report(run.progress)
            return run.result(maxrec=options.maxrec, keep=options.keep)
        except TapQueryError as error:
            raise _with_place(error, query) from None
        finally:
            shown.close(run.progress)


def show_table(outcome: Outcome) -> None:
    """The first rows, with whatever viewer the platform has."""
    from .display.show import show

    show(outcome.table)


def _say_overflow(outcome: Outcome, name: str) -> None:
    if outcome.overflow:
        print(
            f"{name} has the first {len(outcome.table):,} rows; the service has more. Ask for"
            " more with --maxrec."
        )


class _Shown:
    """The progress of one query; widgets are imported when there is something to show."""

    def __init__(self) -> None:
        self._started = time.time()
        self._display: ProgressDisplay | None = None
        self.abort: Callable[[], None] = _nothing

    def report(self, progress: Progress) -> None:
        if self._display is None:
            from .progress import ProgressDisplay

            self._display = ProgressDisplay(self.abort, self._started)
        self._display.report(progress)

    def close(self, progress: Progress) -> None:
        if self._display is not None:
            self._display.close(progress)


def _nothing() -> None:
    """Before there is a job there is nothing to abort."""


def _with_place(error: TapQueryError, query: Query) -> TapQueryError:
    from .adql import marked

    mark = marked(query, error.reason)
    return type(error)(
        f"{error.reason}\n\n{mark}" if mark else error.reason, error.label, error.url
    )


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%%adql`` (``%load_ext despejado``; a lab's kernel does it when it starts)."""
    shell.register_magics(AdqlMagics)
