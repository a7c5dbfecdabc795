"""The launcher's own small parts; a whole start is in test_local_spawner."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

import pytest
from despejado_lab.launch import (
    READY_VARIABLE,
    lab_config,
    say_ready,
    stop_from_the_loop,
    take_ready_descriptor,
)


def test_a_lab_shows_hidden_files_asks_for_no_updates_and_has_one_kernel() -> None:
    config = lab_config({"HOME": "/home/rachel", "JUPYTER_PATH": "/run/jupyter"})
    assert config["ServerApp"]["root_dir"] == "/home/rachel"
    assert config["ContentsManager"]["allow_hidden"] is True
    assert config["LabApp"]["news_url"] is None
    assert config["LabApp"]["check_for_updates_class"] == "jupyterlab.NeverCheckForUpdate"
    assert config["KernelSpecManager"]["allowed_kernelspecs"] == {"python3"}


def test_an_emergency_home_is_the_root_of_the_files() -> None:
    config = lab_config({"HOME": "/home/rachel", "JUPYTERHUB_ROOT_DIR": "/emergency"})
    assert config["ServerApp"]["root_dir"] == "/emergency"


def test_debug_is_a_detailed_log() -> None:
    assert lab_config({"DEBUG": "TRUE"})["ServerApp"]["log_level"] == "DEBUG"
    assert lab_config({})["ServerApp"]["log_level"] == "INFO"


def test_ready_is_said_once_and_not_inherited() -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    environment = {READY_VARIABLE: str(writing)}
    descriptor = take_ready_descriptor(environment)
    assert environment == {} and descriptor == writing
    assert not os.get_inheritable(writing)
    say_ready(descriptor)
    assert os.read(reading, 100) == b"ready\n"
    assert os.read(reading, 100) == b""
    os.close(reading)


@pytest.mark.parametrize("text", ["", "x", "-1", "99999"])
def test_a_lab_that_nobody_waits_for_starts_all_the_same(text: str) -> None:
    assert take_ready_descriptor({READY_VARIABLE: text}) is None
    say_ready(None)


def test_a_hub_that_went_away_does_not_end_the_lab() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    say_ready(writing)


class Server:
    """As much of a server as can be stopped."""

    log = logging.getLogger("test")

    def __init__(self) -> None:
        self.stopped = asyncio.Event()

    def stop(self) -> None:
        self.stopped.set()


async def test_a_signal_stops_the_server_after_what_it_is_doing() -> None:
    server = Server()
    stop_from_the_loop(server)
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        assert not server.stopped.is_set()
        await asyncio.wait_for(server.stopped.wait(), timeout=30)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
