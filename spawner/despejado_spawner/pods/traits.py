"""What a site can configure of ``LabSpawner``, beside all that KubeSpawner has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from despejado_images.configured import ConfiguredImages
from despejado_images.menu import parse_policy
from kubespawner import KubeSpawner
from traitlets import (
    Bool,
    Callable,
    Dict,
    Enum,
    Float,
    Instance,
    Integer,
    TraitError,
    Unicode,
    default,
    validate,
)

from despejado_spawner.identity import FIRST_USER_ID
from despejado_spawner.site.homes import Homes
from despejado_spawner.site.model import POD_SECURITY, Site, trait_of
from despejado_spawner.site.network import Network
from despejado_spawner.site.options import GROUPS_HELP, OPTIONS_HELP, SiteOptions
from despejado_spawner.site.sizes import Sizes
from despejado_spawner.site.storage import Mount, Temporary
from despejado_spawner.site.trait import ModelTrait, is_empty
from despejado_spawner.site.values import Memory


class LabTraits(KubeSpawner):
    """The traits of ``LabSpawner``; docs/kubernetes.md lists them."""

    identity_hook = Callable(
        None,
        allow_none=True,
        config=True,
        help="""
        ``identity_hook(spawner) -> Identity``, sync or async: who the lab runs as (UID, GID,
        supplemental groups, names). Without one, `uid` and `gid` count.
        """,
    )

    lowest_uid = Integer(
        FIRST_USER_ID,
        min=1,
        config=True,
        help="The lowest UID and primary GID that a lab may run as.",
    )

    images = Dict(
        config=True,
        help="""
        The image menu by hand: tag to image reference, or to a mapping with ``image``, ``title``
        and ``launcher`` (true for images of this project). The first is recommended. With a
        menu, options are typed (image, size, debug, reset) and `profile_list` is not used.
        """,
    )

    image_repository = Unicode(
        config=True,
        help="""
        A repository of an OCI registry (``registry.example.org/despejado/lab``) whose tags make
        the image menu.
        """,
    )

    image_policy = Dict(
        config=True,
        help="""
        What of `image_repository` the menu offers: ``recommended`` (a tag; by default the newest
        weekly), ``weeklies``, ``releases``, ``candidates``, ``dailies`` (numbers of each),
        ``cycle`` (only images of that SAL cycle), ``architectures`` (beside amd64) and
        ``aliases`` (moving tags such as ``latest_weekly``, shown with what they stand for).
        """,
    )

    image_credentials = Unicode(
        config=True,
        help="""
        Where the credentials are with which the tags of `image_repository` are listed: a file, or
        ``env:NAME`` for a variable. It holds ``user:password``, or a Docker ``config.json``.
        """,
    )

    image_cache = Unicode(
        config=True,
        help="A file that keeps the last good list of images over a restart; empty for none.",
    )

    image_source = Instance(
        object,
        allow_none=True,
        help="The images on offer; made from `images` or `image_repository`. Not configurable.",
    )

    sizes = ModelTrait(
        Sizes,
        {},
        config=True,
        help="""
        Lab sizes in menu order: name to ``cpu`` (cores), ``memory`` (bytes or like ``3Gi``) and
        optional ``cpu_guarantee``, ``memory_guarantee``. Without any, one size is made of
        KubeSpawner's `cpu_limit` and `mem_limit`.
        """,
    )

    default_size = Unicode(
        config=True, help="The size that is taken when none is asked for; by default the first."
    )

    discovery = Dict(
        config=True, help='The discovery document that labs get (docs/developers.md, "A lab").'
    )

    menu_path = Unicode(
        config=True,
        help="""
        Where the spawn page may fetch the image menu as JSON, below the hub's address; empty for
        nowhere.
        """,
    )

    base_passwd = Unicode(
        "root:x:0:0:root:/root:/bin/bash\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        config=True,
        help="Text of the passwd file that a lab's own line is added to.",
    )

    base_group = Unicode(
        "root:x:0:\nnogroup:x:65534:\n",
        config=True,
        help="Text of the group file that a lab's own lines are added to.",
    )

    homes = ModelTrait(
        Homes,
        {},
        config=True,
        help="""
        Where home folders are. ``claim`` names a PersistentVolumeClaim that all labs share
        (ReadWriteMany), or ``own_claim: True`` gives each user a claim of their own by
        KubeSpawner's `pvc_name_template`, `storage_class`, `storage_capacity`.
        ``layout`` is ``username`` (the default) or ``initial/username``; ``path`` the folder that
        homes appear in (``/home``); ``provisioner`` (``namespace``, ``claim``, ``image``) the
        small job that makes the folder of a shared claim. Without homes, HOME is lost with the lab.
        """,
    )

    lab_options = ModelTrait(SiteOptions, {}, config=True, help=OPTIONS_HELP)

    groups_hook = Callable(None, allow_none=True, config=True, help=GROUPS_HELP)

    lab_mounts = ModelTrait(
        tuple[Mount, ...],
        [],
        config=True,
        help="""
        More claims in every lab: group spaces, scratch, data. Each has ``claim``, ``path`` and
        optional ``sub_path`` (KubeSpawner's templates such as ``{unescaped_username}`` work) and
        ``read_only``.
        """,
    )

    temporary = ModelTrait(
        Temporary,
        {},
        config=True,
        help="""
        The lab's /tmp: ``size`` (like ``5Gi``) and ``in_memory`` (then it counts as the lab's
        memory). Without a size it may fill what the pod may write.
        """,
    )

    ephemeral_storage = ModelTrait(
        Memory,
        "",
        config=True,
        help="What a lab may write to its node's disk (like ``10Gi``); empty for no limit.",
    )

    pod_security = Enum(
        POD_SECURITY,
        "restricted",
        config=True,
        help="""
        ``restricted``: every container of a lab passes Kubernetes' Pod Security level of that
        name. ``as-configured``: only what KubeSpawner's own traits say.
        """,
    )

    network = ModelTrait(
        Network,
        {},
        config=True,
        help="""
        Who may reach a lab and what it may reach, as the fields of
        ``despejado_spawner.site.network``; each lab gets a NetworkPolicy of its own. Empty
        makes none.
        """,
    )

    autoscaler = Bool(
        config=True,
        help="""
        Whether the cluster adds nodes. Without, a lab for which no node is right fails at once;
        with, it waits for the autoscaler's word.
        """,
    )

    image_retry = Float(
        120.0,
        min=0,
        config=True,
        help="Seconds for which an image registry that does not answer is tried again.",
    )

    server_timeout = Float(
        120.0,
        min=1,
        config=True,
        help="Seconds within which a running container must answer HTTP.",
    )

    stop_timeout = Float(
        60.0,
        min=1,
        config=True,
        help="""
        Seconds after the grace period that a pod has to go; then it is deleted without its node's
        word, which may be lost.
        """,
    )

    refresh_secrets_hook = Callable(
        None,
        allow_none=True,
        config=True,
        help="""
        ``refresh_secrets_hook(spawner) -> dict | None``, sync or async: new values for secret
        files of a running lab. The kubelet brings them into it, within about a minute.
        """,
    )

    refresh_secrets_interval = Float(
        0.0,
        min=0,
        config=True,
        help="Seconds between calls of `refresh_secrets_hook`; 0 never calls it.",
    )

    quick_start = Bool(
        True,
        config=True,
        help="""
        Let ``jupyterhub-singleuser`` of images that are not of this project start without what
        it never uses, by a ``sitecustomize`` module of ours: about a second less.
        """,
    )

    history_path = Unicode(
        config=True,
        help="A file for how long starts took, by which the next are estimated; empty for none.",
    )

    secrets = Dict(
        help="""
        Secrets of the lab: file name to text, each a file of mode 0400 in the runtime folder.
        ``token`` is the data token. Set by a pre-spawn hook; not configurable.
        """
    )

    strict_options = Bool(
        False,
        config=True,
        help="""
        Refuse spawn options that the chosen profile does not have. By default they are ignored
        with a warning, as KubeSpawner does, because hooks of the site may read them.
        """,
    )

    start_timeout = Integer(
        1200,
        config=True,
        help="""
        Seconds that a start may take. What fails is told at once; what takes long is an image on
        its way to a new node.
        """,
    )

    http_timeout = Integer(
        60,
        config=True,
        help="Seconds within which JupyterHub must reach a lab that has started.",
    )

    # Shared by all spawners of a hub, as KubeSpawner's reflectors are.
    _catalogues: dict[Any, Any] = {}  # noqa: RUF012

    @default("image_source")
    def _default_image_source(self) -> object | None:
        if self.images:
            return ConfiguredImages(self.images)
        if not self.image_repository:
            return None
        from despejado_images.catalogue import shared_catalogue

        cache = Path(self.image_cache) if self.image_cache else None
        return shared_catalogue(
            self.image_repository,
            self.image_policy,
            self.image_credentials,
            cache,
            self._catalogues,
        )

    @property
    def site(self) -> Site:
        """What the site configures of its labs, as the traits hold it, checked."""
        held = {name: getattr(self, trait_of(name)) for name in Site.model_fields}
        return Site(**{name: value for name, value in held.items() if not is_empty(value)})

    @validate("images", "image_policy")
    def _valid_menu(self, proposal: Any) -> Any:
        trait = proposal.trait.name
        try:
            ConfiguredImages(proposal.value) if trait == "images" else parse_policy(proposal.value)
        except ValueError as error:
            raise TraitError(f"LabSpawner.{trait}: {error}") from None
        return proposal.value
