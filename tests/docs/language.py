"""Measures prose: mannered words in 1,000 words, and the lengths of sentences."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MANNERED = re.compile(
    r"\b(?:told|tells?|nobody|somebody|whoever|whatever it was|what (?:is|was|were|they|it|became|came|comes)"
    r"|come to rest|anew|mend(?:s|ed)?|for ever|to be had|beside|stands? (?:once|there|here|for)|nothing but"
    r"|as ever|alike|so that nobody|who (?:asks|reads|sends|waits|looks))\b",
    re.IGNORECASE,
)
"""Words of a mannered style: each hides who does what."""

_CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_TABLE_OR_HEADING = re.compile(r"^\s*(?:\||#)")
_INLINE_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_SENTENCE_END = re.compile(
    r"(?<=[.!?])[*_)\"]*\s+(?=[*_\"(`]*[A-Z0-9./])|\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|:\n"
)


@dataclass(frozen=True)
class Passage:
    """A piece of prose and where it is."""

    place: str
    text: str

    @property
    def words(self) -> int:
        """How many words it has."""
        return len(self.text.split())

    @property
    def mannered(self) -> list[str]:
        """The mannered words in it."""
        return MANNERED.findall(_INLINE_CODE.sub("`", self.text))


def page_passages(page: Path, root: Path) -> Iterator[Passage]:
    """Yields a page's lines without its blocks of code."""
    text = _CODE_BLOCK.sub(lambda block: "\n" * block[0].count("\n"), page.read_text())
    for number, line in enumerate(text.splitlines(), 1):
        yield Passage(f"{page.relative_to(root)}:{number}", line)


def sentences(page: Path) -> list[str]:
    """Returns the sentences of a page; tables, headings and blocks of code are none."""
    lines = _CODE_BLOCK.sub("\n\n", page.read_text()).splitlines()
    text = "\n".join("" if _TABLE_OR_HEADING.match(line) else line for line in lines)
    plain = _LINK.sub(r"\1", _INLINE_CODE.sub("code", text))
    return [" ".join(part.split()) for part in _SENTENCE_END.split(plain) if len(part.split()) > 2]


def source_passages(file: Path, root: Path) -> Iterator[Passage]:
    """Yields a file's docstrings and comments: Python's by its own parser, all others' by their comment signs."""
    name = str(file.relative_to(root))
    if file.suffix == ".py":
        yield from _docstrings(file, name)
        yield from _comments(file, name)
    else:
        sign = {".sql": "--", ".js": "//"}.get(file.suffix, "#")
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if sign in line:
                yield Passage(f"{name}:{number}", line.partition(sign)[2])


def _docstrings(file: Path, name: str) -> Iterator[Passage]:
    for node in ast.walk(ast.parse(file.read_text())):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield Passage(f"{name}:{node.lineno}", node.value.value)


def _comments(file: Path, name: str) -> Iterator[Passage]:
    for token in tokenize.generate_tokens(io.StringIO(file.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield Passage(f"{name}:{token.start[0]}", token.string.lstrip("# "))
