"""What may name a study or a component."""

from __future__ import annotations

STUDY_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
"""A slug: it names a folder and must not be able to leave the one for results."""

COMPONENT_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*$"
"""No dots: dotted paths begin with it."""
