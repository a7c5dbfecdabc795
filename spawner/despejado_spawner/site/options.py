"""Spawn options of a site's own: which data release, which graphics processor, how many workers.

Each has words for people, groups that may use it, and effects on the lab. Form, REST and links
show the same list (:mod:`despejado_spawner.options`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from despejado_spawner.models import NOTHING, OptionValue
from despejado_spawner.options.fields import OF_EVERY_LAB
from despejado_spawner.options.inputs import Choice, Flag, Input, Number, plain
from despejado_spawner.site.names import LABEL, LABEL_ALLOWED, LabelKey
from despejado_spawner.site.storage import Mount
from despejado_spawner.site.tolerations import Toleration
from despejado_spawner.site.values import Model, matching, refuse

VALUE = "{value}"
"""Stands in an effect for what was chosen."""
RESERVED = (*OF_EVERY_LAB, "options", "profile", "display_name", "next")
"""Names that options of every lab, or JupyterHub's pages, have."""
OF_PODS = ("node_selector", "tolerations", "resources", "mounts")
"""The effects that only a lab in a cluster can have."""

OptionName = Annotated[
    str,
    matching(
        rf"(?!(?:{'|'.join(RESERVED)})$)[a-z][a-z0-9_-]{{0,39}}",
        "cannot name an option",
        "up to 40 lower-case letters, digits, - and _, and none of " + ", ".join(RESERVED),
    ),
]
ChoiceName = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}",
        "cannot name a choice",
        "up to 63 letters, digits, -, _, + and .",
    ),
]
VariableName = Annotated[
    str,
    matching(
        r"(?!JUPYTERHUB_)[A-Za-z_][A-Za-z0-9_]*",
        "is not the name of a variable that an option may set",
        "letters, digits and _, not beginning with JUPYTERHUB_",
    ),
]
VariableValue = Annotated[
    str, matching(r"[^\0]*", "cannot be the value of a variable", "text without a zero character")
]
ResourceName = Annotated[
    str,
    matching(
        r"[a-z0-9.-]+/[A-Za-z0-9][A-Za-z0-9_.-]{0,62}",
        "is not an extended resource of Kubernetes",
        "a domain, / and a name, as nvidia.com/gpu; processor and memory are a size's",
    ),
]
Amount = Annotated[
    str | int,
    matching(r"[0-9]+|\{value\}", "is not an amount", "a whole number, or {value}"),
]
NodeLabel = Annotated[
    str,
    matching(
        rf"({LABEL})?|\{{value\}}",
        "is not the value of a label",
        f"{LABEL_ALLOWED}, or {{value}}",
    ),
]


class Effect(Model):
    """What an option does to the lab. ``{value}`` stands for what was chosen."""

    size: str | None = Field(
        default=None, title="Size", description="The lab's size, in place of the chosen one."
    )
    environment: dict[VariableName, VariableValue] = Field(
        default_factory=dict, title="Environment", description="Variables of the lab."
    )
    node_selector: dict[LabelKey, NodeLabel] = Field(
        default_factory=dict,
        title="Node selector",
        description="Labels of the nodes that the lab may run on.",
    )
    tolerations: tuple[Toleration, ...] = Field(
        default=(), strict=False, title="Tolerations", description="Taints that the lab may meet."
    )
    resources: dict[ResourceName, Amount] = Field(
        default_factory=dict,
        title="Resources",
        description="Extended resources of the lab, such as nvidia.com/gpu: 1.",
    )
    mounts: tuple[Mount, ...] = Field(
        default=(), strict=False, title="Mounts", description="More claims in the lab."
    )

    @property
    def of_pods(self) -> tuple[str, ...]:
        """The keys that only a lab in a cluster can have."""
        return tuple(key for key in OF_PODS if getattr(self, key))

    def check_value(self, said: str) -> None:
        """Raise a validation error if what may be chosen cannot stand where ``{value}`` does."""
        if VALUE in self.resources.values() and not re.fullmatch("[0-9]+", said):
            raise refuse(f"has {said!r} as an amount of a resource", "whole numbers from 0")
        if VALUE in self.node_selector.values() and not re.fullmatch(LABEL, said):
            raise refuse(f"has {said!r} as the value of a label", LABEL_ALLOWED)

    def with_value(self, value: OptionValue) -> Effect:
        """The effect of choosing ``value``."""
        said = _text(value)

        def filled(texts: Mapping[str, str | int]) -> dict[str, str]:
            return {key: str(text).replace(VALUE, said) for key, text in texts.items()}

        return self.model_copy(
            update={
                "environment": filled(self.environment),
                "node_selector": filled(self.node_selector),
                "resources": filled(self.resources),
            }
        )

    def then(self, later: Effect) -> Effect:
        """Both effects; where they speak of one thing, the later one counts."""
        return Effect.model_construct(
            size=later.size or self.size,
            environment={**self.environment, **later.environment},
            node_selector={**self.node_selector, **later.node_selector},
            tolerations=(*self.tolerations, *later.tolerations),
            resources={**self.resources, **later.resources},
            mounts=(*self.mounts, *later.mounts),
        )


