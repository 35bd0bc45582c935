"""The sections of the report: a file and a template of the same name each.

A module here has `ORDER` (where it stands), `TITLE`, `COMMANDS` (whose runs it tells of) and
`build(contents, page)`, which gives what its template reads, or None where the run has nothing to
say under that title.
"""
