"""``LocalLabSpawner``: labs as processes of this machine."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from subprocess import Popen
from typing import Any

from despejado_images.environments import (
    UI_TAG,
    EnvironmentStore,
)
from despejado_images.menu import parse_policy
from jupyterhub.spawner import Spawner
from jupyterhub.utils import maybe_future, random_port
from traitlets import (
    Callable,
    Dict,
    Float,
    Instance,
    Integer,
    List,
    TraitError,
    Unicode,
    default,
)

from despejado_spawner.errors import LabFailed, SpawnerError
from despejado_spawner.failures import spawn_failure
from despejado_spawner.history import StartHistory
from despejado_spawner.homes import ensure_home
from despejado_spawner.identity import FIRST_USER_ID, check_identity
from despejado_spawner.lab_plan import Places, plan_lab
from despejado_spawner.models import Identity, LabPlan
from despejado_spawner.options.hub import TypedOptions
from despejado_spawner.options.menu import Menu, bigger_sizes
from despejado_spawner.processes.environment_steps import environment_for
from despejado_spawner.processes.exits import end_lab, wait_exit
from despejado_spawner.processes.files import make_lab_folder, remove_runtime, write_runtime
from despejado_spawner.processes.launching import launch, log_tail, wait_ready
from despejado_spawner.processes.own_identity import enforceable, own_identity
from despejado_spawner.processes.process import build_process
from despejado_spawner.processes.process_table import boot_id, start_time
from despejado_spawner.processes.records import (
    LabRecord,
    read_record,
    remove_record,
    write_record,
)
from despejado_spawner.progress import PROCESS_SCALE, Phase, SpawnProgress
from despejado_spawner.site.options import GROUPS_HELP, OPTIONS_HELP, ProcessOptions, effect_of
from despejado_spawner.site.sizes import Sizes, named_sizes
from despejado_spawner.site.trait import ModelTrait
from despejado_spawner.slugs import folder_name

_GRACE_AT_FAILURE = 2.0


class LocalLabSpawner(Spawner):
    """Starts each lab as a process in a session of its own, as its user when run as root.

    What a process lab cannot enforce: CPU and memory of a size are told to the lab and its
    libraries, not imposed on it (an address-space limit breaks ordinary programs, and anything
    better needs control groups). Labs of one machine share its network and its ``/tmp``.
    """

    identity_hook = Callable(
        None,
        allow_none=True,
        config=True,
        help="""
        ``identity_hook(spawner) -> Identity``, sync or async: who the lab runs as. Without one,
        labs run as the user who runs the hub, which as root is refused. As an ordinary user the
        hook's user name counts, its UID and GIDs cannot.
        """,
    )

    state_dir = Unicode(
        config=True,
        help="""
        The platform's state folder; homes and labs' folders are below it. Must be reachable by
        the users that labs run as.
        """,
    )

    environments_root = Unicode(
        config=True,
        help="Folder of the software environments; by default ``environments`` in `state_dir`.",
    )

    environment_policy = Dict(
        config=True,
        help="""
        What the menu of environments offers: ``recommended`` (a tag; by default the newest
        weekly), ``weeklies``, ``releases``, ``candidates`` (numbers of each).
        """,
    )

    environment_store = Instance(
        EnvironmentStore, help="The environments; made from `environments_root` when not given."
    )

    sizes = ModelTrait(
        Sizes,
        {"small": {"cpu": 1.0, "memory": "3Gi"}},
        config=True,
        help="""
        Lab sizes in menu order: name to ``cpu`` (cores), ``memory`` (bytes or like ``3Gi``) and
        optional ``cpu_guarantee``, ``memory_guarantee``.
        """,
    )

    default_size = Unicode(
        config=True, help="The size that is taken when none is asked for; by default the first."
    )

    lab_options = ModelTrait(ProcessOptions, {}, config=True, help=OPTIONS_HELP)

    groups_hook = Callable(None, allow_none=True, config=True, help=GROUPS_HELP)

    discovery = Dict(
        config=True,
        help='The discovery document that labs get (docs/developers.md, "A lab").',
    )

    tutorials = Unicode(config=True, help="Folder of tutorials; empty for those of the package.")

    menu_path = Unicode(
        config=True,
        help="""
        Where the spawn page may fetch the image menu as JSON, below the hub's address; empty for
        nowhere.
        """,
    )

    base_passwd = Unicode(config=True, help="Text of a passwd file that labs get users from.")
    base_group = Unicode(config=True, help="Text of a group file that labs get groups from.")

    lowest_uid = Integer(
        FIRST_USER_ID,
        config=True,
        help="The lowest UID and GID that a lab may run as when the hub runs as root.",
    )

    nice = Integer(
        0,
        min=0,
        max=19,
        config=True,
        help="Added to the niceness of labs, so that they leave the hub and services responsive.",
    )

    server_timeout = Float(
        60.0,
        config=True,
        help="Seconds within which a started server must be ready; building is not counted.",
    )

    term_timeout = Float(
        10.0,
        config=True,
        help="Seconds that a lab has to end its kernels when stopped, before it is killed.",
    )

    start_timeout = Integer(
        3600,
        config=True,
        help="Seconds that a start may take, with the building of an environment where needed.",
    )

    ip = Unicode("127.0.0.1", config=True, help="The address that labs listen at.")

    env_keep = List(
        ["LANG", "LC_ALL", "TZ"],
        config=True,
        help="Variables of the hub that labs get: nothing of its Python, its tokens or its PATH.",
    )

    secrets = Dict(
        help="""
        Secrets of the lab: file name to text, each a file of mode 0400 in the runtime folder.
        ``token`` is the data token. Set by a pre-spawn hook; not configurable.
        """
    )

    phases = tuple(PROCESS_SCALE)
    """The phases of a start in their order, for the hub's pages."""

    _record: LabRecord | None = None
    _process: Popen[bytes] | None = None
    _progress: SpawnProgress | None = None
    _starting = False
    _watcher: asyncio.Task[None] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._options = TypedOptions(self, self.menu)
        self.observe(self._options.note_previous, "user_options")

    @default("environments_root")
    def _default_environments_root(self) -> str:
        return str(self._state / "environments")

    @default("environment_store")
    def _default_environment_store(self) -> EnvironmentStore:
        policy = parse_policy(self.environment_policy)
        return EnvironmentStore(Path(self.environments_root), policy)

    # Folders

    @property
    def _state(self) -> Path:
        if not self.state_dir:
            raise TraitError("LocalLabSpawner.state_dir must name the platform's state folder.")
        return Path(self.state_dir).resolve()

    @property
    def home(self) -> Path:
        """The user's home folder."""
        return self._state / "homes" / folder_name(self.user.name)

    @property
    def lab_folder(self) -> Path:
        """The folder of this lab: its record, its log, its runtime folder."""
        server = folder_name(self.name) if self.name else "default"
        return self._state / "labs" / folder_name(self.user.name) / server

    @property
    def log_file(self) -> Path:
        """What the lab's server writes to its output."""
        return self.lab_folder / "server.log"

    # Options

    def menu(self) -> Menu:
        """The environments and sizes that there are now; reads files only."""
        choices = self.environment_store.choices()
        return Menu.of(choices, named_sizes(self.sizes), self.default_size)

    async def get_options_form(self) -> str:
        """The spawn form."""
        return await self._options.form()

    async def run_options_from_form(self, form_data: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a submitted form."""
        return await self._options.from_form(form_data)

    async def options_from_query(self, query_data: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a spawn link."""
        return await self._options.from_link(query_data)

    async def _run_apply_user_options(self, user_options: object) -> None:
        """Check the options before any hook of the site runs.

        Overrides JupyterHub's wrapper, which would log a traceback for a refusal.
        """
        options = await self._options.check(user_options)
        if self.apply_user_options:
            await super()._run_apply_user_options(options)

    # State

    def get_state(self) -> dict[str, Any]:
        """The record of the running process, so that the next hub finds it."""
        state: dict[str, Any] = super().get_state()
        if self._record is not None:
            state["lab"] = self._record.to_json()
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Find the lab again; a hub that was killed during a start left only the lab's folder."""
        super().load_state(state)
        self._record = LabRecord.from_json(state.get("lab"))
        if self._record is None and self.state_dir:
            self._record = read_record(self.lab_folder)
        if self._record is not None:
            self.ip, self.port = self._record.ip, self._record.port

    def clear_state(self) -> None:
        """Forget the lab and remove its record and its secrets; its log is kept.

        JupyterHub also calls this before a start. Should a lab that it has lost still run then,
        its record stays, and the start ends it.
        """
        super().clear_state()
        self._record = None
        self._process = None
        self.secrets = {}
        if self.state_dir:
            left = read_record(self.lab_folder)
            if left is None or not left.alive():
                remove_record(self.lab_folder)
                remove_runtime(self.lab_folder / "runtime")

    async def get_url(self) -> str:
        """Where the lab answers, also when a killed hub had not written it down."""
        if self._record is None:
            url: str = await super().get_url()
            return url
        return f"http://{self._record.ip}:{self._record.port}"

    # Life cycle

    async def start(self) -> str:
        """Start the lab and return its address once it answers.

        Raises JupyterHub's ``SpawnException`` (5.5: ``HTTPError``) with what happened and what to
        do. Whatever ends it early, cancelling included, leaves no process.
        """
        self._progress = progress = SpawnProgress()
        self._starting = True
        try:
            return await self._start(progress)
        except SpawnerError as error:
            self.log.warning("Lab of %s not started: %s", self._log_name, error)
            raise spawn_failure(error) from error
        finally:
            self._starting = False
            progress.close()

    async def _start(self, progress: SpawnProgress) -> str:
        options, menu = await self._options.chosen(), self.menu()
        effect = effect_of(self.lab_options, options.own)
        size = menu.size(effect.size or options.size)
        identity = await self._identity()
        store = self.environment_store
        ui = await environment_for(store, UI_TAG, progress)
        image = await environment_for(store, options.image, progress)
        progress.tell(Phase.HOME, "Preparing your home folder.")
        await self._end_leftover()
        self.home.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        for warning in ensure_home(self.home, identity).warnings:
            self.log.warning("Home of %s: %s", self.user.name, warning)
        if not self.port:
            self.port = random_port()
        places = Places(
            ip=self.ip,
            home=self.home,
            runtime=self.lab_folder / "runtime",
            server_prefix=ui.prefix,
            kernel_python=image.python,
            tutorials=Path(self.tutorials) if self.tutorials else None,
        )
        plan = plan_lab(
            self,
            places,
            identity=identity,
            options=options,
            image=image.image,
            size=size,
            bigger_sizes=bigger_sizes(menu.sizes, size),
            chosen=effect.environment,
        )
        await self._run(plan, progress)
        return f"http://{self.ip}:{self.port}"

    async def _identity(self) -> Identity:
        hook: Any = self.identity_hook
        if hook is None:
            identity = own_identity(self.user.name)
        else:
            identity = await maybe_future(hook(self))
        enforced = enforceable(identity)
        lowest = self.lowest_uid if enforced is identity else 0
        return check_identity(enforced, lowest=lowest)

    async def _run(self, plan: LabPlan, progress: SpawnProgress) -> None:
        process = build_process(plan)
        folder = self.lab_folder
        labs = self._state / "labs"
        make_lab_folder(labs, folder.parent.name, folder.name)
        write_runtime(plan.runtime, process.files, plan.identity.uid, plan.identity.gid)
        history = StartHistory(labs / "start-seconds.json")
        progress.tell(Phase.STARTING, "Starting JupyterLab.", expected_seconds=history.expected())
        began = time.monotonic()
        lab_id = uuid.uuid4().hex
        launched = launch(process, lab_id, self.log_file, nice=self.nice)
        self._process = launched.process
        pid = launched.process.pid
        self._record = LabRecord(
            pid=pid,
            started=start_time(pid) or "",
            boot=boot_id(),
            lab_id=lab_id,
            ip=plan.ip,
            port=plan.port,
            digest=plan.image.digest,
            tag=plan.image.tag,
            uid=plan.identity.uid,
        )
        ready = False
        try:
            write_record(folder, self._record)
            async with asyncio.timeout(self.server_timeout):
                await wait_ready(launched)
            ready = True
        except TimeoutError:
            raise _late(self.log_file, self.server_timeout) from None
        finally:
            launched.close()
            if not ready:
                await self._end(self._record, grace=_GRACE_AT_FAILURE)
        history.add(time.monotonic() - began)
        progress.tell(Phase.READY, "JupyterLab is ready.")

    async def _end_leftover(self) -> None:
        """A lab of this name that runs although the hub does not know it would fight with ours."""
        record = read_record(self.lab_folder)
        if record is not None and record.alive():
            self.log.warning("Ending a lost lab of %s (process %s)", self._log_name, record.pid)
            await end_lab(record, self.term_timeout)

    async def poll(self) -> int | None:
        """None while the lab runs or is being started, else its exit code (0 if unknown)."""
        if self._starting:
            return None
        if self._record is None:
            return 0
        if self._process is not None and self._process.pid == self._record.pid:
            return self._process.poll()
        return None if self._record.alive() else 0

    async def stop(self, now: bool = False) -> None:
        """End the server, its kernels and its terminals; with ``now`` without asking them."""
        if self._record is not None:
            await self._end(self._record, grace=0.0 if now else self.term_timeout)

    async def _end(self, record: LabRecord, grace: float) -> None:
        self._stop_watching()
        await end_lab(record, grace)
        if self._process is not None:
            self._process.poll()  # take the exit code, so that no zombie stays

    def start_polling(self) -> None:
        """Also watch the process, so that its death is noticed when it happens."""
        super().start_polling()
        self._stop_watching()
        if self._record is not None:
            self._watcher = asyncio.ensure_future(self._watch(self._record))

    def stop_polling(self) -> None:
        """Also stop watching the process."""
        super().stop_polling()
        self._stop_watching()

    def _stop_watching(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None and watcher is not _current_task():
            watcher.cancel()

    async def _watch(self, record: LabRecord) -> None:
        if record.alive():
            await wait_exit(record.pid)
        if self._record is record:
            await end_lab(record, grace=0.0)  # kernels that outlived their server
            await self.poll_and_notify()

    # Progress

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """The phases of the current start, from the first, for any number of listeners."""
        if self._progress is not None:
            async for event in self._progress.listen():
                yield event.to_json()


def _late(log: Path, seconds: float) -> LabFailed:
    message = f"The lab's server was not ready within {seconds:g} s and was ended."
    return LabFailed("timeout", message, details=log_tail(log))


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