NO_EFFECT = Effect()


class OptionChoice(Model):
    """One of the names of a choice."""

    title: str = Field(default="", title="Title", description="Words for people.")
    help: str = Field(default="", title="Help", description="A sentence beside it.")
    groups: tuple[str, ...] = Field(
        default=(),
        strict=False,
        title="Groups",
        description="Groups whose members may choose it; empty for everybody.",
    )
    effect: Effect = Field(
        default=NO_EFFECT, title="Effect", description="What it does to the lab."
    )


class _Option(Model):
    """What all kinds of options have."""

    title: str = Field(min_length=1, title="Title", description="Words for people.")
    help: str = Field(default="", title="Help", description="A sentence below the title.")
    groups: tuple[str, ...] = Field(
        default=(),
        strict=False,
        title="Groups",
        description="Groups whose members may use the option; empty for everybody.",
    )

    @property
    def choice_groups(self) -> frozenset[str]:
        """The groups of its choices, if it has any."""
        return frozenset()


class ChoiceOption(_Option):
    """One of several."""

    type: Literal["choice"] = Field(title="Type", description="choice: one of several.")
    choices: dict[ChoiceName, OptionChoice] = Field(
        min_length=1, title="Choices", description="What can be chosen, by name, in their order."
    )
    default: str | None = Field(
        default=None,
        title="Default",
        description="What is taken when nothing is said; null is the first that a user may choose.",
    )

    @model_validator(mode="after")
    def _default_is_a_choice(self) -> ChoiceOption:
        if self.default is not None and self.default not in self.choices:
            raise refuse("has a default that is no choice of it", ", ".join(self.choices))
        for name, one in self.choices.items():
            one.effect.check_value(name)
        return self

    def input(self, name: str, groups: Collection[str]) -> Input | None:
        """The option for a member of ``groups``; None if there is nothing to choose."""
        open_to = {key: one for key, one in self.choices.items() if _may(one.groups, groups)}
        if not open_to or not _may(self.groups, groups):
            return None
        return Choice(
            name,
            self.title,
            self.help,
            tuple(open_to),
            self.default if self.default in open_to else next(iter(open_to)),
            titles={key: one.title for key, one in open_to.items() if one.title},
            helps={key: one.help for key, one in open_to.items() if one.help},
        )

    @property
    def choice_groups(self) -> frozenset[str]:
        """The groups that its choices are for."""
        return frozenset(name for one in self.choices.values() for name in one.groups)

    def effect_of(self, value: OptionValue) -> Effect:
        """What the choice does."""
        return self.choices[str(value)].effect.with_value(value)

    @property
    def effects(self) -> Mapping[str, Effect]:
        """All its effects, by their place below the option."""
        return {f"choices.{key}.effect": one.effect for key, one in self.choices.items()}


class FlagOption(_Option):
    """Yes or no; no if nothing is said."""

    type: Literal["flag"] = Field(title="Type", description="flag: yes or no.")
    effect: Effect = Field(default=NO_EFFECT, title="Effect", description="What yes does.")

    @model_validator(mode="after")
    def _value(self) -> FlagOption:
        self.effect.check_value(_text(True))
        return self

    def input(self, name: str, groups: Collection[str]) -> Input | None:
        """The option for a member of ``groups``; None if it is not for them."""
        return Flag(name, self.title, self.help) if _may(self.groups, groups) else None

    def effect_of(self, value: OptionValue) -> Effect:
        """What the flag does."""
        return self.effect.with_value(value) if value else NO_EFFECT

    @property
    def effects(self) -> Mapping[str, Effect]:
        """All its effects, by their place below the option."""
        return {"effect": self.effect}


