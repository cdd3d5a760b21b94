"""
The command line.

``python -m vecblade search | truth | recall | convert | index | compare | run | info | demo | completion``
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        from ._cli.search import visible

        super().error(visible(message))


def metric_name(text: str) -> str:
    from ._metrics import resolve

    try:
        return resolve(text).name
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parser() -> argparse.ArgumentParser:
    """All commands."""
    from . import METRICS, __version__
    from ._cli import parsers  # what commands do is imported when they run

    top = Parser(
        prog="vecblade", description="Exact distances, dot products and cosines: on .npy files, and compared."
    )
    top.add_argument("--version", action="version", version=f"vecblade {__version__}")
    commands = top.add_subparsers(dest="command", required=True)

    search = commands.add_parser("search", help="the rows of one file closest to those of another")
    search.add_argument("paths", nargs="*", metavar="CORPUS QUERIES", help="or --corpus and --queries")
    search.add_argument("--corpus", metavar="X.npy", help=f"(m, d); {parsers.FORMATS}")
    search.add_argument("--queries", metavar="Q.npy", help="(n, d) or (d,); likewise")
    kind = search.add_mutually_exclusive_group()
    kind.add_argument("-k", type=int, default=10, help="results per query (default: 10)")
    kind.add_argument("--threshold", type=float, help="instead of -k: all rows at least this close")
    search.add_argument(
        "--metric",
        default="euclidean",
        type=metric_name,
        metavar=f"{{{','.join(METRICS)}}}",
        help="default: euclidean",
    )
    search.add_argument(
        "--dtype", choices=("bfloat16", "bits"), help="what uint16 or uint8 files hold (bits: packed)"
    )
    search.add_argument("--where", metavar="ROWS.npy", help="a boolean mask, or row ids: search only these")
    search.add_argument("--texts", metavar="FILE", help="one line per corpus row, or a column of the corpus")
    search.add_argument("--threads", type=int, help="default: all usable CPUs")
    search.add_argument(
        "--format",
        choices=("table", "csv", "json", "npz"),
        help="default: by the suffix of --output (.txt: table), or table",
    )
    search.add_argument("--output", metavar="FILE", help="default, and with -: standard output")

    compare = commands.add_parser(
        "compare", help="NumPy, SciPy and scikit-learn idioms next to vecblade, on this machine"
    )
    compare.add_argument("--rows", type=int, default=20_000)
    compare.add_argument("--dims", type=int, default=256)
    compare.add_argument("--queries", type=int, default=50)
    compare.add_argument("-k", type=int, default=10)
    compare.add_argument("--seconds", type=float, default=1.0, help="for each line of the table")
    compare.add_argument("--threads", type=int, default=1, help="for every library (default: 1)")

    script = commands.add_parser(
        "run", help="a script, unmodified, with SciPy's and scikit-learn's functions accelerated"
    )
    script.add_argument("--log", action="store_true", help="a line for each call, to standard error")
    script.add_argument(
        "-m", dest="module", action="store_true", help="a module instead, as python -m has it"
    )
    script.add_argument("script", metavar="script.py", help="or the name of a module")
    script.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="arguments for the script")

    parsers.add(commands)

    info = commands.add_parser("info", help="which instruction set runs, and which kernels")
    info.add_argument("--json", action="store_true")

    demo = commands.add_parser("demo", help="search the Python language reference by meaning")
    demo.add_argument("question", nargs="*", help="default: a few")
    demo.add_argument("-k", type=int, default=3)
    demo.add_argument(
        "--folder", default="vecblade-demo", help="where its .npy files go (default: %(default)s)"
    )
    return top


def run(arguments: argparse.Namespace) -> int:
    if arguments.command == "search":
        from ._cli.search import search

        return search(arguments)
    if arguments.command == "compare":
        from ._cli.compare import compare

        return compare(arguments)
    if arguments.command == "demo":
        from ._cli.demo import demo

        return demo(arguments)
    if arguments.command in ("truth", "recall", "convert", "index"):
        from ._cli import files

        return int(getattr(files, arguments.command)(arguments))
    if arguments.command == "completion":
        from ._cli import parsers

        print(parsers.completion(parser(), arguments.shell), end="")
        return 0
    from ._cli.search import info

    return info(arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Returns its exit status: 2 for wrong input, 130 after Ctrl-C."""
    arguments = parser().parse_args(argv)
    if arguments.command == "run":
        from ._dropin.patch import run_patched

        run_patched(arguments.script, arguments.arguments, arguments.module, arguments.log)
        return 0
    try:
        return run(arguments)
    except (ImportError, OSError, TypeError, ValueError, MemoryError) as error:
        if isinstance(error, BrokenPipeError) and error.filename is None:  # the reader has what it wanted
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        from ._cli.search import visible

        print(f"vecblade: error: {visible(str(error)) or type(error).__name__}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("vecblade: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
