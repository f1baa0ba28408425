"""Money: exact decimals in JSON, integers inside. Python's decimal.Decimal is the model."""

import contextlib
import json
import time
from decimal import Decimal, localcontext

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wallet_kernel.money import AMOUNT_MAX_MICROS, InvalidAmount, format_micros, parse_amount, parse_balance

NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,14})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
PLAIN = st.from_regex(r"[0-9]{1,24}(\.[0-9]{1,14})?", fullmatch=True)
MICROS = st.integers(0, AMOUNT_MAX_MICROS) | st.sampled_from(
    [0, 1, 2**53 + 1, AMOUNT_MAX_MICROS - 1, AMOUNT_MAX_MICROS]
)


def by_decimal(text: str) -> int | None:
    """Returns the micros by decimal arithmetic, or None for an unacceptable amount."""
    with localcontext() as context:
        context.prec = 2000
        micros = Decimal(text) * 1_000_000
        acceptable = micros == micros.to_integral_value() and 0 <= micros <= AMOUNT_MAX_MICROS
        return int(micros) if acceptable else None


def parsed(raw: str) -> int | None:
    """Returns the micros of a JSON value, or None if it is refused."""
    try:
        return parse_balance(raw.encode())
    except InvalidAmount:
        return None


@given(NUMBERS)
@example("9223372036854.775807")
@example("9223372036854.775808")
@example("-0e5")
@example("1e-6")
@example("0.0000010")
@example("9007199254.740993")
def test_number_is_parsed_as_decimal_arithmetic_would(text: str) -> None:
    """A JSON number is accepted if and only if its exact value fits, and keeps that value."""
    assert parsed(text) == by_decimal(text)


@given(PLAIN)
@example("007.10")
def test_string_of_plain_digits_is_parsed_as_decimal_arithmetic_would(text: str) -> None:
    """A string of plain decimal digits has the same value as the number."""
    assert parsed(json.dumps(text)) == by_decimal(text)


@given(MICROS)
def test_formatted_amount_parses_back(micros: int) -> None:
    """A formatted amount parses to the same value, over the whole range."""
    assert parse_balance(format_micros(micros).encode()) == micros


@given(st.integers(-(2**80), 2**80))
def test_format_is_exact_and_canonical(micros: int) -> None:
    """A formatted amount is exact, for both signs and any size, without exponent and trailing zeros."""
    text = format_micros(micros)
    with localcontext() as context:
        context.prec = 100
        assert Decimal(text) * 1_000_000 == micros
    assert "e" not in text.lower()
    assert "." not in text or not text.endswith(("0", "."))
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == Decimal(text)


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (10_024_200_000, "10024.2"),
        (1, "0.000001"),
        (-1, "-0.000001"),
        (0, "0"),
        (10_234_000, "10.234"),
        (1_000_000, "1"),
    ],
)
def test_examples_of_the_contract_are_formatted_as_there(micros: int, text: str) -> None:
    """The contract's example amounts are formatted as in the contract."""
    assert format_micros(micros) == text


@given(micros=st.integers(1, AMOUNT_MAX_MICROS), shift=st.integers(-400, 400))
def test_exponents_are_accepted_if_the_value_is_exact(micros: int, shift: int) -> None:
    """Exponents and trailing zeros are accepted if the exact value has at most 6 decimal places."""
    digits = str(micros)
    text = (
        f"{digits}{'0' * shift}e{-6 - shift}"
        if shift >= 0
        else f"0.{'0' * -shift}{digits}e{len(digits) - shift - 6}"
    )
    assert parse_amount(text.encode()) == micros


def test_amounts_never_pass_through_a_float() -> None:
    """Neighbouring amounts that share one binary float stay different: 2^53 micros and the next."""
    assert parse_amount(b"9007199254.740993") == 9007199254740993
    assert parse_amount(b'"9007199254.740992"') == 9007199254740992
    assert float("9223372036854.775807") == float("9223372036854.775808"), (
        "the premise: as floats, these are equal"
    )
    assert parse_amount(b"9223372036854.775807") == AMOUNT_MAX_MICROS
    with pytest.raises(InvalidAmount, match=r"above 9223372036854\.775807"):
        parse_amount(b"9223372036854.775808")


