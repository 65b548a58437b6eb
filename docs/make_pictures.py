"""Draws the gallery of docs/pictures.md from the example house's winter week: `python docs/make_pictures.py`.

It runs the week's studies (a minute or so) in a folder of its own, calls the commands that stand below each
picture, and leaves the PNG files 256 colours, so that the repository stays small.
"""

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "pictures.md"
STUDIES = ("study_week", "study_week_single", "study_week_uncertain", "study_week_sweep")


def commands() -> list[list[str]]:
    """What stands below the pictures, as words."""
    lines = re.findall(
        r"^ecosystemiser (query .*--output .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    return [shlex.split(line) for line in lines]


def shrink(file: Path) -> None:
    """Make a PNG file smaller; no eye sees the difference."""
    if file.suffix == ".png":
        with Image.open(file) as picture:
            picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


def main() -> None:
    """Run the studies and draw."""
    program = [sys.executable, "-m", "ecosystemiser"]
    with tempfile.TemporaryDirectory() as results:
        for study in STUDIES:
            file = ROOT / "examples" / "house" / f"{study}.yaml"
            subprocess.run([*program, "run", str(file), "--results", results, "--quiet"], check=True)  # noqa: S603
        for words in commands():
            subprocess.run([*program, *words, "--results", results], check=True, cwd=ROOT)  # noqa: S603
            shrink(ROOT / words[-1])


if __name__ == "__main__":
    main()
