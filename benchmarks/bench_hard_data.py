GROUP = "hard-data"


def test(benchmark, name, call):
    benchmark.group = name
    if hasattr(call, "before"):
        benchmark.pedantic(call, setup=call.before, rounds=50)
    else:
        benchmark(call)
