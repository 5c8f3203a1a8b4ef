"""What a Spark executor can be told in its section of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from redun_remote.code_package import CodeOptions


@dataclass(frozen=True)
class SparkOptions(CodeOptions):
    """Options of the Spark executor.

    Examples
    --------
    >>> SparkOptions(remote="sc://cluster:15002", master="yarn")
    Traceback (most recent call last):
    ValueError: master and remote exclude each other: with remote, the Spark Connect server has the master
    """

    master: str = field(
        default="", metadata={"help": "where Spark runs, such as local[4], spark://host:7077 or yarn; default local[*]"}
    )
    remote: str = field(
        default="",
        metadata={"help": "the address of a Spark Connect server, such as sc://host:15002, in place of master"},
    )
    app_name: str = field(default="redun", metadata={"help": "what Spark calls the application"})
    mode: str = field(
        default="tasks",
        metadata={
            "help": "tasks: calls run on the cluster; driver: they run here, with a Spark session for DataFrames",
            "choices": ("tasks", "driver"),
        },
    )
    session: str = field(
        default="new",
        metadata={
            "help": "new: start a session and stop it; existing: use the one that runs in this process",
            "choices": ("new", "existing"),
        },
    )
    conf: dict[str, Any] = field(
        default_factory=dict,
        metadata={"help": "properties of Spark, as a JSON object; they go before all other options"},
    )
    py_files: list[str] = field(
        default_factory=list, metadata={"help": "modules and archives that are sent to the workers' Pythons"}
    )
    code_package: bool = field(
        default=False, metadata={"help": "whether the code of the working folder is sent to the workers, as an archive"}
    )
    max_partitions: int = field(
        default=200, metadata={"help": "how many partitions a Spark job has at most (mode tasks)", "minimum": 1}
    )
    batch_interval: float = field(
        default=0.05,
        metadata={"help": "seconds in which calls are gathered for one Spark job (mode tasks)", "minimum": 0},
    )
    max_workers: int = field(
        default=8, metadata={"help": "how many tasks run at the same time (mode driver)", "minimum": 1}
    )
    dynamic_allocation: bool = field(
        default=False, metadata={"help": "whether Spark adds and removes executors as calls wait"}
    )
    address: str = field(
        default="",
        metadata={"help": "HOST or HOST:PORT where workers reach this process; default Spark's driver host, any port"},
    )
    log_dir: str = field(
        default="",
        metadata={"help": "the folder for what Spark logs here; default one in the folder for temporary files"},
    )

    def __post_init__(self) -> None:
        if self.remote and self.master:
            raise ValueError(
                "master and remote exclude each other: with remote, the Spark Connect server has the master"
            )
        if self.session == "existing" and (self.remote or self.master):
            raise ValueError(
                "session = existing uses the session that runs in this process; leave master and remote out"
            )
        port = self.address.rpartition(":")[2] if ":" in self.address else "0"
        if not port.isdigit():
            raise ValueError(f"address = {self.address!r} is neither HOST nor HOST:PORT")
