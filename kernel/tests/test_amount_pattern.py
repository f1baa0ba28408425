"""The published patterns of amounts and the parser accept the same strings."""

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wallet_kernel.contract.amount_pattern import AMOUNT_PATTERN, BALANCE_PATTERN
from wallet_kernel.money import InvalidAmount, parse_amount, parse_balance

LIMIT = "9223372036854.775807"
NEAR_LIMIT = st.builds(
    lambda index, digit, length: (LIMIT[:index] + digit + LIMIT[index + 1 :])[:length],
    st.integers(0, len(LIMIT) - 1),
    st.sampled_from("0123456789"),
    st.integers(1, len(LIMIT)),
)
DECIMALS = st.from_regex(r"0{0,2}[0-9]{1,14}(\.[0-9]{1,9})?", fullmatch=True)
TEXTS = st.text(alphabet="0123456789.+-e _", max_size=12)


def accepts(parse: Callable[[bytes], int], text: str) -> bool:
    """Returns whether the parser accepts the text as a JSON string."""
    try:
        parse(f'"{text}"'.encode())
    except InvalidAmount:
        return False
    return True


@pytest.mark.parametrize(
    ("pattern", "parse"), [(AMOUNT_PATTERN, parse_amount), (BALANCE_PATTERN, parse_balance)]
)
@given(text=NEAR_LIMIT | DECIMALS | TEXTS)
@example(text="0")
@example(text="0.0000000")
@example(text=LIMIT)
@example(text=LIMIT + "0")
@example(text="9223372036854.775808")
def test_pattern_matches_exactly_what_the_parser_accepts(
    pattern: str, parse: Callable[[bytes], int], text: str
) -> None:
    """A string fits the published pattern if and only if the service accepts it."""
    assert (re.fullmatch(pattern[1:-1], text) is not None) == accepts(parse, text)
