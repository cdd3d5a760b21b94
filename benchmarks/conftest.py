"""One benchmark for each case of a file's group and each contender; see cases.py."""

from cases import GROUPS


def pytest_generate_tests(metafunc):
    group = getattr(metafunc.module, "GROUP", None)
    if group:
        runs = [(name, who, call) for name, case in GROUPS[group]() for who, call in case.items()]
        metafunc.parametrize(
            ("name", "call"), [(n, c) for n, _, c in runs], ids=[f"{n}-{w}" for n, w, _ in runs]
        )
