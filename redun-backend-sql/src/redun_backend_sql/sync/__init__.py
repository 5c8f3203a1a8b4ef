"""Exchange of records between repositories: as databases (push, pull) and as text (export, import).

`kinds` says what there is to send and how it hangs together, `plan` keeps what was found on disk, `walk` finds it,
`copies` and `transfer` write it to another database, `records` and `export` write it as text, `parsing` and `staging`
read that.
"""
