"""The beginning of a script that runs as if on a system without procfs."""

from __future__ import annotations

HIDDEN_PROC = """
import sys


def hide(event, arguments):
    # for everybody but psutil, which has other ways on other systems, there is no /proc
    if event in ("open", "os.listdir", "os.scandir") and str(arguments[0]).startswith("/proc"):
        frame = sys._getframe(1)
        while frame is not None:
            if "psutil" in frame.f_code.co_filename:
                return
            frame = frame.f_back
        raise FileNotFoundError(arguments[0])


sys.addaudithook(hide)
"""
