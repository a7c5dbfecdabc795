"""``%%adql`` in real kernels, as a notebook front end talks to them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from despejado.magic import Options, parse_options
from IPython.core.error import UsageError
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from tests.kernels.conftest import StandIn

ARGV = [
    sys.executable,
    "-m",
    "ipykernel_launcher",
    "-f",
    "{connection_file}",
    "--IPKernelApp.extra_extensions=despejado",
]


class Lab:
    """A kernel started as a lab starts it, and its messages."""

    def __init__(self, home: Path) -> None:
        self.manager = KernelManager(kernel_name="lab")
        self.manager._kernel_spec = KernelSpec(argv=ARGV, display_name="lab", language="python")
        env = {**os.environ, "IPYTHONDIR": str(home / "ipython"), "HOME": str(home)}
        self.manager.start_kernel(env=env, cwd=str(home))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code: str) -> Outputs:
        """Run a cell to its end."""
        return self.outputs(self.client.execute(code))

    def outputs(self, parent: str) -> Outputs:
        found = Outputs()
        while not found.idle:
            found.take(self.message(), parent)
        reply = self.client.get_shell_msg(timeout=60)
        while reply["parent_header"].get("msg_id") != parent:
            reply = self.client.get_shell_msg(timeout=60)
        found.status = reply["content"]["status"]
        return found

    def message(self) -> dict[str, Any]:
        try:
            return self.client.get_iopub_msg(timeout=60)
        except Empty:
            pytest.fail("the kernel said nothing for a minute")

    def until(self, kind: str) -> dict[str, Any]:
        message = self.message()
        while message["msg_type"] != kind:
            message = self.message()
        return message

    def subshell(self) -> str:
        """A subshell of the kernel, as JupyterLab makes one for widgets."""
        request = self.client.session.msg("create_subshell_request")
        self.client.control_channel.send(request)
        reply = self.client.get_control_msg(timeout=60)
        return str(reply["content"]["subshell_id"])

    def click(self, comm: str, content: dict[str, object], subshell: str | None) -> None:
        """What anywidget's ``model.send`` does in the browser."""
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        if subshell:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)


