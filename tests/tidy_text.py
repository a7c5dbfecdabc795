"""A hook for commits: no blanks at line ends, one line end at the end of a file, no conflict left.

``python -m tests.tidy_text FILE...`` mends the files and says which; the status is 1 if it did.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_MARKERS = re.compile(r"^(<{7} |>{7} )", re.MULTILINE)


def tidied(text: str) -> str:
    """The text as it should be."""
    text = re.sub(r"[ \t]+$", "", text.replace("\r\n", "\n"), flags=re.MULTILINE).rstrip("\n")
    return text + "\n" if text else ""


def main(names: list[str]) -> int:
    """0 if every file was tidy, else 1."""
    status = 0
    for path in map(Path, names):
        with path.open(newline="") as file:
            before = file.read()
        after = tidied(before)
        if after != before:
            path.write_text(after, newline="")
            print(f"mended {path}")
            status = 1
        if _MARKERS.search(after):
            print(f"{path} has marks of a merge conflict")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
