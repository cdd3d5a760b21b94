GROUP = "small-many-to-many"


def test(benchmark, name, call):
    benchmark.group = name
    benchmark(call)
