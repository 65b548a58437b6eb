"""The one base of everything that users write: frozen, strict about keys, documented by its source."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


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
