"""What workflows do, told to others while they do it.

`event_log` writes a file of events, `spans` makes spans of OpenTelemetry, `lineage` tells OpenLineage which files went
into and came out of calls. Each is an observer that a section ``[observers.NAME]`` asks for. What takes time they
leave to an `outbox`, so that neither a full disk nor a slow or silent server holds up or stops a run.
"""
