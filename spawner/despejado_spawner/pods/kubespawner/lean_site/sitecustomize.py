"""Makes ``jupyterhub-singleuser`` of any image start in half the time. Runs inside the lab.

Python imports a module of this name at its start. In the single-user server two things are left
out that it never uses: ``rfc3987_syntax``, which builds a grammar at import that jsonschema needs
only to check ``iri`` formats, and the hub's own handlers and database behind two names that the
server takes from them. In any other process, and wherever something is not as expected, nothing
happens. Works with every Python that JupyterHub 2 and later run on.
"""

import os
import sys

SERVER = "jupyterhub-singleuser"
SLOW = ("rfc3987", "rfc3987_syntax")
STAND_INS = {
    "sqlalchemy": (),
    "sqlalchemy.exc": ("SQLAlchemyError",),
    "jupyterhub.orm": (),
    "jupyterhub.roles": (),
    "jupyterhub.handlers": (),
    "jupyterhub.handlers.pages": ("HealthCheckHandler",),
}
"""Modules, and the names that the server needs of each: classes to compare with, never used."""
CHECKED = ("5.5", "6.0", "6.1")
"""JupyterHub series with which leaving out the hub's modules was tried."""


def leave_environment(here):
    """Other processes of the lab, kernels say, start without this."""
    kept = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    kept = [each for each in kept if os.path.abspath(each) != here]
    if kept:
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)
    else:
        os.environ.pop("PYTHONPATH", None)
    sys.path[:] = [each for each in sys.path if os.path.abspath(each) != here]


def next_sitecustomize():
    """The image may have one of its own, which this one has hidden."""
    del sys.modules["sitecustomize"]
    try:
        import sitecustomize  # noqa: F401
    except ImportError:
        pass


def is_server():
    """Whether this process is the single-user server."""
    arguments = getattr(sys, "argv", None) or sys.orig_argv[1:]
    return any(os.path.basename(each) == SERVER for each in arguments[:1])


def quicken():
    """Leave out what the server never uses, while it is imported."""
    import importlib
    import importlib.abc
    import importlib.util
    import types

    for name in SLOW:
        sys.modules.setdefault(name, None)

    class Deferred(types.ModuleType):
        __path__ = []

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            return getattr(importlib.import_module(self.__name__), name)

    def place():
        placed = {}
        for name, classes in STAND_INS.items():
            if name in sys.modules:
                continue
            module = placed[name] = sys.modules[name] = Deferred(name)
            for each in classes:
                setattr(module, each, type(each, (Exception,), {}))
            package, _, attribute = name.rpartition(".")
            if package in sys.modules:
                setattr(sys.modules[package], attribute, module)
        return placed

    def remove(placed):
        for name, module in placed.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
            package, _, attribute = name.rpartition(".")
            parent = sys.modules.get(package)
            if parent is not None and vars(parent).get(attribute) is module:
                delattr(parent, attribute)

    class Around(importlib.abc.MetaPathFinder):
        """Has the stand-ins in place while ``jupyterhub.singleuser`` is imported."""

        def find_spec(self, name, path, target=None):
            if name != "jupyterhub.singleuser":
                return None
            sys.meta_path.remove(self)
            spec = importlib.util.find_spec(name)
            version = ".".join(sys.modules["jupyterhub"].__version__.split(".")[:2])
            if spec is None or version not in CHECKED:
                return spec
            execute = spec.loader.exec_module

            def exec_module(module):
                placed = place()
                try:
                    execute(module)
                finally:
                    remove(placed)

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Around())


leave_environment(os.path.dirname(os.path.abspath(__file__)))
next_sitecustomize()
if is_server():
    quicken()
