"""Where the files that a system names lie."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path, PurePosixPath

from schema.inputs.refusals import Fault, Refusal

PACKAGE_PREFIX = "package:"


def locate(name: str, folder: Path, field: str) -> Path:
    """The file that a profile names: relative to the system file's folder, or in an installed package.

    `package:pvlib/data/723170TYA.CSV` is a file that an installed distribution ships; the package is not
    imported. Such a name cannot lead out of the distribution's own files.

    Raises:
        Refusal: there is no such file.
    """
    if name.startswith(PACKAGE_PREFIX):
        return _packaged(name, field)
    path = folder / name
    if not _is_file(path):
        raise Refusal(
            Fault(
                field, name, "a file relative to the system file", f"there is no file {name}; check the path"
            )
        )
    return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the file system, a folder closed to us
        return False


def _packaged(name: str, field: str) -> Path:
    inner = name.removeprefix(PACKAGE_PREFIX)
    parts = inner.split("/")
    if len(parts) < 2 or "\\" in inner or any(part in {"", ".", ".."} for part in parts):
        raise Refusal(
            Fault(
                field,
                name,
                "package:NAME/path/in/package",
                f"{name} is no plain path within a package; write it like package:pvlib/data/723170TYA.CSV",
            )
        )
    for distribution in _distributions(parts[0]):
        for file in distribution.files or ():
            if PurePosixPath(file) == PurePosixPath(inner):
                return Path(str(distribution.locate_file(file)))
    raise Refusal(
        Fault(
            field,
            name,
            "a file that an installed package ships",
            f"no installed package ships {inner}; check the name, or install the package",
        )
    )


def _distributions(package: str) -> list[metadata.Distribution]:
    """The distribution of that name, else those that own the top-level package (a slower search)."""
    try:
        return [metadata.distribution(package)]
    except metadata.PackageNotFoundError:
        owners = metadata.packages_distributions().get(package, [])
        return [metadata.distribution(owner) for owner in owners]
