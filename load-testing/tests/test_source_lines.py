"""The lines of source that the report counts."""

import pytest

from wallet_lab.comparison.source_lines import closure, count, imported, python_lines, sql_lines

MODULE = '''"""A docstring
of two lines."""

# A comment.
import os  # a comment beside code


class One:
    """A docstring."""

    field: int = 1
    """A docstring of an attribute."""

    text = """not a docstring
    but a value"""

    def method(self) -> str:
        """A docstring."""
        return (
            "one"
            "two"
        )
'''


def test_lines_of_python_are_lines_with_code() -> None:
    """Blank lines, comments and docstrings do not count; each line of a value of several lines does."""
    assert python_lines(MODULE) == 10


def test_lines_of_sql_are_lines_with_code() -> None:
    """Blank lines and comments do not count."""
    assert sql_lines("-- why\nSELECT 1\n\n  -- and\n  FROM wallets;\n") == 2


def test_imports_can_mean_modules_or_names() -> None:
    """`from a import b` can import the module a.b."""
    found = imported("import wallet_kernel.ids\nfrom wallet_kernel import http\n")
    assert found == {"wallet_kernel.ids", "wallet_kernel", "wallet_kernel.http"}


def test_closure_follows_imports_of_this_project_only() -> None:
    """Modules that are imported indirectly count; other packages and migrations do not."""
    sources = {
        "wallet_one.service": "from wallet_one import store",
        "wallet_one.service.__main__": "import asyncpg",
        "wallet_one.store": "import wallet_kernel.money\nfrom wallet_one.migrations import run",
        "wallet_one.migrations": "",
        "wallet_kernel.money": "from wallet_one.store import a_circle",
        "wallet_one.unused": "",
    }
    assert closure(["wallet_one.service"], sources.get) == {
        *("wallet_one.service", "wallet_one.service.__main__", "wallet_one.store", "wallet_kernel.money")
    }


@pytest.mark.parametrize("module", ["wallet_saga.worker", "wallet_cqrs.relay", "wallet_baselines.acid"])
def test_services_of_this_project_can_be_counted(module: str) -> None:
    """Every service has own lines and lines of the kernel."""
    found = count([module])
    assert found.own > 100
    assert found.kernel > 100
