"""What other users of the machine, and programs that a lab left, cannot do to the platform."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from despejado_images.environments.layout import Layout
from despejado_images.environments.locking import builder_lock
from despejado_images.environments.records import lock_is_held
from despejado_images.environments.uv import links_possible
from despejado_spawner.errors import SpawnerError
from despejado_spawner.history import StartHistory
from despejado_spawner.models import LabFile
from despejado_spawner.processes.files import make_lab_folder, remove_runtime, write_runtime
from despejado_spawner.processes.records import LabRecord, write_record


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_swapped_for_a_link_while_a_runtime_is_removed_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_lab_folder(tmp_path / "labs", "ada", "default")
    inner = folder / "runtime" / "inner"
    inner.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.mkdir()
    victim.chmod(0o711)
    real = os.scandir

    def scandir(where: Any) -> Any:
        found = real(where)
        name = f"/proc/self/fd/{where}" if isinstance(where, int) else where
        here = Path(os.path.realpath(name))
        if here.name == "inner" and not (tmp_path / "elsewhere").exists():
            here.rename(tmp_path / "elsewhere")
            here.symlink_to(victim)
        return found

    monkeypatch.setattr(os, "scandir", scandir)
    remove_runtime(folder / "runtime")
    assert (tmp_path / "elsewhere").exists()
    assert mode(victim) == 0o711
    assert not (folder / "runtime").exists()


def test_nobody_else_can_take_the_lock_of_a_build(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make()
    path = layout.lock("w_2026_43")
    path.touch()
    path.chmod(0o644)  # as an earlier version made it
    with builder_lock(layout, "w_2026_43", lambda _: None):
        assert mode(path) == 0o600
        assert lock_is_held(path)


def test_a_lock_that_may_not_be_looked_at_counts_as_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)
    assert lock_is_held(tmp_path / "w_2026_43.lock")


def test_a_package_cache_of_somebody_else_is_not_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    assert links_possible(cache, tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: cache.stat().st_uid + 1)
    assert not links_possible(cache, tmp_path)


def test_a_history_that_cannot_be_written_leaves_nothing_and_ends_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    history = StartHistory(tmp_path / "starts.json")
    history.add(1.0)
    monkeypatch.setattr(Path, "replace", full)
    history.add(9.0)
    monkeypatch.setattr(tempfile, "mkstemp", full)
    history.add(9.0)
    assert history.expected() == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["starts.json"]


def test_a_full_disk_keeps_no_secrets_of_a_lab_that_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = make_lab_folder(tmp_path / "labs", "ada", "default")
    for name in ("runtime", ".old-0123"):  # a hub was killed while it removed the second
        (folder / name / "secrets").mkdir(parents=True)
    monkeypatch.setattr(os, "mkdir", full)
    remove_runtime(folder / "runtime")
    assert list(folder.iterdir()) == []


def test_a_full_disk_at_the_start_of_a_lab_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = make_lab_folder(tmp_path / "labs", "ada", "default")
    file = LabFile(folder / "runtime" / "passwd", "")
    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(SpawnerError, match=r"No space left on device.*administrator.*start again"):
        write_runtime(folder / "runtime", [file], os.getuid(), os.getgid())
    monkeypatch.setattr(tempfile, "mkstemp", full)
    record = LabRecord(1, "1", "boot", "id", "127.0.0.1", 1, "sha256:0", "plain", 1)
    with pytest.raises(SpawnerError, match=r"No space left on device.*administrator.*start again"):
        write_record(folder, record)
    assert list(folder.iterdir()) == []
