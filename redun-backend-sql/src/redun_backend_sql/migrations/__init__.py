"""The history of the schema, and the way from each version to the next.

`tables` is the history as data: what there is at which version. `reshape` brings a database to its shape at a version,
whatever it has already, so that a step can be taken on a database that another program made. A module in ``versions``
is one step; it adds what rows need when they move (`fill`, `clocks`).

Known for certain are the ids of all migrations and the final version, 3.5. What the versions in between held is
reconstructed from documents of their time, so each step looks at what is there instead of trusting its predecessor.
"""
