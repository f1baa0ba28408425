"""Measures prose: mannered words in 1,000 words, and the lengths of sentences."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MANNERED = re.compile(
    r"\b(?:told|tells?|nobody|no one|somebody|whoever|whatever|whichever|who (?:asks|reads|sends|waits|looks)"
    # "what" as a noun. "What happens" and "what to do" name their subject.
    r"|what(?! happen(?:s|ed)\b| to do\b| failed\b) \w+|nothing (?:but|else|of|more)|as it (?:was|is|were|came)|as ever"
    r"|come to rest|anew|mend(?:s|ed)?|for (?:ever|good)|to be had|beside|stands?|stood|alike|owe[sd]?|at once|in vain"
    r"|out of reach|g(?:oes|o|oing) on|went on|gives? up|gave up|given up|held up|holds? up|sits? out|turn(?:s|ed) away"
    r"|takes? turns|last word|made good|all the same|on (?:its|their) way|keeps? silent|silent|strangers?"
    # "We", and a component that has a mind.
    r"|we|ours?"
    r"|(?:services?|workers?|relays?|replicas?|orchestrators?|projections?|databases?|servers?|checkers?|lab|stacks?|gateways?"
    r"|coordinators?|it) (?:knows?|believes?|remembers?|forgets?|learns?|hears?|trusts?|wants?|minds?|feels?))\b",
    re.IGNORECASE,
)
"""Words of a mannered style: each hides who does what."""

TEXT_WORDS_MIN = 4
"""A shorter string is a name, a key or a value."""

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
    """Yields a file's docstrings, comments and messages. Of files in other languages than Python, only comments."""
    name = str(file.relative_to(root))
    if file.suffix == ".py":
        yield from _texts(file, name)
        yield from _comments(file, name)
    else:
        sign = {".sql": "--", ".js": "//"}.get(file.suffix, "#")
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if sign in line:
                yield Passage(f"{name}:{number}", line.partition(sign)[2])


def _texts(file: Path, name: str) -> Iterator[Passage]:
    """Yields strings of at least four words: docstrings, messages, and descriptions of settings and metrics."""
    for node in ast.walk(ast.parse(file.read_text())):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and len(node.value.split()) >= TEXT_WORDS_MIN
        ):
            yield Passage(f"{name}:{node.lineno}", node.value)


def _comments(file: Path, name: str) -> Iterator[Passage]:
    for token in tokenize.generate_tokens(io.StringIO(file.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield Passage(f"{name}:{token.start[0]}", token.string.lstrip("# "))
