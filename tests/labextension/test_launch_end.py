"""What a lab that cannot start leaves behind for the cluster and the hub."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from despejado_lab.launch_end import Ending, LaunchError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The termination log, as the kubelet makes it."""
    path = tmp_path / "termination-log"
    path.touch()
    return path


def fail(place: Path, error: BaseException) -> str:
    with pytest.raises(type(error)), Ending(place):
        raise error
    return place.read_text()


def test_the_last_line_is_the_reason_in_words(place: Path) -> None:
    error = PermissionError(13, "Permission denied", "/home/rachel/.local")
    said = fail(place, error).splitlines()
    assert said == ["The lab's server could not start: Permission denied: /home/rachel/.local"]


def test_a_failure_with_a_sentence_of_its_own_is_told_by_it(place: Path) -> None:
    assert fail(place, LaunchError("No port. Choose another.")) == "No port. Choose another."
    assert fail(place, SystemExit("Told on exit.")) == "Told on exit."


def test_a_server_that_only_logs_why_it_ends_is_told_by_its_last_error(place: Path) -> None:
    log = logging.getLogger("ServerApp of the test")
    log.propagate = False
    log.setLevel(logging.INFO)
    with pytest.raises(SystemExit), Ending(place):
        try:
            raise KeyError("JUPYTERHUB_SERVICE_URL")
        except KeyError:
            log.exception("Failed to load the extension")
        log.info("Shutting\n down")
        sys.exit(1)
    lines = place.read_text().splitlines()
    assert lines[-2] == "INFO ServerApp of the test: Shutting down"
    assert lines[-1] == (
        "The lab's server could not start: Failed to load the extension "
        "(KeyError: 'JUPYTERHUB_SERVICE_URL')"
    )


def test_an_exit_without_a_word_gives_its_code(place: Path) -> None:
    assert fail(place, SystemExit(3)).endswith("before it was ready (exit code 3).")


@pytest.mark.parametrize("error", [SystemExit(0), SystemExit(None), KeyboardInterrupt()])
def test_a_lab_that_is_stopped_says_nothing(place: Path, error: BaseException) -> None:
    assert fail(place, error) == ""


def test_after_the_start_nothing_is_kept_and_nothing_said(place: Path) -> None:
    before = logging.getLogRecordFactory()
    with pytest.raises(SystemExit), Ending(place) as ending:
        assert logging.getLogRecordFactory() is not before
        ending.started()
        assert logging.getLogRecordFactory() is before
        sys.exit(1)
    assert place.read_text() == ""


def test_much_is_cut_at_the_beginning(place: Path) -> None:
    with pytest.raises(SystemExit), Ending(place):
        for number in range(100):
            logging.getLogger("test").error("number %i %s", number, "ä" * 300)
        sys.exit("The end.")
    content = place.read_bytes()
    assert len(content) <= 4096
    assert content.endswith(b"The end.")


def test_where_there_is_no_pod_no_file_is_made(tmp_path: Path) -> None:
    with pytest.raises(LaunchError), Ending(tmp_path / "none"):
        raise LaunchError("No port.")
    assert list(tmp_path.iterdir()) == []
