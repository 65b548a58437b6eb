"""What the site does besides MkDocs: pages from files outside docs/, and links to files that are no pages.

The same Markdown reads well in the repository and as a site. README.md is its home, the examples' README.md and
CHANGELOG.md are pages; a link to any other file of the repository becomes one below `repo_url`, or, without one,
its words with the path as a tooltip. A link to a file that is not there is a warning, an error in strict mode.
"""

import logging
import posixpath
import re
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    **{
        f"examples/{file.parent.name}/README.md": f"examples/{file.parent.name}.md"
        for file in sorted(ROOT.glob("examples/*/README.md"))
    },
}
"""Files of the repository that are pages, besides those of docs/."""
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_log = logging.getLogger("mkdocs.hooks.site")


def on_config(config: Any) -> Any:
    """Put pages that the navigation does not name yet at its end, so that none is lost."""
    pages = [str(file.relative_to(ROOT / "docs")) for file in sorted((ROOT / "docs").rglob("*.md"))]
    missing = sorted({*pages, *PAGES.values()} - set(_named(config["nav"])))
    if missing:
        config["nav"].append({"More": missing})
    return config


def _named(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [name for part in (nav.values() if isinstance(nav, dict) else nav) for name in _named(part)]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside docs/."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Turn links to files of the repository into what a reader of the site can follow."""
    own = page.file.src_uri
    source = next((path for path, made in PAGES.items() if made == own), f"docs/{own}")
    fenced = _FENCED.findall(markdown)
    text = _LINK.sub(lambda link: _turned(link, source, own, config["repo_url"]), _FENCED.sub("\0", markdown))
    for block in fenced:
        text = text.replace("\0", block, 1)
    return text


def _turned(link: re.Match[str], source: str, own: str, repository: str | None) -> str:
    if "://" in link["target"] or link["target"].startswith("mailto:"):
        return link[0]
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["target"]))
    page = (
        PAGES.get(path) or path.removeprefix("docs/") if path in PAGES or path.startswith("docs/") else None
    )
    if page is not None:
        way = posixpath.relpath(page, posixpath.dirname(own) or ".")
        return f"{link['picture']}[{link['text']}]({way}{link['anchor'] or ''})"
    if not (ROOT / path).exists():
        _log.warning("%s links to %s, which is not there", source, path)
    if repository:
        return f"[{link['text']}]({repository.rstrip('/')}/blob/main/{path})"
    if path in link["text"] or link["text"].strip("`") == path:
        return f"`{path}`"
    return f'<abbr title="{escape(path)}">{_plain(link["text"])}</abbr>'


def _plain(text: str) -> str:
    """Inline code as HTML: Markdown's signs are not read within a tag of HTML everywhere."""
    return re.sub(r"`([^`]*)`", lambda code: f"<code>{escape(code[1])}</code>", text)
