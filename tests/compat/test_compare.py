"""The comparison of two runs of a suite, and the run of a small suite with a class swapped."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.compat.compare import Outcome, compare, stale, table
from tests.compat.run import main

PASSED, FAILED, SKIPPED = Outcome("passed"), Outcome("failed", "assert 1 == 2"), Outcome("skipped")


def test_what_passes_for_stock_only_is_a_regression_unless_it_is_listed() -> None:
    stock = dict.fromkeys(["t.py::a", "t.py::b", "t.py::c[x]", "t.py::d", "t.py::e"], PASSED)
    ours = {"t.py::a": PASSED, "t.py::b": FAILED, "t.py::c[x]": FAILED, "t.py::d": SKIPPED}
    rows = compare(stock, ours, {"t.py::c[[]x]": "never", "t.py::c[x]": "meant"})
    assert [(row.test[-1], row.kind, row.why) for row in rows] == [
        ("a", "same", ""),
        ("b", "regression", "assert 1 == 2"),
        ("]", "intended", "meant"),
        ("d", "regression", ""),
        ("e", "regression", ""),
    ]


def test_what_fails_for_stock_is_no_regression() -> None:
    rows = compare(
        {"a": FAILED, "b": FAILED, "c": SKIPPED}, {"a": PASSED, "b": FAILED, "c": FAILED}, {}
    )
    assert [row.kind for row in rows] == ["better", "same", "other"]


def test_a_listed_difference_that_is_none_is_stale() -> None:
    intended = {"t.py::a*": "meant", "t.py::b": "was meant", "t.py::c": "skipped", "t.py::d": "?"}
    stock = {"t.py::a1": PASSED, "t.py::b": PASSED, "t.py::c": SKIPPED}
    rows = compare(stock, {**stock, "t.py::a1": FAILED}, intended)
    assert stale(rows, intended) == ("t.py::b",)


def test_the_table_counts_by_file_and_names_what_differs() -> None:
    rows = compare(
        {"t.py::a": PASSED, "u.py::b": PASSED}, {"t.py::a": FAILED, "u.py::b": PASSED}, {}
    )
    lines = [" ".join(line.split()) for line in table(rows).splitlines()]
    assert lines == [
        "file stock ours",
        "t.py 1 passed 1 failed",
        "u.py 1 passed 1 passed",
        "all 2 passed 1 passed, 1 failed",
        "regression: t.py::a: passed -> failed: assert 1 == 2",
    ]


SUITE = """
import pytest
from kubespawner import KubeSpawner

def test_same():
    assert KubeSpawner.pod_name_template.default_value == "jupyter-{user_server}"

def test_stock_only():
    assert KubeSpawner.__name__ == "KubeSpawner"

@pytest.fixture
def broken():
    raise RuntimeError("never there")

def test_broken(broken):
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_small.py").write_text(SUITE)
    return tmp_path


def run(suite: Path, *arguments: str) -> int:
    return main([str(suite), "--python", sys.executable, *arguments])


def test_a_difference_that_is_not_listed_fails_the_run(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(suite) == 1
    said = capsys.readouterr().out
    assert "regression: tests/test_small.py::test_stock_only: passed -> failed" in said
    assert "LabSpawner" in said
    assert "1 passed, 1 failed, 1 error" in said


def test_a_listed_difference_does_not(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "differences.yaml"
    listed.write_text('"tests/test_small.py::test_stock_only": it has another name\n')
    assert run(suite, "--differences", str(listed)) == 0
    assert "intended:" in capsys.readouterr().out


def test_a_folder_without_tests_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 2
    assert "has no test_*.py" in capsys.readouterr().err


def test_a_suite_that_cannot_be_read_is_no_success(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (suite / "tests" / "test_small.py").write_text("import nothing_of_that_name\n")
    assert run(suite) == 2
    assert "nothing_of_that_name" in capsys.readouterr().err
