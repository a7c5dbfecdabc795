"""``extends:``: a platform file that says only how it differs from another.

Rules: mappings merge key by key; lists and scalars replace; ``null`` over a key of the extended
file takes that key away, so that its default holds. Paths are relative to the file they stand in.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from .errors import PlatformError, Problem
from .source import Mapping, Node, Scalar, find_place, read_source

SHIPPED = "despejado:"
"""``extends: despejado:demo`` names a platform that comes with the package."""


def shipped_platforms() -> dict[str, Path]:
    """Platform files in the package, by name."""
    folder = Path(str(resources.files("despejado_hub"))) / "platforms"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def merge(base: Node, over: Node) -> Node:
    """``over`` on top of ``base``; positions stay those of the file a value stands in."""
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    entries, keys = dict(base.entries), dict(base.keys)
    for key, value in over.entries.items():
        if key in entries and isinstance(value, Scalar) and value.value is None:
            del entries[key], keys[key]
            continue
        entries[key] = merge(entries[key], value) if key in entries else value
        keys[key] = over.keys[key]
    return Mapping(entries, keys, over.place)


def read_tree(file: Path) -> tuple[Mapping, tuple[Path, ...]]:
    """The merged tree of a file and what it extends, and the files it came from (base first).

    Raises PlatformError for files that are missing, unreadable, no YAML, or extend in a circle.
    """
    return _read(file, ())


def _read(file: Path, above: tuple[Path, ...]) -> tuple[Mapping, tuple[Path, ...]]:
    tree = read_source(file, _text(file))
    extends = tree.entries.get("extends")
    if extends is None:
        return tree, (file,)
    place = extends.place
    if not isinstance(extends, Scalar) or not isinstance(extends.value, str):
        problem = Problem(
            "extends",
            "names one other platform file",
            allowed=f"a path relative to this file, or {SHIPPED}NAME",
            place=place,
        )
        raise PlatformError(file, [problem])
    base_file = _base_file(file, extends)
    chain = (*above, file)
    if base_file.resolve() in {link.resolve() for link in chain}:
        problem = Problem(
            "extends",
            "the files extend each other in a circle: "
            + " -> ".join(str(link) for link in (*chain, base_file)),
            value=repr(str(extends.value)),
            advice="let one of them stand alone",
            place=place,
        )
        raise PlatformError(file, [problem])
    if not base_file.is_file():
        problem = Problem(
            "extends",
            f"there is no file {base_file}",
            value=repr(str(extends.value)),
            allowed=f"a path relative to {file.parent}, or {SHIPPED}NAME",
            place=find_place(tree, ("extends",), of_key=False),
        )
        raise PlatformError(file, [problem])
    base, files = _read(base_file, chain)
    own = Mapping(
        {key: value for key, value in tree.entries.items() if key != "extends"},
        {key: value for key, value in tree.keys.items() if key != "extends"},
        tree.place,
    )
    merged = merge(base, own)
    if not isinstance(merged, Mapping):  # both sides are mappings by construction
        raise TypeError(type(merged).__name__)
    return merged, (*files, file)


def _base_file(file: Path, extends: Scalar) -> Path:
    name = str(extends.value)
    if not name.startswith(SHIPPED):
        return file.parent / Path(name).expanduser()
    shipped = shipped_platforms()
    wanted = name.removeprefix(SHIPPED)
    if wanted not in shipped:
        problem = Problem(
            "extends",
            "no platform of this name comes with the package",
            value=repr(name),
            allowed=", ".join(SHIPPED + known for known in shipped),
            place=extends.place,
        )
        raise PlatformError(file, [problem])
    return shipped[wanted]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        problem = Problem("", "there is no such file", advice="name it with -f FILE")
    except UnicodeDecodeError as error:
        problem = Problem("", f"not UTF-8 text (byte {error.start})", advice="save it as UTF-8")
    except OSError as error:
        problem = Problem("", f"cannot be read: {error.strerror}", advice="check path and mode")
    raise PlatformError(file, [problem])
