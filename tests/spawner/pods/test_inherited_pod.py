"""Pods as KubeSpawner's traits describe them: what stock makes of a trait, LabSpawner keeps."""

from __future__ import annotations

from typing import Any

import pytest
from despejado_spawner.pods.spawner import LabSpawner
from kubespawner import KubeSpawner
from traitlets.config import Config

from tests.spawner.pods.mock_spawners import (
    STOCK_AND_OURS,
    final_pod,
    make_spawner,
    notebook,
    variables,
    without_cluster,
)


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    without_cluster(monkeypatch)


@pytest.fixture(params=STOCK_AND_OURS, ids=lambda each: each.__name__)
def spawner_class(request: pytest.FixtureRequest) -> Any:
    return request.param


async def pod_of(spawner_class: Any, user: str = "jo@x", **traits: Any) -> dict[str, Any]:
    config = Config()
    for name, value in traits.items():
        config.KubeSpawner[name] = value
    return await final_pod(make_spawner(spawner_class, config, user=user))


async def test_image_command_and_arguments(spawner_class: Any) -> None:
    pod = await pod_of(
        spawner_class,
        image="lab:1",
        cmd=["jupyterhub-singleuser"],
        args=["--debug"],
        image_pull_policy="Always",
        working_dir="/home/{unescaped_username}",
    )
    container = notebook(pod)
    assert container["image"] == "lab:1"
    # LabSpawner's quick start puts a shell before the command, which stays what it is.
    assert container["args"][-2:] == ["jupyterhub-singleuser", "--debug"]
    exact = await pod_of(spawner_class, cmd=["lab", "{x}"], quick_start=False)
    assert notebook(exact)["args"] == ["lab", "{x}"]
    assert container["imagePullPolicy"] == "Always"
    assert container["workingDir"] == "/home/jo@x"
    assert container["ports"] == [{"name": "notebook-port", "containerPort": 8888}]


async def test_no_command_leaves_the_images_own(spawner_class: Any) -> None:
    container = notebook(await pod_of(spawner_class, cmd=None))
    assert not container.get("args")
    assert not container.get("command")


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ("one", [{"name": "one"}]),
        (["one", "two"], [{"name": "one"}, {"name": "two"}]),
        ([{"name": "one"}], [{"name": "one"}]),
    ],
)
async def test_pull_secrets(spawner_class: Any, configured: Any, expected: Any) -> None:
    pod = await pod_of(spawner_class, image_pull_secrets=configured)
    assert pod["spec"]["imagePullSecrets"] == expected


async def test_labels_and_annotations(spawner_class: Any) -> None:
    pod = await pod_of(
        spawner_class,
        common_labels={"site": "hill"},
        extra_labels={"owner": "{userid}", "site": "valley"},
        extra_annotations={"who": "{unescaped_username}"},
        component_label="night-lab",
    )
    labels = pod["metadata"]["labels"]
    assert labels["component"] == labels["app.kubernetes.io/component"] == "night-lab"
    assert (labels["site"], labels["owner"]) == ("hill", "17")
    assert pod["metadata"]["annotations"]["who"] == "jo@x"
    default = (await pod_of(spawner_class))["metadata"]["labels"]
    assert default["component"] == "singleuser-server"
    assert default["app.kubernetes.io/managed-by"] == "kubespawner"
    assert default["heritage"] == default["app"] == "jupyterhub"


@pytest.mark.parametrize("as_mapping", [False, True])
async def test_lists_may_be_mappings_in_the_order_of_their_keys(
    spawner_class: Any, as_mapping: bool
) -> None:
    def configured(*items: dict[str, Any]) -> Any:
        return {f"{9 - i}-key": item for i, item in enumerate(items)} if as_mapping else [*items]

    pod = await pod_of(
        spawner_class,
        volumes=configured(
            {"name": "b", "persistentVolumeClaim": {"claimName": "claim-{userid}"}},
            {"name": "a", "emptyDir": {}},
        ),
        volume_mounts=configured(
            {"name": "b", "mountPath": "/home", "subPath": "{unescaped_username}"},
            {"name": "a", "mountPath": "/scratch"},
        ),
        init_containers=configured(
            {"name": "second", "image": "tool:1", "command": ["chown", "{userid}"]},
            {"name": "first", "image": "tool:1"},
        ),
        extra_containers=configured({"name": "side", "image": "tool:1", "args": ["{username}"]}),
        tolerations=configured({"key": "lab", "operator": "Exists"}),
        node_affinity_required=configured(
            {"matchExpressions": [{"key": "lab", "operator": "Exists"}]}
        ),
    )
    spec = pod["spec"]
    by_name = {volume["name"]: volume for volume in spec["volumes"]}
    assert by_name["b"]["persistentVolumeClaim"] == {"claimName": "claim-17"}
    mounts = {mount["mountPath"]: mount for mount in notebook(pod)["volumeMounts"]}
    assert mounts["/home"]["subPath"] == "jo@x"
    assert mounts["/scratch"]["name"] == "a"
    names = [each["name"] for each in spec["initContainers"]]
    assert names == (["first", "second"] if as_mapping else ["second", "first"])
    assert {"chown", "17"} < {
        word for c in spec["initContainers"] for word in c.get("command", [])
    } | {"x"}
    assert [each["name"] for each in spec["containers"]] == ["notebook", "side"]
    assert spec["tolerations"] == [{"key": "lab", "operator": "Exists"}]
    terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert terms["nodeSelectorTerms"][0]["matchExpressions"][0]["key"] == "lab"