_Bound = Annotated[float, Field(ge=-1e15, le=1e15)]
"""Within what a double counts by ones."""


class NumberOption(_Option):
    """A number between bounds."""

    type: Literal["number"] = Field(title="Type", description="number: with bounds.")
    minimum: _Bound = Field(title="Minimum", description="The lowest number.")
    maximum: _Bound = Field(title="Maximum", description="The highest number.")
    default: float | None = Field(
        default=None, title="Default", description="The number at first; null is the minimum."
    )
    step: Annotated[float, Field(ge=1e-9, le=1e15)] = Field(
        default=1, title="Step", description="From one to the next."
    )
    unit: str = Field(default="", title="Unit", description="Shown behind the number.")
    effect: Effect = Field(default=NO_EFFECT, title="Effect", description="What it does.")

    @model_validator(mode="after")
    def _bounds(self) -> NumberOption:
        for bound in (self.minimum, self.minimum + self.step):
            self.effect.check_value(plain(bound))
        if self.minimum > self.maximum:
            raise refuse("has a minimum above its maximum", f"up to {plain(self.maximum)}")
        if self.default is not None:
            try:
                self._number("default").parse(self.default)
            except ValueError:
                allowed = self._number("default").bounds
                raise refuse("has a default out of its bounds", allowed) from None
        return self

    def input(self, name: str, groups: Collection[str]) -> Input | None:
        """The option for a member of ``groups``; None if it is not for them."""
        return self._number(name) if _may(self.groups, groups) else None

    def _number(self, name: str) -> Number:
        return Number(
            name,
            self.title,
            self.help,
            self.minimum,
            self.maximum,
            self.minimum if self.default is None else self.default,
            self.step,
            self.unit,
        )

    def effect_of(self, value: OptionValue) -> Effect:
        """What the number does."""
        return self.effect.with_value(value)

    @property
    def effects(self) -> Mapping[str, Effect]:
        """All its effects, by their place below the option."""
        return {"effect": self.effect}


SiteOption = Annotated[ChoiceOption | FlagOption | NumberOption, Field(discriminator="type")]
SiteOptions = dict[OptionName, SiteOption]


def _without_a_cluster(options: dict[str, SiteOption]) -> dict[str, SiteOption]:
    for name, option in options.items():
        for place, effect in option.effects.items():
            if effect.of_pods:
                what = f"has {name}.{place}.{effect.of_pods[0]}, which is for labs that are pods"
                raise refuse(what, "size and environment")
    return options


ProcessOptions = Annotated[SiteOptions, AfterValidator(_without_a_cluster)]
"""Options whose effects a process of this machine can have."""

OPTIONS_HELP = """
Spawn options of the site's own, by name, in the order of the form: choices, flags and numbers,
each with a title, groups that may use it, and its effect (docs/operators.md, "Options of your
own"). Only with typed options, which an image menu brings.
"""
GROUPS_HELP = """
``groups_hook(spawner) -> names``, sync or async: the groups that the user is in, for `lab_options`
that are not everybody's. Without one, JupyterHub's own groups count.
"""


def limited(options: Mapping[str, SiteOption]) -> bool:
    """Whether any of the options is not everybody's."""
    return any(option.groups or option.choice_groups for option in options.values())


def inputs_for(options: Mapping[str, SiteOption], groups: Collection[str]) -> tuple[Input, ...]:
    """The options that a member of ``groups`` has, in the order of the file."""
    made = (option.input(name, groups) for name, option in options.items())
    return tuple(each for each in made if each is not None)


def effect_of(
    options: Mapping[str, SiteOption], chosen: Mapping[str, OptionValue] = NOTHING
) -> Effect:
    """What the chosen values do together, in the order of the file."""
    effect = NO_EFFECT
    for name, option in options.items():
        if name in chosen:
            effect = effect.then(option.effect_of(chosen[name]))
    return effect


def _may(allowed: Collection[str], groups: Collection[str]) -> bool:
    return not allowed or not set(allowed).isdisjoint(groups)


def _text(value: OptionValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else plain(value)
