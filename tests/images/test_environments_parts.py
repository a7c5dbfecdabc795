"""The pieces behind environments: sizes, shared bytecode, words for errors, locks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from despejado_images.environments import locks
from despejado_images.environments.builder import reason_of
from despejado_images.environments.contents import measure, processes_in, share_bytecode
from despejado_images.environments.meter import InstallMeter
from despejado_images.environments.own_wheels import OwnWheel
from despejado_images.environments.uv import DISK_FULL, NO_NETWORK, explain_uv
from despejado_images.files import write_text

from tests.hidden_proc import HIDDEN_PROC


def test_shared_files_count_once_and_are_not_added(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    (one / "a").write_bytes(b"x" * 40960)
    os.link(one / "a", two / "a")
    os.link(two / "a", two / "again")
    (two / "b").write_bytes(b"x" * 8192)
    size = measure(two, [one])
    assert size.total == 40960 + 8192
    assert size.added == 8192


def test_bytecode_is_shared_only_for_one_and_the_same_file(tmp_path: Path) -> None:
    donor, site = tmp_path / "donor", tmp_path / "site"
    for folder in (donor / "p" / "__pycache__", site / "p"):
        folder.mkdir(parents=True)
    tag = sys.implementation.cache_tag
    assert tag is not None
    for name in ("same", "other"):
        (donor / "p" / f"{name}.py").write_text("A = 1\n")
        (donor / "p" / "__pycache__" / f"{name}.{tag}.pyc").write_bytes(b"bytecode")
    os.link(donor / "p" / "same.py", site / "p" / "same.py")
    shutil.copy2(donor / "p" / "other.py", site / "p" / "other.py")
    assert share_bytecode(site, [donor], tag) == 1
    assert [path.name for path in (site / "p" / "__pycache__").iterdir()] == [f"same.{tag}.pyc"]


def test_processes_are_found_by_where_they_were_started(tmp_path: Path) -> None:
    assert processes_in(tmp_path) == []


WITHOUT_PROC = """
import subprocess, sys
from pathlib import Path

import psutil

from despejado_images.environments.contents import processes_in
from despejado_images.environments.records import process_lives

folder = Path(sys.argv[1])
waits = "import signal; print(flush=True); signal.pause()"
lab = subprocess.Popen(
    [sys.executable, "-c", waits, f"{folder}/bin/python"], stdout=subprocess.PIPE
)
lab.stdout.readline()
assert process_lives(lab.pid)
assert processes_in(folder) == [lab.pid]
lab.kill()
lab.stdout.read()  # ends with the process, which nobody has collected yet
while psutil.Process(lab.pid).status() != psutil.STATUS_ZOMBIE:
    pass
assert not process_lives(lab.pid)
assert processes_in(folder) == []
lab.wait()
assert not process_lives(lab.pid)
"""


def test_an_environment_in_use_is_seen_where_there_is_no_proc(tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    subprocess.run(
        [sys.executable, "-c", HIDDEN_PROC + WITHOUT_PROC, folder], check=True, timeout=60
    )


# Words


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["error: Failed to fetch: `x`", "  cause: dns error"], NO_NETWORK),
        (["  cause: client error (Connect)", "  cause: Connection refused (os error 111)"],
         NO_NETWORK),
        (["hint: Packages were unavailable because the network was disabled."], NO_NETWORK),
        (["error: failed to write", "  cause: No space left on device (os error 28)"], DISK_FULL),
        (["error: No solution found when resolving dependencies",
          "  cause: Because a depends on b", "         and c, we conclude."],
         "No set of packages fits together: Because a depends on b and c, we conclude."),
        (["error: Failed to fetch", "  cause: HTTP status server error (503 Service Unavailable)"],
         "The package index refused: HTTP 503 Service Unavailable. Try again later."),
        (["Because nosuch was not found in the package registry and you require nosuch",
          "No solution found"], "The package index has no nosuch."),
        (["something", "error: odd"], "error: odd"),
    ],
)  # fmt: skip
def test_uv_errors_in_plain_words(lines: list[str], reason: str) -> None:
    assert explain_uv(lines) == reason


def test_system_errors_in_plain_words() -> None:
    assert reason_of(OSError(28, "No space left on device", "/x")) == DISK_FULL
    assert reason_of(PermissionError(13, "Permission denied", "/x")) == "Permission denied: /x"


def test_downloads_are_counted_in_megabytes_and_never_go_back() -> None:
    meter = InstallMeter(packages=3)
    seen = []
    for line in (
        "Downloading numpy (16.0MiB)",
        " Downloaded numpy",
        "Downloading pyarrow (48.0MiB)",
        " Downloaded pyarrow",
        "Prepared 3 packages in 2s",
    ):
        assert meter.feed(line)
        seen.append((meter.message, meter.fraction))
    assert [message for message, _ in seen] == [
        "Downloading: 0 of 16 MB",
        "Downloading: 16 of 16 MB",
        "Downloading: 16 of 64 MB",
        "Downloading: 64 of 64 MB",
        "Installing 3 packages",
    ]
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)


# Locks


def wheel(*requires: str) -> OwnWheel:
    return OwnWheel("despejado", "1", Path("x.whl"), "sha256:0", requires)


@pytest.mark.parametrize(
    ("requires", "missing"),
    [
        (("numpy>=2",), []),
        (("numpy>=3",), ["numpy>=3"]),
        (("scipy",), ["scipy"]),
        (('scipy; extra == "notebook"',), ['scipy; extra == "notebook"']),
        (('scipy; extra == "butler"',), []),
        (('scipy; python_version < "3.0"',), []),
        (("despejado-lab",), []),
        (("old; python_version < '3.12'",), ['old; python_version < "3.12"']),
    ],
)
def test_a_lock_that_lacks_what_ours_needs_is_noticed(
    requires: tuple[str, ...], missing: list[str]
) -> None:
    text = (
        "numpy==2.4.6 \\\n    --hash=sha256:00\n"
        "old==1.0 ; python_full_version >= '3.12' \\\n    --hash=sha256:00\n"
    )
    found = locks.unsatisfied(
        text, [], [(wheel(*requires), ("notebook",))], locks.markers("3.11.2")
    )
    assert found == missing


@pytest.mark.parametrize("name", ["ui", "plain"])
def test_shipped_locks_have_hashes_and_no_addresses(name: str) -> None:
    text = locks.shipped(name).read_text()
    assert text.count("==") > 30
    assert all(block.count("--hash=sha256:") for block in text.split("\n\n") if "==" in block)
    assert "://" not in text
    assert "@" not in text


def test_the_server_environment_has_neither_kernel_nor_slow_imports() -> None:
    pins = locks.pins(locks.shipped("ui").read_text(), locks.markers("3.12.1"))
    assert "jupyterlab" in pins
    assert not {"ipykernel", "rfc3987-syntax", "debugpy"} & set(pins)


def test_a_record_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "current"
    write_text(path, "old")
    stream = path.open()
    write_text(path, "new")
    assert (stream.read(), path.read_text()) == ("old", "new")
    stream.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["current"]
