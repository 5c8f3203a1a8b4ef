"""Configuration: an ini file in a ``.redun`` folder, read into sections, read into dataclasses.

Values may refer to others as ``${name}`` (same section, then ``[DEFAULT]``, then the environment) or
``${section:name}``; ``$$`` is a dollar sign. Dotted section names nest: ``[executors.batch]`` configures the executor
``batch``. Whoever has options describes them in a frozen dataclass whose fields carry ``help`` in their metadata, and
`parse_options` does the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from configparser import ConfigParser, ExtendedInterpolation, InterpolationMissingOptionError, SectionProxy
from configparser import Error as ParserError
from pathlib import Path
from typing import Any

from redun.errors import ConfigError

CONFIG_FILE = "redun.ini"
CONFIG_FOLDER = ".redun"
CONFIG_VARIABLE = "REDUN_CONFIG"

BATCH_TEMPLATE = """
# Jobs of AWS Batch, for tasks with the option executor="batch":
# [executors.batch]
# type = aws_batch
# image = my-account.dkr.ecr.us-west-2.amazonaws.com/my-image
# queue = my-queue
# s3_scratch = s3://my-bucket/redun/
"""

DEFAULT_CONFIG = f"""\
# redun configuration. Everything here has a default; `redun plugins` lists what can be configured.

[backend]
# Where results and provenance are kept. A path is relative to this folder.
db_uri = sqlite:///redun.db

