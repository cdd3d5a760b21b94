"""The command line: ``python -m vecblade`` and the script ``vecblade``."""

from __future__ import annotations

import argparse
import io
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from . import __version__, _core
from ._cli import FORMATS, CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Exit statuses, the last two as a shell has them for a process that a signal ended.
WRONG_USE, INTERRUPTED, BROKEN_PIPE = 2, 128 + 2, 128 + 13


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like those of the commands."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(message)


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def seconds(text: str) -> float:
    if not 0 <= (number := float(text)) <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 3600")
    return number


def parser() -> Parser:
    top = Parser(
        prog="vecblade", description="Exact L2 distance, dot product and cosine over rows of numbers."
    )
    top.add_argument("--version", action="version", version=f"vecblade {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: str, summary: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        made.set_defaults(run=run)
        return made

    search = command("search", "_cli.search", "find the closest rows of a .npy file for the rows of another")
    search.add_argument("--corpus", required=True, metavar="X.npy", help="the rows to search, (m, d)")
    search.add_argument("--queries", required=True, metavar="Q.npy", help="one query, (d,), or n, (n, d)")
    extent = search.add_mutually_exclusive_group()
    extent.add_argument(
        "-k", type=int, metavar="K", help="how many rows to find for each query (default: 10)"
    )
    extent.add_argument(
        "--threshold", type=float, metavar="T", help="find all rows at least this close instead"
    )
    search.add_argument(
        "--metric",
        choices=tuple(_core.METRICS),
        default="euclidean",
        metavar="NAME",
        help=f"{', '.join(_core.METRICS)} (default: euclidean)",
    )
    search.add_argument("--where", metavar="W.npy", help="row ids, or a mask, of the rows that may be found")
    search.add_argument(
        "--texts", metavar="LINES.txt", help="a text for each corpus row, to show beside results"
    )
    search.add_argument(
        "--output", metavar="FILE", help="where to write the result (default: standard output)"
    )
    search.add_argument(
        "--format", choices=FORMATS, help="of the result (default: by the suffix of FILE, else a table)"
    )
    search.add_argument(
        "--threads", type=int, metavar="N", help="how many threads may work (default: all CPUs)"
    )

    compare = command("compare", "_compare.compare", "time other packages and vecblade on this machine")
    for option, default, what in (
        ("--rows", 20_000, "rows of the corpus"),
        ("--dims", 256, "numbers in a row"),
        ("--queries", 100, "queries, where there are many"),
        ("-k", 10, "rows to find for each query"),
        ("--threads", 1, "threads, for every package"),
    ):
        compare.add_argument(
            option, type=positive, default=default, metavar="N", help=f"{what} (default: {default})"
        )
    compare.add_argument(
        "--seconds", type=seconds, default=1.0, metavar="S", help="time to spend on each line (default: 1)"
    )

    info = command("info", "_cli.info", "say which instruction set and which kernels run on this machine")
    info.add_argument("--json", action="store_true", help="as JSON")

    demo = command("demo", "_demo.demo", "search the Python language reference by meaning")
    demo.add_argument("query", nargs="*", metavar="QUERY", help="what to look for (default: some examples)")
    demo.add_argument(
        "--folder", default="vecblade-demo", help="where to put the vectors and texts (default: %(default)s)"
    )
    return top


def run(args: argparse.Namespace) -> Any:
    """Call the command, importing only what it needs."""
    module, function = args.run.split(".")
    return getattr(import_module(f".{module}", __package__), function)(args)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments. Default: those of the process.

    Returns
    -------
    int
        The exit status: 0; 2 after an error, told in one line on standard error; 130 after Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # no text may fail for want of a character
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = run(parser().parse_args(argv)) or 0
        sys.stdout.flush()
    except CommandError as error:
        print("vecblade: error:", " ".join(str(error).split()), file=sys.stderr)
        return WRONG_USE
    except MemoryError as error:
        print("vecblade: error:", error or "not enough memory", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough; what is left must not be flushed at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
