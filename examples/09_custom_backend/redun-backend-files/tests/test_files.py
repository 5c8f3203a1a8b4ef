"""The store keeps the contracts of plugins and of stores."""

from redun_backend_files.backend import FilesBackend, FilesOptions

from redun.testing import BackendContract, PluginContract


class TestPlugin(PluginContract):
    distribution = "redun-backend-files"


class TestFiles(BackendContract):
    def make_backend(self, folder):
        return FilesBackend(FilesOptions(config_dir=str(folder)))