[executors.default]
# Tasks run on threads of this process.
type = local
max_workers = 20
{BATCH_TEMPLATE}"""


class Config:
    """Sections of options, by name.

    Parameters
    ----------
    config_dict
        Sections with their options. A section may be given as ``"executors.default"`` or nested under ``"executors"``.
    configdir
        The folder that relative paths in the configuration refer to.

    Examples
    --------
    >>> config = Config({"executors": {"default": {"type": "local"}}})
    >>> config.section("executors.default")
    {'type': 'local'}
    >>> config.subsections("executors")
    {'default': {'type': 'local'}}
    >>> config["executors"]["default"]["type"], "backend" in config, config.get("limits", {})
    ('local', False, {})
    """

    def __init__(self, config_dict: Mapping[str, Any] | None = None, configdir: str | None = None) -> None:
        self.configdir = configdir
        self.path: Path | None = None
        self._sections: dict[str, dict[str, str]] = {}
        for name, content in (config_dict or {}).items():
            self._add(name, content)

    @classmethod
    def read_text(cls, text: str, configdir: str | None = None, source: str = "<string>") -> Config:
        """Return the configuration that a text in ini format stands for.

        Raises
        ------
        ConfigError
            When the text is no ini file, or it refers to something that is not defined.
        """
        environment = {name: value.replace("$", "$$") for name, value in os.environ.items()}
        # A name is looked for in the section, then in [DEFAULT], then in the environment; the latter two are defaults
        # to the parser. A second parser, without any, has to say what the file itself sets in which section.
        values = ConfigParser(interpolation=ExtendedInterpolation())
        names = ConfigParser(default_section="", interpolation=None)
        for parser in (values, names):
            parser.optionxform = str  # type: ignore[assignment,method-assign]
        try:
            values.read_dict({values.default_section: environment})
            names.read_string(text, source)
            values.read_string(text, source)
            sections = {
                section: {name: values[section][name] for name in names[section]}
                for section in names.sections()
                if section != values.default_section
            }
        except InterpolationMissingOptionError as error:
            raise ConfigError(
                f"{source}: option {error.option} of [{error.section}] refers to {error.reference!r}, "
                "which neither the file nor the environment defines"
            ) from error
        except ParserError as error:
            raise ConfigError(f"{source} can't be read: {' '.join(str(error).split())}") from error
        return cls(sections, configdir)

    @classmethod
    def read(cls, config_dir: str | Path) -> Config:
        """Return the configuration in a folder's ``redun.ini``.

        Raises
        ------
        ConfigError
            When the file is missing, unreadable or malformed.
        """
        path = Path(config_dir, CONFIG_FILE)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError(
                f"No redun config found at {path}. Run `redun -c {config_dir} init` to create one."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} can't be read: {error}") from error
        config = cls.read_text(text, str(config_dir), str(path))
        config.path = path
        return config

    def section(self, name: str) -> Mapping[str, str]:
        """Return the options of a section; none if there is no such section."""
        return self._sections.get(name, {})

    def sections(self) -> Iterator[str]:
        """Return the names of all sections."""
        return iter(self._sections)

    def subsections(self, group: str) -> Mapping[str, Mapping[str, str]]:
        """Return the sections ``[group.NAME]`` by name."""
        prefix = f"{group}."
        return {name[len(prefix) :]: options for name, options in self._sections.items() if name.startswith(prefix)}

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """Return a section, in which ``[name.OTHER]`` is found as ``OTHER``; a KeyError if there is neither."""
        if name not in self:
            raise KeyError(name)
        inner = dict.fromkeys(path.partition(".")[0] for path in self.subsections(name))
        return {**self.section(name), **{part: self[f"{name}.{part}"] for part in inner}}

    def __contains__(self, name: object) -> bool:
        return any(section == name or section.startswith(f"{name}.") for section in self._sections)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.partition(".")[0] for name in self._sections))

    def get(self, name: str, default: Any = None) -> Any:
        """Return a section as `config[name]` does, or a default if there is none."""
        try:
            return self[name]
        except KeyError:
            return default

    def get_config_dict(self, replace_config_dir: str | None = None) -> dict[str, dict[str, str]]:
        """Return the sections as plain data from which an equal configuration can be made.

        Parameters
        ----------
        replace_config_dir
            What to write in place of this configuration's folder, in options that are a path in it.
        """
        old, new = self.configdir, replace_config_dir
        if old is None or new is None:
            return {name: dict(options) for name, options in self._sections.items()}
        return {
            name: {key: _replace_folder(text, old, new) for key, text in options.items()}
            for name, options in self._sections.items()
        }

    def _add(self, name: str, content: Any) -> None:
        if not isinstance(content, Mapping):
            raise ConfigError(f"section [{name}] must be a mapping of options, not {content!r}")
        options = {key: str(value) for key, value in content.items() if not isinstance(value, Mapping)}
        nested = {key: value for key, value in content.items() if isinstance(value, Mapping)}
        if options or not nested:
            self._sections.setdefault(name, {}).update(options)
        for key, value in nested.items():
            self._add(f"{name}.{key}", value)


def _replace_folder(text: str, old: str, new: str) -> str:
    """Return a path, or a URL of a local path, with the folder that it is in replaced."""
    scheme, separator, path = text.rpartition(":///")
    inside = f"{old.rstrip('/')}/"
    if path == old:
        path = new
    elif path.startswith(inside):
        path = f"{new.rstrip('/')}/{path[len(inside) :]}"
    return f"{scheme}{separator}{path}"


def create_config_section(options: Mapping[str, Any] | None = None) -> SectionProxy:
    """Return options as a section of a configuration has them, all as texts, to make an executor in a program.

    Examples
    --------
    >>> section = create_config_section({"max_workers": 4, "scratch": "/tmp"})
    >>> section["max_workers"], section.getint("max_workers"), section.get("image", "none")
    ('4', 4, 'none')
    """
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_dict({"section": options or {}})
    return parser["section"]


def find_config_dir(explicit: str | None = None, start: str | Path | None = None) -> Path:
    """Return the configuration folder to use, which need not exist.

    Parameters
    ----------
    explicit
        The folder that the user named; it wins over everything.
    start
        Where to look from, default the working directory.

    Returns
    -------
    Path
        The named folder, else that of the environment variable ``REDUN_CONFIG``, else the ``.redun`` folder of the
        nearest directory upwards that has one, else ``.redun`` in the start directory.
    """
    named = explicit or os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    here = Path(start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / CONFIG_FOLDER).is_dir():
            return folder / CONFIG_FOLDER
    return here / CONFIG_FOLDER


def create_config(config_dir: str | Path, write: Callable[[], str] = lambda: DEFAULT_CONFIG) -> bool:
    """Write a ``redun.ini`` into a folder unless there is one; return whether it was written.

    Parameters
    ----------
    config_dir
        The folder.
    write
        Returns what to write.

    Raises
    ------
    ConfigError
        When the folder can't be written.
    """
    from redun.atomic import write_atomically

    path = Path(config_dir, CONFIG_FILE)
    try:
        return not path.exists() and write_atomically(path, write().encode(), overwrite=False)
    except OSError as error:
        raise ConfigError(
            f"the configuration folder {config_dir} can't be written: {error.strerror or error}; "
            "name another one with `redun -c DIR` or the environment variable REDUN_CONFIG"
        ) from error
