"""
What this machine can do at most, and how near vecblade and its peers come: ``python -m vecblade.bench``.

`cases` says what is measured (each a `case`), `hard` with what data besides gaussian rows, `peers` with whom,
`limits` what the machine could do, `accuracy` how exact the answers are, `goals` what is aimed at; `pins` gives every
library as many threads, `run` measures, `report` and `charts` make a page of it.
"""
