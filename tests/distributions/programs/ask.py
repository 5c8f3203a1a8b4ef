"""Ask the database in which the workflow of `counts` was recorded, with classes: which job made its file."""

from redun.backends.db import RedunBackendDb
from redun.backends.db.query import find_file

if __name__ == "__main__":
    backend = RedunBackendDb("sqlite:///.redun/redun.db")
    backend.load()
    file, job, kind = find_file(backend.session, "0.txt")
    assert kind == "result"
    print(job.task.fullname, file.path)
    backend.close()
