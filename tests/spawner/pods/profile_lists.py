"""A profile list with all that KubeSpawner documents, and its configuration."""

from __future__ import annotations

from typing import Any

from traitlets.config import Config

GPU = "nvidia.com/gpu"
PROFILES: list[dict[str, Any]] = [
    {
        "display_name": "CPU only",
        "slug": "cpu",
        "kubespawner_override": {"environment": {"KIND": "cpu"}},
        "profile_options": {
            "image": {
                "display_name": "Image",
                "choices": {
                    "one": {"display_name": "One", "kubespawner_override": {"image": "lab:1"}},
                    "two": {"display_name": "Two", "kubespawner_override": {"image": "lab:2"}},
                },
                "unlisted_choice": {
                    "enabled": True,
                    "display_name": "Other image",
                    "validation_regex": r"images\.example\.org/[\w:-]+",
                    "kubespawner_override": {
                        "image": "{value}",
                        "extra_labels": {"asked": "{value}"},
                        "environment": {"ASKED": '{"image": "{value}", "more": {}}'},
                    },
                },
            },
            "size": {
                "display_name": "Size",
                "choices": {
                    "s": {"kubespawner_override": {"cpu_limit": 1}},
                    "l": {"kubespawner_override": {"cpu_limit": 4}},
                },
            },
        },
    },
    {
        "display_name": "GPU",
        "slug": "gpu",
        "kubespawner_override": {
            "extra_resource_limits": {GPU: "1"},
            "tolerations": [{"key": GPU, "operator": "Exists"}],
            "environment": {"KIND": "gpu"},
            "mem_limit": "8G",
        },
    },
]


def config_of(profiles: Any, **traits: Any) -> Config:
    config = Config()
    config.KubeSpawner.profile_list = profiles
    for name, value in traits.items():
        config.KubeSpawner[name] = value
    return config