class Outputs:
    """What a cell put out, and the state of the widgets it made."""

    def __init__(self) -> None:
        self.idle = False
        self.status = ""
        self.text = ""
        self.data: list[dict[str, Any]] = []
        self.result: dict[str, Any] = {}
        self.error: dict[str, Any] = {}
        self.widget: dict[str, Any] = {}

    def take(self, message: dict[str, Any], parent: str) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind in ("comm_open", "comm_msg"):
            self.widget.update(content["data"].get("state", {}))
        if message["parent_header"].get("msg_id") != parent:
            return
        if kind == "status":
            self.idle = content["execution_state"] == "idle"
        elif kind == "stream":
            self.text += content["text"]
        elif kind in ("display_data", "update_display_data"):
            self.data.append(content["data"])
        elif kind == "execute_result":
            self.result = content["data"]
        elif kind == "error":
            self.error = content

    @property
    def message(self) -> str:
        """The error as a person reads it."""
        return "\n".join(self.error["traceback"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One kernel for the tests of this module; they tell it where their lab is."""
    kernel = Lab(tmp_path_factory.mktemp("home"))
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(shared: Lab, lab: Path) -> Lab:
    done = shared.run(f"%reset -f\nimport os\nos.environ['DESPEJADO_RUNTIME_DIR'] = {str(lab)!r}")
    assert done.status == "ok"
    return shared


def test_lab_kernel_knows_the_magic_and_returns_a_table(kernel: Lab) -> None:
    done = kernel.run("%%adql\nSELECT * FROM sample.stars")
    assert done.status == "ok", done.error
    assert "Alcyone" in done.result["text/html"]
    assert kernel.run("print(type(_).__name__, len(_))").text == "Table 3\n"


def test_quick_query_shows_no_widget(kernel: Lab) -> None:
    assert kernel.run("%%adql\nSELECT * FROM sample.stars").data == []


def test_output_variable_and_preview(kernel: Lab) -> None:
    done = kernel.run("%%adql -o bright --maxrec 5\nSELECT * FROM sample.stars")
    assert done.status == "ok", done.error
    assert done.result == {}
    preview = done.data[-1]
    assert "Electra" in preview["text/plain"]
    assert (
        '<th scope="col" style="text-align:right" title="Right ascension (ICRS)">ra<br>'
        in (preview["text/html"])
    )
    assert kernel.run("print(bright['ra'].unit, bright['hip'][0])").text == "deg 17702\n"


def test_variables_become_literals(kernel: Lab, service: StandIn) -> None:
    kernel.run('name = "O\'Neill"; radius = 0.5; ids = [1, 2]')
    done = kernel.run("%%adql\nSELECT * FROM t WHERE n = {name} AND r < {radius} AND i IN ({ids})")
    assert done.status == "ok", done.error
    sent = service.jobs["job1"].query
    assert sent == "SELECT * FROM t WHERE n = 'O''Neill' AND r < 0.5 AND i IN (1, 2)\n"


def test_error_has_a_caret_and_no_traceback(kernel: Lab, service: StandIn) -> None:
    service.refusal = "Unknown column 'prallax' at line 2, column 41."
    kernel.run("limit = 123456")
    done = kernel.run(
        "%%adql\nSELECT wrong FROM sample.stars\nWHERE hip = {limit} AND 12345678 < prallax"
    )
    assert done.status == "error"
    assert done.message == (
        "TapQueryError: Unknown column 'prallax' at line 2, column 41. Did you mean parallax?\n"
        "\n"
        "   2 | WHERE hip = {limit} AND 12345678 < prallax\n"
        "     |                                    ^"
    ).replace(" " * 36 + "^", " " * (1 + 41 - 1 + len("{limit}") - len("123456")) + "^")


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("%%adql\nSELECT {nothing}", "UnknownName: There is no variable 'nothing'"),
        ("%%adql --dataset sampel\nSELECT 1", "Did you mean sample?"),
        ("%%adql\nSELECT {1+1}", "BadVariable: Line 1: braces hold the name"),
    ],
)
def test_mistakes_are_told_in_a_sentence(kernel: Lab, cell: str, told: str) -> None:
    done = kernel.run(cell)
    assert done.status == "error"
    assert told in done.message
    assert "Traceback" not in done.message


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("-o 1x", "wants the name of a variable"),
        ("-o class", "wants the name of a variable"),
        ("--maxrec 0", "above 0"),
        ("--maxrec many", "invalid int value"),
        ("--colour red", "unrecognized arguments: --colour red"),
        ("-o 'a", "No closing quotation"),
    ],
)
def test_wrong_options(line: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_options(line)


def test_options() -> None:
    assert parse_options("") == Options()
    assert parse_options("-o t --maxrec 10 --dataset dp1 --async  # all of it") == Options(
        "t", "dp1", 10, keep=True
    )


def test_empty_cell(kernel: Lab) -> None:
    done = kernel.run("%%adql\n\n")
    assert done.status == "error"
    assert "no query" in done.text


def test_overflow_is_told(kernel: Lab, service: StandIn) -> None:
    service.overflow = True
    done = kernel.run("%%adql -o t\nSELECT * FROM sample.stars")
    assert done.text == (
        "t has the first 3 rows; the service has more. Ask for more with --maxrec.\n"
    )


def test_async_keeps_the_job_and_shows_the_progress(kernel: Lab, service: StandIn) -> None:
    done = kernel.run("%%adql -o t --async\nSELECT * FROM sample.stars")
    assert done.status == "ok", done.error
    assert service.jobs["job1"].phase == "COMPLETED"
    assert done.widget["phase"] == "COMPLETED"
    assert done.widget["rows"] == 3
    assert done.data[0]["text/plain"] == "ADQL query waiting to start"
    shown = [each["text/plain"] for each in done.data if "application/vnd.jupyter" in str(each)]
    assert shown[-1].startswith("ADQL query completed after ")
    assert shown[-1].endswith(" s with 3 rows")


def test_abort_button_aborts_the_job_while_the_cell_waits(kernel: Lab, service: StandIn) -> None:
    kernel.run("import despejado.progress")
    subshell = kernel.subshell()
    cell = kernel.client.execute("%%adql -o t\nSELECT slow FROM sample.stars")
    name = service.wait_for_job()
    message = kernel.until("comm_open")
    while message["content"]["data"]["state"].get("_model_name") != "AnyModel":
        message = kernel.until("comm_open")
    kernel.click(message["content"]["comm_id"], {"type": "abort"}, subshell)
    assert service.wait_for_phase(name, "ABORTED")
    done = kernel.outputs(cell)
    assert done.message == "QueryAborted: The query was aborted."
    assert done.widget["phase"] == "ABORTED"
    assert kernel.run("print('t' in globals())").text == "False\n"


def test_interrupt_aborts_the_job(kernel: Lab, service: StandIn) -> None:
    cell = kernel.client.execute("%%adql\nSELECT slow FROM sample.stars")
    name = service.wait_for_job()
    kernel.manager.interrupt_kernel()
    done = kernel.outputs(cell)
    assert done.message == "QueryAborted: The query was interrupted and its job aborted."
    assert service.jobs[name].phase == "ABORTED"
    assert kernel.run("print(1)").text == "1\n"


def test_matplotlib_is_inline_without_being_asked(kernel: Lab) -> None:
    done = kernel.run("import despejado, numpy\ndespejado.show(numpy.arange(12.).reshape(3, 4))")
    assert done.status == "ok", done.error
    assert done.result == {}
    assert [sorted(each) for each in done.data] == [["image/png", "text/plain"]]


def test_kernel_starts_in_an_environment_that_cannot_load_the_client(tmp_path: Path) -> None:
    (tmp_path / "despejado.py").write_text("raise RuntimeError('broken')")
    kernel = Lab(tmp_path)
    try:
        assert kernel.run("print(6 * 7)").text == "42\n"
    finally:
        kernel.close()


def test_notebook_runs_without_a_front_end(lab: Path, tmp_path: Path) -> None:
    """nbclient, as reports are made: the fallback text is in the document."""
    import nbformat
    from nbclient import NotebookClient

    cells = ["%load_ext despejado", "%%adql -o t --async\nSELECT * FROM sample.stars"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute(cwd=str(tmp_path))
    text = json.dumps(notebook.cells[1].outputs)
    assert "ADQL query completed after" in text
    assert "Alcyone" in text
