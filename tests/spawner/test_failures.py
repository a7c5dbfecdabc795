"""What the hub's pages show of an error, by the attributes that each JupyterHub looks at."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import jupyterhub.spawner
import pytest
from despejado_spawner.errors import HomeError, LabFailed, OptionsError, SpawnerError
from despejado_spawner.failures import spawn_failure
from despejado_spawner.reasons import REASONS

HUB_6 = hasattr(jupyterhub.spawner, "SpawnException")


def html_of(error: SpawnerError) -> str:
    failure: Any = spawn_failure(error)
    found: str = failure.message_html if HUB_6 else failure.jupyterhub_html_message
    return found


def test_a_failed_lab_shows_what_to_do_and_hides_the_rest_behind_details() -> None:
    error = LabFailed(
        "quota", "The quota <labs> is used up.", details=["22:01 Failed: a < b", "end"]
    )
    assert html_of(error) == (
        "The quota &lt;labs&gt; is used up. "
        f"<strong>{REASONS['quota'].advice}</strong>"
        "<details><summary>Details</summary><pre>22:01 Failed: a &lt; b\nend</pre></details>"
    )


def test_without_details_there_is_nothing_to_open() -> None:
    assert html_of(LabFailed("deleted", "Gone & away.", "")) == "Gone &amp; away."


def test_the_message_without_html_has_the_advice_too() -> None:
    failure: Any = spawn_failure(LabFailed("deleted", "The lab was deleted."))
    message = failure.message if HUB_6 else failure.jupyterhub_message
    assert message == f"The lab was deleted. {REASONS['deleted'].advice}"


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_has_its_code_and_status(reason: str) -> None:
    failure = spawn_failure(LabFailed(reason, "It did not start."))
    if HUB_6:  # JupyterHub 5 has no label for it in its metrics
        assert failure.reason == reason
    assert failure.status_code == REASONS[reason].status
    assert 400 <= failure.status_code < 600


def test_what_another_choice_helps_is_not_the_hub_s_trouble() -> None:
    """JupyterHub 5 ends itself after some failures from 500 on."""
    for reason in ("image_not_found", "quota", "out_of_memory", "crashed", "limit_range"):
        assert REASONS[reason].status < 500


def test_other_errors_keep_their_status() -> None:
    assert spawn_failure(OptionsError("image", "unknown")).status_code == 400
    assert spawn_failure(HomeError("not safe")).status_code == 500
    assert spawn_failure(SpawnerError("not known")).status_code == 500


def test_a_wrong_option_names_the_field_and_what_would_do() -> None:
    error = OptionsError("image", "There is no image 'x'.", ["a", "b"])
    assert str(error) == "image: There is no image 'x'. Allowed: a, b."
    assert (error.field, error.problem, error.allowed) == (
        "image",
        "There is no image 'x'.",
        ("a", "b"),
    )


def all_errors(kind: type[SpawnerError] = SpawnerError) -> set[type[SpawnerError]]:
    return {kind}.union(*map(all_errors, kind.__subclasses__()))


def test_every_error_has_a_reason_of_the_table() -> None:
    for module in ("pods.inquiry", "pods.spawner", "processes.spawner"):
        import_module(f"despejado_spawner.{module}")
    assert len(all_errors()) > 9
    assert {each.reason for each in all_errors()} <= set(REASONS)
