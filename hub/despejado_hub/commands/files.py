"""Which platform file a command means. Imports nothing heavy: the supervisor's command uses it."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "platforms"
PREFIX = "despejado:"


def platform_file(option: str | None, *, here: bool = True) -> Path:
    """The file of ``-f``; without it ``platform.yaml`` if it is ``here``, else the demo."""
    if option is None:
        local = Path("platform.yaml")
        return local if here and local.is_file() else FOLDER / "demo.yaml"
    if option.startswith(PREFIX):
        return FOLDER / f"{Path(option.removeprefix(PREFIX)).name}.yaml"
    return Path(option)
