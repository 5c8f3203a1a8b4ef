"""The plugin as others see it."""

import subprocess
import sys

import pytest

from redun.testing import PluginContract

RUN = """
import sys
from redun_cli.main import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""


class TestPlugin(PluginContract):
    distribution = "redun-executor-spark"


@pytest.mark.parametrize(
    "code",
    [
        "import sys, redun; print(*sys.modules)",
        "import sys; from redun import ShardedDataset; from redun.glue import udf; print(*sys.modules)",
        "import sys, redun_executor_spark.executor; print(*sys.modules)",
    ],
)
def test_importing_loads_no_pyspark(code):
    """Neither redun nor what tasks import of this package loads pyspark, nor does an executor without calls."""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "redun" in loaded
    assert [name for name in loaded if name.partition(".")[0] in ("pyspark", "py4j")] == []


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["plugins", "executor-spark"], ["spark", "--help"]])
def test_listing_loads_no_pyspark(arguments):
    """Help and the list of plugins load no pyspark."""
    loaded = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True).stderr.split()

    assert "redun_cli.main" in loaded
    assert [name for name in loaded if name.partition(".")[0] in ("pyspark", "py4j")] == []
