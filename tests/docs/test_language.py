"""The project's English is plain: few mannered words and short sentences. CONTRIBUTING.md has the rules."""

import subprocess
from pathlib import Path

from tests.docs.language import Passage, page_passages, sentences, source_passages

ROOT = Path(__file__).parents[2]
MANNERED_MAX = 0.8
"""Mannered words in 1,000 words."""
SENTENCE_MEAN_MAX = 18.0
SENTENCE_MAX = 40
SHOWN = 10
SOURCES = ("*.py", "*.sql", "*.js", "*.yml", "*.toml", "*.sh", "lab")
EXCEPTIONS = {
    "tests/docs/language.py": "the list of mannered words",
}
"""Files that are not measured, each with its reason."""


def tracked(*patterns: str) -> list[Path]:
    """The files of the repository that match, without the exceptions."""
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.splitlines() if name not in EXCEPTIONS]


def worst(passages: list[Passage]) -> str:
    """The rate of mannered words in 1,000, and the places with the most of them."""
    words = sum(passage.words for passage in passages)
    found = sorted((p for p in passages if p.mannered), key=lambda p: -len(p.mannered))
    rate = 1000 * sum(len(p.mannered) for p in passages) / max(words, 1)
    lines = [f"{p.place}: {', '.join(p.mannered)}: {' '.join(p.text.split())[:120]}" for p in found[:SHOWN]]
    return "\n".join([f"{rate:.2f} mannered words in 1,000 (at most {MANNERED_MAX})", *lines])


def rate(passages: list[Passage]) -> float:
    """Mannered words in 1,000."""
    return 1000 * sum(len(p.mannered) for p in passages) / max(sum(p.words for p in passages), 1)


def test_pages_have_few_mannered_words() -> None:
    """Pages name the actor, the action and the object."""
    passages = [passage for page in tracked("*.md") for passage in page_passages(page, ROOT)]
    assert rate(passages) <= MANNERED_MAX, worst(passages)


def test_docstrings_comments_and_messages_have_few_mannered_words() -> None:
    """Docstrings, comments and messages name the actor, the action and the object."""
    passages = [passage for file in tracked(*SOURCES) for passage in source_passages(file, ROOT)]
    assert rate(passages) <= MANNERED_MAX, worst(passages)


def test_sentences_on_pages_are_short() -> None:
    """A sentence on a page has at most 40 words, and 18 on average."""
    lengths = [(len(s.split()), s, page) for page in tracked("*.md") for s in sentences(page)]
    long = sorted(((n, s, page) for n, s, page in lengths if n > SENTENCE_MAX), key=lambda found: -found[0])
    shown = [f"{page.relative_to(ROOT)}: {n} words: {s[:200]}" for n, s, page in long[:SHOWN]]
    assert not shown, "\n".join(shown)
    assert sum(n for n, _, _ in lengths) / len(lengths) <= SENTENCE_MEAN_MAX


def test_measure_finds_a_planted_mannered_sentence(tmp_path: Path) -> None:
    """The measure can fail: it finds mannered words and long sentences, and ignores code."""
    page = tmp_path / "page.md"
    page.write_text("Nobody is told `what is` here.\n\n```\ntold told\n```\n\n" + "word " * 41 + "end.\n")
    assert [word.lower() for passage in page_passages(page, tmp_path) for word in passage.mannered] == [
        "nobody",
        "told",
    ]
    assert max(len(sentence.split()) for sentence in sentences(page)) == 42
