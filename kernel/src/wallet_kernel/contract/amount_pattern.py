"""Regular expressions of amounts that clients may send as strings. They match exactly what `money` accepts."""

from collections.abc import Iterator
from typing import Final

from wallet_kernel.money import AMOUNT_MAX_MICROS

_PLACES: Final = 6
_LIMIT: Final = str(AMOUNT_MAX_MICROS)
_WHOLE_MAX, _FRACTION_MAX = _LIMIT[:-_PLACES], _LIMIT[-_PLACES:]


def _below(limit: str) -> Iterator[str]:
    """Yields patterns of the digit strings that have the limit's length and are smaller than the limit."""
    for index, digit in enumerate(limit):
        if digit != "0":
            yield f"{limit[:index]}[0-{int(digit) - 1}][0-9]{{{len(limit) - index - 1}}}"


def _fractions_up_to(limit: str) -> Iterator[str]:
    """Yields patterns of the decimal places up to the limit, without trailing zeros."""
    for index, digit in enumerate(limit):
        if digit != "0":
            yield f"{limit[:index]}[0-{int(digit) - 1}][0-9]{{0,{len(limit) - index - 1}}}"
    yield from (limit[:length] for length in range(1, len(limit) + 1))


_WHOLE = "|".join([f"[0-9]{{1,{len(_WHOLE_MAX) - 1}}}", *_below(_WHOLE_MAX)])
_ANY_FRACTION = rf"(?:\.[0-9]{{1,{_PLACES}}}0*)?"
_LAST_FRACTION = rf"(?:\.(?:{'|'.join(_fractions_up_to(_FRACTION_MAX))})0*)?"
_UP_TO_LIMIT = f"0*(?:(?:{_WHOLE}){_ANY_FRACTION}|{_WHOLE_MAX}{_LAST_FRACTION})"

BALANCE_PATTERN: Final = f"^{_UP_TO_LIMIT}$"
"""Zero to 9223372036854.775807, with at most six decimal places apart from trailing zeros."""

AMOUNT_PATTERN: Final = rf"^(?!0*(?:\.0*)?$){_UP_TO_LIMIT}$"
"""`BALANCE_PATTERN` without zero."""