@pytest.mark.parametrize("zero", ["0", "0.0", "-0", "0e99999999999", '"0"', '"0.000000000"'])
def test_zero_is_a_valid_balance_but_not_a_valid_amount(zero: str) -> None:
    """Zero, in any spelling, is a valid balance but not a valid amount."""
    assert parse_balance(zero.encode()) == 0
    with pytest.raises(InvalidAmount, match="greater than 0"):
        parse_amount(zero.encode())


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("-1", "negative"),
        ("-0.0000001", "negative"),
        ("0.0000001", "more than 6"),
        ("1.2345678", "more than 6"),
        ("1e-7", "more than 6"),
        ("1e400", "is above"),
        ("9223372036855", "is above"),
        ("null", "decimal number"),
        ("true", "decimal number"),
        ("[1]", "decimal number"),
        ('{"a":1}', "decimal number"),
        ("NaN", "decimal number"),
        ("Infinity", "decimal number"),
        ('"-1"', "decimal number"),
        ('"+1"', "decimal number"),
        ('"1e3"', "decimal number"),
        ('" 1"', "decimal number"),
        ('"1 "', "decimal number"),
        ('"1_000"', "decimal number"),
        ('"1,5"', "decimal number"),
        ('".5"', "decimal number"),
        ('"5."', "decimal number"),
        ('""', "decimal number"),
        ('"NaN"', "decimal number"),
        ('"0x10"', "decimal number"),
        ('"\u0661"', "decimal number"),
        ('"\uff11"', "decimal number"),
        ('"1', "JSON text"),
        ("", "decimal number"),
    ],
)
def test_refusal_of_an_amount_has_a_reason(raw: str, reason: str) -> None:
    """An inexact or out-of-range amount is refused with a reason."""
    with pytest.raises(InvalidAmount, match=reason):
        parse_amount(raw.encode())


def test_escapes_in_a_string_are_decoded() -> None:
    """Escapes in a JSON string are decoded: an escaped digit is that digit."""
    assert parse_amount(rb'"\u0031.5"') == 1_500_000


@pytest.mark.parametrize(
    "raw",
    [
        b"1e" + b"9" * 60_000,
        b"1e-" + b"9" * 60_000,
        b"1e999999",
        b"1e-999999",
        b"9" * 64_000,
        b"0." + b"0" * 64_000 + b"1",
        b"1" + b"0" * 64_000 + b"e64000",
        b"0e" + b"9" * 60_000,
        b'"' + b"9" * 64_000 + b'"',
    ],
    ids=lambda raw: f"{raw[:6].decode()}… of {len(raw)} bytes",
)
def test_largest_number_is_parsed_in_milliseconds(raw: bytes) -> None:
    """The most expensive number that fits a body costs milliseconds, because its power of ten is not computed."""
    start = time.process_time()
    with contextlib.suppress(InvalidAmount):
        assert parse_balance(raw) == 0
    assert time.process_time() - start < 0.05


def test_long_digits_cancelled_by_their_exponent_are_exact() -> None:
    """A number as long as a body with the value 1 is parsed as 1."""
    assert parse_amount(b"1" + b"0" * 60_000 + b"e-60000") == 1_000_000
    assert parse_amount(b"0." + b"0" * 59_999 + b"1e60000") == 1_000_000


@given(st.binary(max_size=40))
def test_random_bytes_raise_only_invalid_amount(raw: bytes) -> None:
    """Any bytes give micros in range or InvalidAmount, never another error."""
    with contextlib.suppress(InvalidAmount):
        assert 0 <= parse_balance(raw) <= AMOUNT_MAX_MICROS


@given(NUMBERS)
def test_decoder_passes_the_digits_unchanged(text: str) -> None:
    """The decoder (msgspec) passes the digits of the request unchanged."""
    body = msgspec.json.decode(b'{"amount": %s }' % text.encode(), type=dict[str, msgspec.Raw])
    assert bytes(body["amount"]).decode() == text
