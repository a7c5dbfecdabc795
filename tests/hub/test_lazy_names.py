"""The client of Kubernetes has all its names, though each is imported when it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys

NAMES = """
import json, sys
if sys.argv[1] == "later":
    from despejado_hub.lazy_names import import_names_later
    import_names_later()
    import_names_later()
from kubernetes_asyncio import client
at_once = len([name for name in sys.modules if "client.models.v" in name])
stars = {}
exec("from kubernetes_asyncio.client import *", stars)
found = {}
for package in (client, client.api, client.models):
    names = sorted(name for name in dir(package) if not name.startswith("__"))
    found[package.__name__] = [[name, str(getattr(package, name))] for name in names]
print(json.dumps({
    "at_once": at_once,
    "stars": sorted(name for name in stars if name != "__builtins__"),
    "names": found,
}))
"""


def seen(when: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", NAMES, when], capture_output=True, text=True, check=True
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_every_name_of_the_client_is_what_it_is_without_the_trick() -> None:
    usual, later = seen("at once"), seen("later")
    assert int(str(usual["at_once"])) > 500
    assert later["at_once"] == 0
    assert later["stars"] == usual["stars"]
    assert later["names"] == usual["names"]


USE = """
import asyncio, copy, pickle
from despejado_hub.lazy_names import import_names_later
import_names_later()
import kubernetes_asyncio.client as client
from kubernetes_asyncio.client import V1Pod
from kubernetes_asyncio.client.models.v1_pod import V1Pod as SamePod
from kubernetes_asyncio.client.models import V1Container
assert V1Pod is SamePod is client.V1Pod is client.models.V1Pod

class Answer:
    data = '{"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}'

async def read():
    async with client.ApiClient() as api:
        return api.deserialize(Answer.data, "V1Pod", "application/json"), api
try:
    pod, api = asyncio.run(read())
except TypeError:  # earlier versions of the client take the answer itself
    async def read():
        async with client.ApiClient() as api:
            return api.deserialize(Answer, "V1Pod"), api
    pod, api = asyncio.run(read())
assert isinstance(pod, V1Pod) and isinstance(pod.spec.containers[0], V1Container)
assert pickle.loads(pickle.dumps(pod)) == copy.deepcopy(pod) == pod
assert client.rest.ApiException is client.ApiException
assert not hasattr(client, "V1Nonsense") and not hasattr(client.models, "v1_nonsense")
"""


def test_answers_of_a_cluster_become_objects() -> None:
    subprocess.run([sys.executable, "-c", USE], check=True)
