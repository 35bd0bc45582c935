"""The site has every page and every public name, and quotes what the program says."""

import re
from pathlib import Path

import pytest

import grnjax
from experiments.shared.tables import ROOT

DOCS = ROOT / "docs"
INDEX = (DOCS / "index.md").read_text()
PAGES = [
    path
    for path in [*DOCS.rglob("*.md"), *(ROOT / "experiments").rglob("*.md")]
    if path != DOCS / "index.md" and "_build" not in path.parts
]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_page_is_in_the_contents(page):
    entries = re.findall(r"^([./\w]+)$", INDEX, re.MULTILINE)
    assert page.resolve() in {(DOCS / f"{entry}.md").resolve() for entry in entries}


def test_every_public_name_has_a_page():
    listed = re.findall(r"^   (\w+)$", (DOCS / "api.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(set(grnjax.__all__) - {"__version__"})


def test_sentences_of_the_page_of_errors_are_said_somewhere():
    text = "".join(path.read_text() for path in (ROOT / "grnjax").rglob("*.py"))
    text = re.sub(r'"\s*\n\s*f?"', "", text)  # strings that go on in the next line
    quoted = re.findall(r"^\| `([^`]+)` \|", (DOCS / "errors.md").read_text(), re.MULTILINE)
    assert len(quoted) > 15
    assert [words for words in quoted if words not in text] == []
