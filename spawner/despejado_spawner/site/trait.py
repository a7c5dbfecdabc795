"""A trait that holds what pydantic makes of plain configuration."""

from __future__ import annotations

import ast
import copy
from typing import Any

from pydantic import TypeAdapter, ValidationError
from traitlets import TraitError, TraitType

from despejado_spawner.site.mistakes import mistakes


def is_empty(value: object) -> bool:
    """Whether a trait's value says that nothing is configured."""
    return value is None or value in ("", [], (), {})


class ModelTrait(TraitType[Any, Any]):
    """A value of a pydantic type, from plain configuration or ready-made.

    Parameters
    ----------
    of
        The type: a model, or a container of models.
    default
        Plain configuration. An empty one (``{}``, ``[]``, ``""``) means that nothing is configured
        and stays plain, so that traitlets' ``c.LabSpawner.homes.update(...)`` works on it.
    """

    def __init__(self, of: Any, default: Any, **metadata: Any) -> None:
        self._of = of
        self._adapter: TypeAdapter[Any] = TypeAdapter(of)
        super().__init__(default, **metadata)

    def validate(self, obj: Any, value: Any) -> Any:
        """The checked value.

        Raises
        ------
        TraitError
            With a sentence for each mistake: its key after the trait's name, the value, what is
            allowed.
        """
        if is_empty(value) and is_empty(self.default_value):
            return copy.copy(self.default_value)
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            where = f"{type(obj).__name__}.{self.name}"
            found = mistakes(error, self._of, value)
            raise TraitError(" ".join(each.sentence(where) for each in found)) from None

    def from_string(self, s: str) -> Any:
        """A value of the command line: text as it is, anything else as a Python literal."""
        return s if isinstance(self.default_value, str) else ast.literal_eval(s)
