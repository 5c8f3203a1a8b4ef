import pytest

from redun import __version__
from redun.errors import RedunError
from redun.requirements import check_version


@pytest.mark.parametrize(
    "requirement",
    [">=0.4.1", "==0.47", "== 0.47.0", ">=0.4.1,<1", "<=0.47.0", ">0.46.9", "<0.48", "!=0.46", "<0.100", ">=0.47.0.0"],
)
def test_version_meets_requirement(requirement):
    """Versions are compared number by number; missing numbers are zero."""
    check_version(requirement, "0.47.0")


@pytest.mark.parametrize("requirement", [">=0.48", "==0.47.1", "<0.47", ">0.47.0", ">=0.4.1,>=1", "<0.5,>=0.4"])
def test_version_does_not_meet_requirement(requirement):
    """Each of the comparisons has to hold."""
    with pytest.raises(RedunError) as raised:
        check_version(requirement, "0.47.0")

    assert str(raised.value) == f"redun version 0.47.0 does not meet requirement {requirement}"


@pytest.mark.parametrize("requirement", ["", "0.47", "~=0.47", ">=0.47rc1", ">=", ">=0.47,", "latest"])
def test_requirement_that_makes_no_sense_is_refused(requirement):
    """What is no list of comparisons is an error that shows one."""
    with pytest.raises(RedunError, match="write it as"):
        check_version(requirement)


def test_program_checks_its_version(call):
    """With --check-version the command runs only if the version fits."""
    right, wrong = call("--check-version", ">=0.4.1", "plugins"), call("--check-version", ">=99", "plugins")

    assert (right.status, right.err) == (0, "")
    assert wrong == (1, "", f"redun: redun version {__version__} does not meet requirement >=99\n")
