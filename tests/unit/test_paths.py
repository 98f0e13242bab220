"""Every file that a page links to or names exists."""

import re
from pathlib import Path

import pytest

from tests.unit.program import ROOT

PAGES = [
    *ROOT.glob("*.md"),
    *(page for folder in ("docs", "dev", "examples", "tests") for page in sorted((ROOT / folder).rglob("*.md"))),
]
_TOP = [path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
# A path from the root of the repository, such as `docs/README.md` or `tests/unit`; not `tests/<name>`, nor an image.
_NAMED = re.compile(rf"`((?:{'|'.join(_TOP)})/[\w./-]*)`")


def missing(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    links = [link for link in _LINK.findall(text) if "://" not in link and not (page.parent / link).exists()]
    return links + [path for path in _NAMED.findall(text) if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_a_page_names_only_files_that_exist(page: Path) -> None:
    assert missing(page) == []


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[here](page.md) [there](there.md#part) [web](https://example.com/a) `docs/README.md` `docs/none.md`")
    assert missing(page) == ["there.md", "docs/none.md"]
