GROUP = "small-one-to-one"


def test(benchmark, name, call):
    benchmark.group = name
    benchmark(call)
