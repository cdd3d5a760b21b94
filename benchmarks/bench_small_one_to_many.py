GROUP = "small-one-to-many"


def test(benchmark, name, call):
    benchmark.group = name
    benchmark(call)
