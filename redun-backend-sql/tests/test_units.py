import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun_backend_sql.units import format_size, parse_age, parse_size


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("10 GB", 10**10), ("1.5MB", 1_500_000), ("2kib", 2048), ("1T", 10**12), (" 7b ", 7)]
)
def test_sizes_are_read(text, size):
    """A size has a unit of a thousand or of 1024, in any case, or none."""
    assert parse_size(text) == size


@pytest.mark.parametrize(("text", "seconds"), [("90d", 7_776_000), ("1.5h", 5400), ("2W", 1_209_600), ("10", 10)])
def test_ages_are_read(text, seconds):
    """A length of time has a unit from seconds to years, or none for seconds."""
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "GB", "-1", "1 2", "5 apples", "1e3", "inf", "1,5"])
@pytest.mark.parametrize("parse", [parse_size, parse_age])
def test_other_texts_are_refused(parse, text):
    """What is no number with a unit is an error that shows examples."""
    with pytest.raises(ValueError, match=r"is not a .*, such as "):
        parse(text)


@given(st.integers(0, 10**17))
def test_shown_size_is_close(size):
    """A size is shown with three digits, and read again is the same but for rounding."""
    assert parse_size(format_size(size)) == pytest.approx(size, rel=0.06, abs=0.5)
