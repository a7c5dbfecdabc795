"""The lean import of JupyterHub's single-user server, and its way back to the ordinary one."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from typing import Any

import pytest
from despejado_lab import launch_imports
from despejado_lab.launch_imports import CHECKED_SERIES, series
from despejado_spawner.pods.kubespawner.lean import quick_source
from jupyterhub import __version__ as hub_version

HEAVY = ("sqlalchemy", "alembic", "jupyterhub.orm", "jupyterhub.handlers.base", "jupyterhub.app")

PROGRAM = """
import json, sys
from despejado_lab.launch_imports import lean_imports
with lean_imports({version!r}) as lean:
    from jupyterhub.singleuser.extension import JupyterHubSingleUser
left = [name for name, module in sys.modules.items()
        if module is None or type(module).__name__ == "Deferred"]
{after}
print(json.dumps({{"lean": lean, "modules": sorted(sys.modules), "left": left, "result": result}}))
"""


def run(after: str = "result = None", version: str = hub_version) -> dict[str, Any]:
    program = PROGRAM.format(version=version, after=after)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_this_jupyterhub_is_one_that_the_stand_ins_were_checked_with() -> None:
    assert series(hub_version) in CHECKED_SERIES


def test_the_hub_is_not_imported_and_no_stand_in_stays() -> None:
    answer = run()
    assert answer["lean"] is True
    assert [name for name in HEAVY if name in answer["modules"]] == []
    assert "rfc3987_syntax" not in answer["modules"]
    assert answer["left"] == []


def test_another_jupyterhub_is_imported_in_the_ordinary_way() -> None:
    answer = run(version="7.0.0")
    assert answer["lean"] is False
    assert "jupyterhub.orm" in answer["modules"]


def test_later_imports_get_the_real_modules() -> None:
    answer = run(
        "import sqlalchemy, jupyterhub.orm, jupyterhub.handlers.pages as pages\n"
        "import jupyterhub.scopes as scopes\n"
        "result = [sqlalchemy.__version__, jupyterhub.orm.User.__tablename__,"
        " pages.HealthCheckHandler.__name__, scopes.orm.User is jupyterhub.orm.User,"
        " scopes.sa.inspect is sqlalchemy.inspect]"
    )
    assert answer["result"][1:] == ["users", "HealthCheckHandler", True, True]
    assert answer["result"][0][0].isdigit()


SCOPE_CASES = (
    "cases = [({'access:servers!user=a'}, {'access:servers!user=a'}),"
    " ({'access:servers!user=a'}, {'access:servers!user=b'}),"
    " ({'access:servers!server=a/'}, {'access:servers!user=a'}),"
    " ({'access:servers!server=a/x'}, {'access:servers!server=a/'}),"
    " ({'access:servers!user=a'}, {'access:servers'}),"
    " ({'access:servers!user=a'}, set()),"
    " ({'access:servers!user=a'}, {'access:servers!group=g'})]\n"
    "from jupyterhub.services.auth import check_scopes\n"
    "result = [sorted(check_scopes(*case)) for case in cases]"
)


def test_scopes_are_checked_by_jupyterhub_itself_with_equal_answers() -> None:
    lean, ordinary = run(SCOPE_CASES), run(SCOPE_CASES, version="7.0.0")
    assert lean["result"] == ordinary["result"]
    assert lean["result"][0] == ["access:servers!user=a"] and lean["result"][1] == []
    assert "jupyterhub.orm" not in lean["modules"]


@pytest.mark.parametrize(
    ("version", "expected"), [("6.1.1", "6.1"), ("5.5.4", "5.5"), ("6.10.0.dev", "6.10")]
)
def test_a_series_is_the_first_two_numbers(version: str, expected: str) -> None:
    assert series(version) == expected


def test_images_that_know_nothing_of_this_project_leave_out_the_same() -> None:
    """``lean_site`` is one file for any Python, so it cannot import what it repeats."""
    theirs = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in ast.parse(quick_source()).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert theirs["CHECKED"] == CHECKED_SERIES
    assert theirs["SLOW"] == launch_imports._SLOW_AND_OPTIONAL
    assert set(theirs["STAND_INS"]) == {each.__name__ for each in launch_imports._stand_ins()}
