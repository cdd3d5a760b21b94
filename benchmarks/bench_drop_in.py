GROUP = "drop-in"


def test(benchmark, name, call):
    benchmark.group = name
    benchmark(call)
