"""Ask the call graph with classes: what went into the report, and which calls returned numbers."""

from redun.backends.db import Job, RedunBackendDb
from redun.backends.db.dataflow import walk_dataflow
from redun.backends.db.query import CallGraphQuery

backend = RedunBackendDb("sqlite:///.redun/redun.db")
backend.load()

report = backend.query("out/report.txt")
print(report)
[call] = [call for call in report.value.results if call.task.name == "write_report"]
print(call.task.fullname, "was given", ", ".join(repr(argument.value_parsed) for argument in call.arguments))
print("which came from", ", ".join(sorted(found.task_name for found in call.arguments[1].upstream)))
print("below", ", ".join(parent.task_name for parent in call.parents))

slowest = max(backend.query(Job).all(), key=lambda job: job.duration)
print("the job that took longest was that of", slowest.task.fullname)

query = CallGraphQuery(backend.session)
print(dict(query.filter_task_names(["weather.*"]).count()))
print([job.task.name for job in query.filter_types(["Job"]).filter_tags([("kind", "report")]).all()])
print(sorted(value.preview for value in query.filter_types(["Value"]).filter_value_types(["builtins.float"]).all()))
print(sorted(file.path for file in query.filter_file_paths(["data/*"]).all()))

sources = {edge.destination.value.preview for edge in walk_dataflow(backend, report.value) if edge.destination}
print(len([source for source in sources if source.startswith("File(path='data/")]), "files of data are behind it")
backend.close()
