GROUP = "redirection"


def test(benchmark, name, call):
    benchmark.group = name
    benchmark(call)
