"""``python -m vecblade.bench``: measure, and write a report; or print a table."""

import argparse
import sys
from pathlib import Path

from .pins import pin


def parser():
    made = argparse.ArgumentParser(
        prog="python -m vecblade.bench",
        description="What this machine can do at most, and how near vecblade and the installed peers come. "
        "BENCH_THREADS=2 in the environment gives every library two threads instead of one.",
    )
    made.add_argument("words", nargs="*", help="groups of cases, and words that a case's name must have")
    made.add_argument(
        "--table", action="store_true", help="print ratios to the fastest peer, write no report"
    )
    made.add_argument(
        "--quick", action="store_true", help="a few small cases of each group, a look at the report"
    )
    made.add_argument("--seconds", type=float, default=1.0, help="for each case, all contenders together")
    made.add_argument(
        "--output", type=Path, default=Path("report"), help="without .json, .html; default: report"
    )
    made.add_argument(
        "--from", dest="source", type=Path, help="make the report of this JSON, measure nothing"
    )
    made.add_argument("--plots", type=Path, metavar="FOLDER", help="also write the README's plots there")
    return made


def main():
    made = parser()
    options = made.parse_args()
    if not options.seconds > 0:
        made.error("--seconds must be more than 0")
    if options.source and not options.source.is_file():
        made.error(f"there is no file {options.source}")
    if not options.table and not options.output.parent.is_dir():
        made.error(f"there is no folder {options.output.parent} for the report")
    pin("-m", "vecblade.bench", *sys.argv[1:])
    from . import report  # not before: NumPy comes with it

    report.main(options)


if __name__ == "__main__":
    main()
