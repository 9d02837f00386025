"""README and docs/: links lead somewhere, commands and examples are real."""

import ast
import re
from pathlib import Path

import pytest
from click import Context

from mambaamqp.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors that headings of a page make."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there, and a heading that is in it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name) if name else page
        assert linked.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name} links to {target}"


def test_readme_examples_are_python() -> None:
    """What a newcomer copies can be run."""
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

    assert examples
    for example in examples:
        ast.parse(example)


def test_readme_names_commands_that_are_there() -> None:
    """Every `mambaamqp …` and `make …` of the README exists."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    for command in re.findall(r"\bmambaamqp ([a-z]+(?:-[a-z]+)*)\b(?=[ `\n])", "\n".join(code(README))):
        assert command in main.list_commands(Context(main)), command  # type: ignore[attr-defined]
    for target in re.findall(r"\bmake ([a-z]+)", "\n".join(code(README))):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def code(page: str) -> list[str]:
    """Blocks and spans of code."""
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return [re.sub(r"#.*", "", block) for block in blocks] + re.findall(r"`([^`\n]+)`", page)
