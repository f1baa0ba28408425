"""Pages: links and paths exist, Python examples are right, and lists are complete."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_OURS = {".git", ".lab", ".venv", ".pytest_cache", "node_modules", "results"}
DESCRIBED_MEMBERS = {"kernel": "wallet_kernel"}
"""Members whose README lists every file of the package."""


def pages() -> list[Path]:
    """Every page of the repository."""
    return [page for page in sorted(ROOT.rglob("*.md")) if not NOT_OURS & set(page.relative_to(ROOT).parts)]


def prose(page: Path) -> str:
    """The text of a page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub generates them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


every_page = pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link points to an existing file, and its anchor to a heading."""
    missing = []
    for target in re.findall(r"\]\((?![a-z]+:)([^)\s]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            missing.append(target)
    assert missing == []


@every_page
def test_named_paths_exist(page: Path) -> None:
    """A path or pattern in backticks that starts in a folder of the repository or the page exists."""
    missing = []
    for name in re.findall(r"`((?:\./)?[\w.@-]+(?:/[\w.@*-]+)+)/?`", prose(page)):
        if name.split("/")[0] in NOT_OURS:  # created on demand
            continue
        bases = [base for base in (page.parent, ROOT) if (base / name.split("/")[0]).is_dir()]
        if bases and not any(list(base.glob(name)) for base in bases):
            missing.append(name)
    assert missing == []


@pytest.mark.parametrize(("member", "package"), DESCRIBED_MEMBERS.items())
def test_readme_says_what_each_file_is_for(member: str, package: str) -> None:
    """The table of a member's README lists exactly the files of its package."""
    source = ROOT / member / "src" / package
    files = {str(file.relative_to(source)) for file in source.rglob("*.py") if file.name != "__init__.py"}
    described = set(
        re.findall(r"^\| `([\w/.]+\.py)` \|", (ROOT / member / "README.md").read_text(), re.MULTILINE)
    )
    assert described == files


@every_page
def test_python_sessions_on_a_page_give_the_shown_results(page: Path) -> None:
    """The Python sessions on a page give the results that the page shows."""
    assert doctest.testfile(str(page), module_relative=False).failed == 0


def test_glossary_has_each_term_once_in_order() -> None:
    """The glossary explains each term once, in alphabetical order."""
    terms = re.findall(r"^\*\*(.+?)\*\* · \S", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    assert terms == sorted(set(terms), key=str.lower)
    assert len(terms) == (ROOT / "docs/glossary.md").read_text().count("\n**")


def decisions() -> list[Path]:
    """The decision records by number."""
    return sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))


def test_decisions_are_numbered_and_listed() -> None:
    """The numbers have no gaps, and the index lists every decision with its title."""
    listed = (ROOT / "docs/decisions/README.md").read_text()
    for number, page in enumerate(decisions(), 1):
        assert page.name.startswith(f"{number:04d}-")
        title = page.read_text().splitlines()[0]
        assert title.startswith(f"# {number:04d}: ")
        assert f"| [{number:04d}]({page.name}) |" in listed


@pytest.mark.parametrize("page", decisions(), ids=lambda page: page.name[:4])
def test_decisions_have_their_five_parts(page: Path) -> None:
    """Every decision has the sections context, decision, consequences, evidence and sources, and none is empty."""
    parts = re.findall(r"^## (.+)\n\n\S", page.read_text(), re.MULTILINE)
    assert parts == ["Context", "Decision", "Consequences", "Evidence", "Sources"]
