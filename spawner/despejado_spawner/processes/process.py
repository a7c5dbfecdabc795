"""A lab as a process: everything that is written and executed, from the plan alone (pure)."""

from __future__ import annotations

from despejado_spawner.lab_files import lab_files
from despejado_spawner.models import LabPlan, LabProcess
from despejado_spawner.variables import lab_variables


def build_process(plan: LabPlan) -> LabProcess:
    """The process of a lab: command, variables, files, and as whom.

    Nothing is read or written. A secret whose name is no plain file name raises ``ValueError``.
    """
    variables = lab_variables(plan)
    return LabProcess(
        argv=server_command(plan),
        environment=variables,
        files=tuple(lab_files(plan, variables)),
        cwd=plan.home,
        uid=plan.identity.uid,
        gid=plan.identity.gid,
        groups=plan.identity.supplemental_gids,
    )


def server_command(plan: LabPlan) -> tuple[str, ...]:
    """The lean server of the ui environment.

    ``-I`` keeps the user's own ``PYTHON*`` variables and ``~/.local`` packages out of the
    server: they may break a kernel, never the server.
    """
    python = plan.server_prefix / "bin" / "python"
    return (str(python), "-I", "-m", "despejado_lab.launch", *plan.extra_args)
