"""The environment variables of a lab (pure)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from despejado_spawner.models import LabPlan

THREAD_VARIABLES = (
    "CPU_COUNT",
    "GOTO_NUM_THREADS",
    "MKL_DOMAIN_NUM_THREADS",
    "MPI_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
_PROTECTED = ("ACCESS_TOKEN", "JPY_API_TOKEN")


def thread_count(cpu: float) -> int:
    """Threads for a CPU limit in cores: at least one, and one if the limit is no number."""
    return max(1, int(cpu)) if math.isfinite(cpu) else 1


def lab_variables(plan: LabPlan) -> dict[str, str]:
    """All variables of the lab's server: the platform's, the hub's, and what the image implies.

    Site variables (``plan.environment``) may replace ordinary ones, never those that this
    function decides or the hub owns.
    """
    decided = decided_variables(plan)
    threads = str(thread_count(plan.size.cpu))
    ordinary = {
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "PATH": f"{plan.kernel_python.parent}:/usr/local/bin:/usr/bin:/bin",
        **dict.fromkeys(THREAD_VARIABLES, threads),
    }
    site = {
        name: value
        for name, value in plan.environment.items()
        if not name.startswith("JUPYTERHUB_") and name not in _PROTECTED
    }
    return ordinary | dict(plan.hub_environment) | site | decided


def decided_variables(plan: LabPlan) -> dict[str, str]:
    """The variables that only the platform decides."""
    size, runtime = plan.size, str(plan.runtime)
    image = plan.kernel_python.parent.parent
    variables = {
        "HOME": str(plan.home),
        "USER": plan.identity.username,
        "LOGNAME": plan.identity.username,
        "DESPEJADO_RUNTIME_DIR": runtime,
        "NUBLADO_RUNTIME_MOUNTS_DIR": runtime,
        "NETRC": f"{runtime}/secrets/netrc",
        "JUPYTER_PATH": f"{runtime}/jupyter",
        "JUPYTER_CONFIG_PATH": f"{runtime}/jupyter-config",
        # Widgets have a half in the browser, of the version that the kernel's half is made for.
        "DESPEJADO_LABEXTENSIONS": f"{image}/share/jupyter/labextensions",
        "JUPYTERHUB_ROOT_DIR": str(plan.home),
        "JUPYTERHUB_DEFAULT_URL": plan.default_url,
        "JUPYTER_IMAGE": plan.image.tag,
        "JUPYTER_IMAGE_SPEC": f"{plan.image.tag}@{plan.image.digest}",
        "IMAGE_DESCRIPTION": plan.image.title,
        "IMAGE_DIGEST": plan.image.digest,
        "CONTAINER_SIZE": size.label,
        "CPU_LIMIT": str(size.cpu),
        "CPU_GUARANTEE": str(size.cpu if size.cpu_guarantee is None else size.cpu_guarantee),
        "MEM_LIMIT": str(size.memory),
        "MEM_GUARANTEE": str(
            size.memory if size.memory_guarantee is None else size.memory_guarantee
        ),
    }
    if plan.options.debug:
        variables["DEBUG"] = "TRUE"
        variables["JUPYTERHUB_DEBUG"] = "1"
    if plan.options.reset:
        variables["RESET_USER_ENV"] = "TRUE"
    return variables | _data_variables(plan.discovery)


def _data_variables(discovery: Mapping[str, Any]) -> dict[str, str]:
    """What stock data clients read: Butler's repository index and the TAP address."""
    variables: dict[str, str] = {}
    datasets = discovery.get("datasets", {})
    butlers = {
        name: dataset["butler_config"]
        for name, dataset in datasets.items()
        if dataset.get("butler_config")
    }
    if butlers:
        # JSON is YAML, with the quoting that a path of any characters needs.
        variables["DAF_BUTLER_REPOSITORIES"] = "\n".join(
            f"{_yaml_key(name)}: {json.dumps(where)}" for name, where in butlers.items()
        )
    default = discovery.get("despejado", {}).get("default_dataset")
    tap = datasets.get(default, {}).get("services", {}).get("tap", {}).get("url")
    if tap:
        variables["EXTERNAL_TAP_URL"] = tap
    return variables


def _yaml_key(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else json.dumps(name)
