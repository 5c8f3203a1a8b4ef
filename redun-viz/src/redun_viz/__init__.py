"""Pictures of what is recorded: the jobs of an execution, how data flowed between them, and when they ran.

What a picture shows is plain data, worked out by pure functions: `graph` (nodes and edges), `jobs` and `dataflow` (the
two graphs), `totals` and `timeline` (who took how long). `read` gets the records from the store, and one module writes
each format: `svg`, `dot`, `mermaid`, `page`.
"""
