"""What docs/inputs.md shows can be written like that."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from schema.profiles import PROFILE_KINDS, ProfileSpec, kind_of_profile

PAGE = Path(__file__).parents[2] / "docs" / "inputs.md"


def test_the_page_shows_every_kind_of_profile_and_each_is_valid():
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    profiles = yaml.safe_load(block)
    for stated in profiles.values():
        TypeAdapter(ProfileSpec).validate_python(stated)
    assert {kind_of_profile(stated) for stated in profiles.values()} == {*PROFILE_KINDS} - {"value"}
