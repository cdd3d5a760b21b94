"""
From whatever holds numbers to arrays that the core reads.

`arrays` reads an argument, and where it is Arrow's has `arrow` do it, with `exports` for what such objects
hold. `advice` and `missing` refuse what is not an array of numbers, and say what to pass instead. `memory`
tells whose memory rows lie in, `columns` makes rows of columns, and `convert` makes rows of smaller types.
"""
