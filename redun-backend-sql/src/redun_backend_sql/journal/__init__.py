"""The journal in front of the tables: what was recorded a moment ago, safe against the end of the process.

Writing rows with all their indexes is only cheap in large groups, so records wait for that. Meanwhile they stand in a
journal, a file beside the database that is only ever appended to, one for each group of records of each process.

A journal is *open* while its process lives, which a lock on the file tells. It is *removed* once its records are in the
tables. One whose process is gone is *left behind*: whoever opens the database next records what it holds, up to the
first frame that is damaged, and removes it. Recording again what is in the tables already changes nothing, so it does
not matter when in all this a process is killed.
"""
