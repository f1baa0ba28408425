"""`./lab test` runs every test, also those marked `alone`, whose files it names."""

import re

from wallet_lab.checks import ALONE
from wallet_lab.stack.files.home import checkout

_IS_ALONE = re.compile(r"^(@|pytestmark = .*)pytest\.mark\.alone", re.MULTILINE)


def test_check_of_tests_that_run_alone_names_their_files() -> None:
    """A test marked `alone` in another file would not run, because the other checks leave it out."""
    files = [file for folder in ("tests", "*/tests") for file in checkout().glob(f"{folder}/**/*.py")]
    marked = {file for file in files if _IS_ALONE.search(file.read_text())}
    named = [checkout() / argument for argument in ALONE.argv]
    assert marked
    assert [file for file in marked if not any(file.is_relative_to(place) for place in named)] == []
