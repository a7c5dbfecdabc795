"""Cells run over the websocket, as JupyterLab runs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
from websocket import WebSocket, WebSocketConnectionClosedException, create_connection


@contextmanager
def channel(server: httpx.Client, path: str) -> Iterator[WebSocket]:
    """A websocket of the server that the client asks, with the client's token."""
    address = str(server.base_url).replace("http", "ws", 1)
    header = [f"Authorization: {server.headers['Authorization']}"]
    with closing(create_connection(f"{address}{path}", header=header, timeout=120)) as opened:
        yield opened


def run_cell(server: httpx.Client, kernel: str, code: str) -> str:
    """What a cell prints; it must not fail."""
    printed = ""
    with channel(server, f"api/kernels/{kernel}/channels") as cells:
        cells.send(json.dumps(execute_request(code)))
        while True:
            message = json.loads(cells.recv())
            if message["parent_header"].get("msg_id") != "1":
                continue
            assert message["msg_type"] != "error", message
            if message["msg_type"] == "stream":
                printed += message["content"]["text"]
            if message["content"].get("execution_state") == "idle":
                return printed


def kill_kernel(server: httpx.Client, kernel: str) -> None:
    """End a kernel as the system does; returns when the server has noticed it."""
    run_cell(server, kernel, "import os")
    with channel(server, f"api/kernels/{kernel}/channels") as cells:
        cells.send(json.dumps(execute_request("os.kill(os.getpid(), 9)")))
        while True:
            try:
                message = json.loads(cells.recv())
            except WebSocketConnectionClosedException:
                return
            if message["content"].get("execution_state") in ("restarting", "dead"):
                return


def execute_request(code: str) -> dict[str, Any]:
    """The message that runs a cell."""
    return {
        "channel": "shell",
        "header": {"msg_id": "1", "msg_type": "execute_request", "session": "s", "version": "5.3"},
        "parent_header": {},
        "metadata": {},
        "content": {"code": code, "silent": False, "stop_on_error": True},
    }
