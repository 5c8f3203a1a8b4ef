import pytest

from redun.errors import PluginError
from redun.plugins import Provider


def test_provider_loads_nested_attributes():
    """A provider's target may name an attribute of an attribute."""
    loaded = Provider("from_bytes", "builtins:int.from_bytes").load()

    assert loaded(b"\x07", "big") == 7


@pytest.mark.parametrize("target", ["builtins", "builtins:", ":int", "", "builtins.int"])
def test_malformed_target_is_an_error(target):
    """A provider's target that is not of the form ``module:attribute`` is an error that says so."""
    with pytest.raises(PluginError, match="is not of the form 'module:attribute'"):
        Provider("thing", target).load()


def test_target_that_is_not_there_is_an_error():
    """A provider's target whose attribute does not exist is an error that quotes the target."""
    with pytest.raises(PluginError) as raised:
        Provider("thing", "builtins:nothing").load()

    assert str(raised.value) == (
        "'thing' is to be found as 'builtins:nothing', but module 'builtins' has no attribute 'nothing'"
    )


def test_what_importing_raises_is_passed_on():
    """A provider whose module can't be imported raises what importing it raises."""
    with pytest.raises(ModuleNotFoundError, match="surely_not_installed"):
        Provider("thing", "surely_not_installed:thing").load()