async def test_extra_configuration_of_pod_and_container(spawner_class: Any) -> None:
    pod = await pod_of(
        spawner_class,
        extra_pod_config={"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["x.{userid}"]}]},
        extra_container_config={"envFrom": [{"configMapRef": {"name": "site"}}], "tty": True},
        lifecycle_hooks={"preStop": {"exec": {"command": ["/bin/true"]}}},
    )
    assert pod["spec"]["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["x.17"]}]
    container = notebook(pod)
    assert container["envFrom"] == [{"configMapRef": {"name": "site"}}]
    assert container["tty"] is True
    assert container["lifecycle"] == {"preStop": {"exec": {"command": ["/bin/true"]}}}


async def test_placement(spawner_class: Any) -> None:
    spec = (
        await pod_of(
            spawner_class,
            node_selector={"disk": "ssd"},
            scheduler_name="packer",
            priority_class_name="labs",
            pod_affinity_preferred=[
                {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname"}}
            ],
            pod_anti_affinity_required=[{"topologyKey": "zone"}],
        )
    )["spec"]
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert (spec["schedulerName"], spec["priorityClassName"]) == ("packer", "labs")
    preferred = spec["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred[0]["weight"] == 1
    required = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required == [{"topologyKey": "zone"}]


async def test_resources(spawner_class: Any) -> None:
    pod = await pod_of(
        spawner_class,
        cpu_limit=2,
        cpu_guarantee=0.5,
        mem_limit="2G",
        mem_guarantee="1G",
        extra_resource_limits={"nvidia.com/gpu": "1"},
        extra_resource_guarantees={"ephemeral-storage": "1Gi"},
    )
    assert notebook(pod)["resources"] == {
        "limits": {"cpu": 2.0, "memory": 2 * 2**30, "nvidia.com/gpu": "1"},
        "requests": {"cpu": 0.5, "memory": 2**30, "ephemeral-storage": "1Gi"},
    }
    env = variables(pod)
    assert (env["CPU_LIMIT"], env["MEM_LIMIT"]) == ("2.0", str(2 * 2**30))


async def test_service_accounts(spawner_class: Any) -> None:
    spec = (await pod_of(spawner_class))["spec"]
    assert spec["automountServiceAccountToken"] is False
    own = (await pod_of(spawner_class, service_account="lab-{userid}"))["spec"]
    assert own["serviceAccountName"] == own.get("serviceAccount", "lab-17") == "lab-17"
    assert own.get("automountServiceAccountToken") is None
    both = await pod_of(spawner_class, service_account="x", automount_service_account_token=False)
    assert both["spec"]["automountServiceAccountToken"] is False


async def number(spawner: Any) -> int:
    return 4000 + int(spawner.user.id)


@pytest.mark.parametrize("value", [4017, lambda spawner: 4000 + spawner.user.id, number])
async def test_identity_may_be_a_number_or_a_callable(spawner_class: Any, value: Any) -> None:
    pod = await pod_of(
        spawner_class,
        uid=value,
        gid=value,
        fs_gid=value,
        supplemental_gids=[5000] if value == 4017 else lambda _: [5000],
    )
    container, of_pod = notebook(pod)["securityContext"], pod["spec"]["securityContext"]
    assert container["runAsUser"] == container["runAsGroup"] == 4017
    assert of_pod["fsGroup"] == 4017
    assert of_pod["supplementalGroups"] == [5000]


async def test_security_contexts_of_the_site(spawner_class: Any) -> None:
    pod = await pod_of(
        spawner_class,
        container_security_context={"readOnlyRootFilesystem": True},
        pod_security_context=lambda _: {"fsGroupChangePolicy": "OnRootMismatch"},
    )
    assert notebook(pod)["securityContext"]["readOnlyRootFilesystem"] is True
    assert notebook(pod)["securityContext"]["allowPrivilegeEscalation"] is False
    assert pod["spec"]["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


async def test_environment(spawner_class: Any) -> None:
    env = variables(
        await pod_of(
            spawner_class,
            environment={
                "WHO": "{unescaped_username}",
                "CALLED": lambda spawner: spawner.user.name + "{x}",
                "JUPYTER_IMAGE_SPEC": "mine",
            },
            image="lab:1",
        )
    )
    assert env["WHO"] == "jo@x"
    assert env["CALLED"] == "jo@x{x}"
    assert (env["JUPYTER_IMAGE"], env["JUPYTER_IMAGE_SPEC"]) == ("lab:1", "mine")
    assert env["JUPYTERHUB_USER"] == "jo@x"


async def test_environment_variables_by_reference(spawner_class: Any) -> None:
    pod = await pod_of(
        spawner_class,
        environment={
            "KEY": {
                "name": "KEY",
                "valueFrom": {"secretKeyRef": {"name": "of-{userid}", "key": "k"}},
            }
        },
    )
    (found,) = [each for each in notebook(pod)["env"] if each["name"] == "KEY"]
    assert found["valueFrom"] == {"secretKeyRef": {"name": "of-17", "key": "k"}}


async def test_the_users_claim(spawner_class: Any) -> None:
    config = Config()
    config.KubeSpawner.update(
        storage_class="fast",
        storage_capacity="5Gi",
        storage_access_modes=["ReadWriteMany"],
        storage_selector={"matchLabels": {"for": "{userid}"}},
        storage_extra_labels={"owner": "{userid}"},
        storage_extra_annotations={"who": "{unescaped_username}"},
    )
    spawner = make_spawner(spawner_class, config, user="jo@x")
    claim = spawner.api.api_client.sanitize_for_serialization(spawner.get_pvc_manifest())
    assert claim["metadata"]["name"] == spawner.pvc_name
    assert claim["metadata"]["labels"]["component"] == "singleuser-storage"
    assert claim["metadata"]["labels"]["owner"] == "17"
    assert claim["metadata"]["annotations"]["who"] == "jo@x"
    assert claim["spec"] == {
        "storageClassName": "fast",
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "5Gi"}},
        "selector": {"matchLabels": {"for": "17"}},
    }


RICH: dict[str, Any] = {
    "image": "lab:1",
    "cmd": ["jupyterhub-singleuser"],
    "uid": 4000,
    "gid": 4000,
    "supplemental_gids": [5000],
    "extra_labels": {"a": "b"},
    "extra_annotations": {"c": "d"},
    "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "c-{userid}"}}],
    "volume_mounts": [{"name": "home", "mountPath": "/home/jo"}],
    "init_containers": [{"name": "init", "image": "tool:1", "command": ["true"]}],
    "extra_containers": [{"name": "side", "image": "tool:1"}],
    "tolerations": [{"key": "lab", "operator": "Exists"}],
    "extra_pod_config": {"hostname": "lab", "terminationGracePeriodSeconds": 7},
    "extra_container_config": {"tty": True},
    "mem_limit": "2G",
    "extra_resource_limits": {"nvidia.com/gpu": "1"},
    "service_account": "lab",
    "environment": {"A": "b"},
}
ADDED = {
    "metadata.labels.despejado.dev/lab",
    "metadata.labels.despejado.dev/start",
    "spec.enableServiceLinks",
    "spec.securityContext.runAsUser",
    "spec.securityContext.runAsGroup",
    "spec.securityContext.runAsNonRoot",
    "spec.securityContext.seccompProfile",
    "spec.containers[notebook].securityContext.capabilities",
    "spec.containers[notebook].terminationMessagePolicy",
    "spec.containers[side].securityContext",
    "spec.initContainers[init].securityContext",
    "spec.containers[notebook].env[JUPYTERHUB_API_TOKEN].valueFrom",
    "spec.containers[notebook].env[JPY_API_TOKEN].valueFrom",
}
CHANGED = {"spec.restartPolicy"}
REMOVED = {
    "spec.containers[notebook].env[JUPYTERHUB_API_TOKEN].value",
    "spec.containers[notebook].env[JPY_API_TOKEN].value",
}


def differences(stock: Any, ours: Any, where: str = "") -> dict[str, set[str]]:
    """Paths that one has and the other has not, or not as the same."""
    found: dict[str, set[str]] = {"added": set(), "removed": set(), "changed": set()}
    if isinstance(stock, list) and all(
        isinstance(i, dict) and "name" in i for i in [*stock, *ours]
    ):
        stock, ours = ({f"[{item['name']}]": item for item in side} for side in (stock, ours))
    if not (isinstance(stock, dict) and isinstance(ours, dict)):
        if stock != ours:
            found["changed"].add(where)
        return found
    for key in stock.keys() | ours.keys():
        path = f"{where}{key}" if key.startswith("[") else f"{where}.{key}".strip(".")
        if key not in stock:
            found["added"].add(path)
        elif key not in ours:
            found["removed"].add(path)
        else:
            for kind, paths in differences(stock[key], ours[key], path).items():
                found[kind] |= paths
    return found


async def test_our_pod_is_stocks_pod_and_what_is_listed_here() -> None:
    stock = await pod_of(KubeSpawner, **RICH)
    ours = await pod_of(LabSpawner, quick_start=False, **RICH)
    assert differences(stock, ours) == {"added": ADDED, "removed": REMOVED, "changed": CHANGED}
