"""Result formats of other packages: an entry point is all that they need."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from despejado_services.formats.choice import FormatError, FormatTable
from despejado_services.formats.table import BINARY2, FORMATS, GROUP

from tests.services.conftest import Starter, Wait

QUERY = "SELECT TOP 3 hip, constellation FROM sample.stars WHERE hip > 0 ORDER BY hip"
MODULE = """
import json

from despejado_services.formats import Format

LINES = Format("application/jsonl", ("jsonl",), "jsonl", "sky_lines:write", ("text/jsonl",))
CSV = Format("application/x-our-csv", ("csv",), "csv", "sky_lines:write")
UNWRITTEN = Format("application/x-unwritten", ("unwritten",), "x", "sky_lines:absent")
NUMBER = 7


def write(stream, query):
    for batch in stream.batches:
        yield "".join(json.dumps(row) + "\\n" for row in batch.to_pylist()).encode()
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder for ``sys.path`` with an installed distribution, as pip leaves it."""
    folder = tmp_path / "site"
    info = folder / "sky_lines-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sky-lines\nVersion: 1.0\n")
    (folder / "sky_lines.py").write_text(MODULE)
    (folder / "sky_broken.py").write_text("raise RuntimeError('no luck today')\n")
    return folder


def offer(package: Path, **points: str) -> None:
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    file = package / "sky_lines-1.0.dist-info" / "entry_points.txt"
    file.write_text(f"[{GROUP}]\n{lines}")


def sync(client: httpx.Client, form: str) -> httpx.Response:
    return client.get("/sync", params={"QUERY": QUERY, "RESPONSEFORMAT": form})


def aliases(client: httpx.Client) -> list[str | None]:
    document = ET.fromstring(client.get("/capabilities").content)
    return [alias.text for alias in document.iterfind(".//outputFormat/alias")]


def test_a_format_from_outside_is_offered_and_written(
    start: Starter, ended: Wait, package: Path
) -> None:
    offer(package, jsonl="sky_lines:LINES")
    service = start(env={"PYTHONPATH": str(package)})
    with service.client() as client:
        assert aliases(client)[-1] == "jsonl"
        answer = sync(client, "text/jsonl")
        assert answer.headers["content-type"] == "application/jsonl"
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert len(rows) == 3
        assert set(rows[0]) == {"hip", "constellation"}
        data = {"QUERY": QUERY, "RESPONSEFORMAT": "jsonl", "PHASE": "RUN"}
        job = client.post("/async", data=data).headers["location"]
        assert ended(client, job) == "COMPLETED"
        result = client.get(f"{job}/results/result")
        assert result.text == answer.text
        assert result.headers["content-type"] == "application/jsonl"
        assert result.headers["content-disposition"].endswith('.jsonl"')
    # a result stays when the package that wrote it is gone
    service.terminate()
    with start().client() as client:
        path = job[job.index("/async") :]
        kept = client.get(f"{path}/results/result")
        assert kept.text == answer.text
        assert sync(client, "jsonl").status_code == 400


def test_the_service_starts_without_what_cannot_be_offered(start: Starter, package: Path) -> None:
    offer(
        package,
        a="sky_lines:NUMBER",
        b="sky_broken:LINES",
        c="sky_absent:LINES",
        d="sky_lines:CSV",
        e="sky_lines:LINES",
        f="sky_lines:LINES",
        g="sky_lines:UNWRITTEN",
    )
    service = start(env={"PYTHONPATH": str(package)})
    with service.client() as client:
        assert aliases(client)[-2:] == ["jsonl", "unwritten"]
        assert sync(client, "csv").text.startswith('"hip","constellation"')
        assert sync(client, "jsonl").status_code == 200
        unwritten = sync(client, "unwritten")
        assert unwritten.status_code == 500
        assert "application/x-unwritten" in unwritten.text
    left_out = [line for line in service.first_lines.splitlines() if "is left out" in line]
    assert len(left_out) == 5
    for point, reason in {
        "'a'": "it is int, not a Format",
        "'b'": "RuntimeError: no luck today",
        "'c'": "No module named 'sky_absent'",
        "'d'": "its name 'csv' is already that of text/csv;header=present",
        "'f'": "already that of application/jsonl (sky_lines:write)",
    }.items():
        (line,) = (line for line in left_out if point in line and "sky-lines" in line)
        assert reason in line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"content_type": "jsonl"}, "media type"),
        ({"content_type": "a/b\r\nSet-Cookie: x"}, "media type"),
        ({"media_types": ("text/",)}, "media type"),
        ({"aliases": ("JSON lines",)}, "alias"),
        ({"extension": "../x"}, "extension"),
    ],
)
def test_names_that_would_break_a_header_or_a_file_name_are_refused(
    change: dict[str, Any], message: str
) -> None:
    from dataclasses import replace

    with pytest.raises(FormatError, match=message):
        replace(BINARY2, **change)


def test_every_format_of_ours_has_its_writer() -> None:
    for form in FormatTable(FORMATS):
        assert callable(pkgutil.resolve_name(form.writer))


def test_listing_formats_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from despejado_services.config import Limits\n"
        "from despejado_services.formats.table import installed_formats\n"
        "from despejado_services.vosi.capabilities import Language, capabilities_document\n"
        "capabilities_document('x', Limits(), Language((), ()), installed_formats())\n"
        "print([m for m in ('duckdb', 'pyarrow', 'numpy', 'sqlglot') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_the_readme_lists_the_formats() -> None:
    readme = (Path(__file__).parents[2] / "services" / "README.md").read_text()
    for form in FORMATS:
        names = ", ".join(f"`{alias}`" for alias in form.aliases)
        assert f"| {names} | `{form.content_type}` | `.{form.extension}` |" in readme
    assert f'"{GROUP}"' in readme
