"""SQL statements come from files of their package."""

import pytest

from wallet_kernel.statements import read_statement


def test_statement_is_the_text_of_its_file() -> None:
    """A statement is the text of the file with its name in the package's folder `sql`."""
    assert read_statement("wallet_kernel.runtime", "totals").startswith("-- Sums a shard's books")


def test_statement_without_a_file_is_an_error() -> None:
    """A statement without a file raises FileNotFoundError."""
    with pytest.raises(FileNotFoundError):
        read_statement("wallet_kernel.runtime", "nothing")
