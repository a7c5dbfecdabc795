"""Progress of a build from the lines that uv and compileall print. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from despejado_images.environments.models import BuildPhase

# The part of the whole that each phase is, measured on warm and cold caches: (from, to).
SPANS: dict[BuildPhase, tuple[float, float]] = {
    "waiting": (0.0, 0.0),
    "resolving": (0.0, 0.1),
    "downloading": (0.1, 0.45),
    "installing": (0.45, 0.55),
    "compiling": (0.55, 0.9),
    "checking": (0.9, 1.0),
    "ready": (1.0, 1.0),
}
_MIB = 1024 * 1024
_DOWNLOADING = re.compile(r"\s*Downloading (\S+) \(([\d.]+)([KMG])iB\)")
_DOWNLOADED = re.compile(r"\s*Downloaded (\S+)")
_PREPARED = re.compile(r"Prepared (\d+) packages?")
_UNITS = {"K": 1024, "M": _MIB, "G": 1024 * _MIB}


def overall(phase: BuildPhase, part: float) -> float:
    """Fraction of the whole build when a phase is at ``part`` (0 to 1)."""
    start, end = SPANS[phase]
    return round(start + (end - start) * min(max(part, 0.0), 1.0), 3)


@dataclass(slots=True)
class InstallMeter:
    """Follows ``uv pip sync``: large files are announced with their size, then everything lands.

    ``fraction`` never goes back, though uv announces more files while others arrive.
    """

    packages: int
    phase: BuildPhase = "downloading"
    message: str = "Downloading packages"
    fraction: float = SPANS["downloading"][0]
    _sizes: dict[str, int] = field(default_factory=dict)
    _arrived: set[str] = field(default_factory=set)

    def feed(self, line: str) -> bool:
        """Take one line of uv's; whether it said anything new."""
        if match := _DOWNLOADING.match(line):
            self._sizes[match[1]] = int(float(match[2]) * _UNITS[match[3]])
        elif match := _DOWNLOADED.match(line):
            self._arrived.add(match[1])
        elif _PREPARED.match(line):
            self.phase = "installing"
            self.message = f"Installing {self.packages} packages"
            self.fraction = overall("installing", 0.0)
            return True
        else:
            return False
        total = sum(self._sizes.values())
        done = sum(self._sizes.get(name, 0) for name in self._arrived)
        self.message = f"Downloading: {done // _MIB} of {total // _MIB} MB"
        self.fraction = max(self.fraction, overall("downloading", done / total if total else 0))
        return True


@dataclass(slots=True)
class CompileMeter:
    """Counts the files that compileall names."""

    files: int
    done: int = 0

    def feed(self, line: str) -> bool:
        """Take one line; whether a further hundred files are done."""
        if not line.startswith("Compiling "):
            return False
        self.done += 1
        return self.done % 100 == 0

    @property
    def fraction(self) -> float:
        """Fraction of the whole build."""
        return overall("compiling", self.done / self.files if self.files else 1.0)
