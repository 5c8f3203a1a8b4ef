"""What any executor needs that runs tasks on other machines, and two executors that try it on this one.

A call travels through a *scratch space*, a folder in a store that both sides reach (`scratch`, `formats`). The client
writes its input there and starts a worker by a command line (`jobs`, `command`); the worker (`worker`) gets the code
(`code_package`), makes the call, and leaves a result or an error, which the client collects.

Old Pythons must be able to import this module, so that the worker can say that they are too old.
"""
