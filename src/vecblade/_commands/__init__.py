"""
Commands on files: ``truth``, ``recall``, ``convert``, ``index`` and ``completion``.

    parsers.py   what they take
    results.py   neighbours in the formats of benchmarks, written and read
    files.py     rows from one format to another, and what is done with them
"""
