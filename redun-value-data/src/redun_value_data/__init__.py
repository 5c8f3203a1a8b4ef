"""Arrays, data frames and tables as values of workflows, identified by what they hold.

`content` says what is hashed, `arrays`, `tables`, `pandas_frames` and `polars_frames` do it for one library each and
are only imported when a value of it is met; `preview` shows stored ones without these libraries, or with pyarrow alone.
Arrays and frames inside a list or another container are pickled with it.
"""
