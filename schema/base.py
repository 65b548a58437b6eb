"""The one base of everything that users write: frozen, strict about keys, documented by its source."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field

Value = Annotated[float, Field(strict=True)] | str
"""What may stand at a dotted path: a number, or a word such as a profile's or a solver's name."""


class Model(BaseModel):
    """Frozen data with no unknown keys and no NaN; changed only by revalidated copy."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        validate_default=True,
    )

    def with_changes(self, **changes: Any) -> Self:
        """A copy with some fields replaced, checked again in full.

        Raises:
            pydantic.ValidationError: the result is not valid.
        """
        fields = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**(fields | changes))


def allows(annotation: Any, *kinds: type) -> bool:
    """Whether something annotated so may be of one of these kinds."""
    if get_origin(annotation) in {Union, UnionType}:
        return any(allows(argument, *kinds) for argument in get_args(annotation))
    if hasattr(annotation, "__metadata__"):
        return allows(get_args(annotation)[0], *kinds)
    return annotation in kinds
