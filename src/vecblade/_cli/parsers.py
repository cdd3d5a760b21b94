"""The arguments of the commands on files, and completion of all commands in shells."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

from .. import _core

CONDITION = re.compile(r"\s*(\w+)\s*(==|!=|<=|>=|<|>)\s*(.*?)\s*")
FORMATS = "any format that vecblade.open reads; FILE:NAME for one of several arrays"


def condition(text: str) -> tuple[str, str, Any]:
    """``column op value`` as a condition of pyarrow: the value is JSON, or else text."""
    found = CONDITION.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN OP VALUE, with ==, !=, <, <=, > or >=")
    column, op, value = found.groups()
    try:
        return column, op, json.loads(value)
    except ValueError:
        return column, op, value


def add_corpus(parser: argparse.ArgumentParser, name: str = "corpus") -> None:
    parser.add_argument("corpus", metavar=name.upper(), help=FORMATS)
    parser.add_argument("--vectors", metavar="NAME", help="the column, dataset or tensor that holds the rows")
    parser.add_argument(
        "--filter",
        metavar="CONDITION",
        type=condition,
        action="append",
        help="of a table, such as 'language == de'; several are all to hold",
    )


def add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--metric", default="euclidean", choices=tuple(_core.METRICS), help="default: euclidean"
    )
    parser.add_argument("--dtype", choices=("bfloat16", "bits"), help="what uint16 or uint8 rows hold")
    parser.add_argument("--threads", type=int, help="default: all usable CPUs")


def add(commands: Any) -> None:
    truth = commands.add_parser("truth", help="the exact neighbours of queries, for benchmarks")
    add_corpus(truth)
    truth.add_argument("queries", metavar="QUERIES", help=FORMATS)
    truth.add_argument("--test", metavar="NAME", help="the column, dataset or tensor that holds the queries")
    truth.add_argument("-k", type=int, default=100, help="how many for each query (default: 100)")
    add_search(truth)
    truth.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help=".ivecs (and .fvecs), .ibin, .hdf5, .npz",
    )

    recall = commands.add_parser("recall", help="the share of true neighbours that were found")
    recall.add_argument("found", metavar="FOUND", help=".ivecs, .ibin, .hdf5, .npz or .npy")
    recall.add_argument("truth", metavar="TRUTH", help="the same, as truth writes it")
    recall.add_argument("--rtol", type=float, default=0.0, help="by how much values may be farther")

    convert = commands.add_parser("convert", help="rows from one format to another, block by block")
    add_corpus(convert, "input")
    convert.add_argument(
        "output", metavar="OUTPUT", help=".npy, .fvecs, .bvecs, .ivecs, .fbin, .u8bin, .i8bin, .ibin"
    )

    index = commands.add_parser("index", help="build a FlatIndex in a file, and look after it")
    actions = index.add_subparsers(dest="action", required=True)
    build = actions.add_parser("build", help="an index of rows in any format")
    add_corpus(build)
    build.add_argument("output", metavar="OUTPUT.vecblade")
    add_search(build)
    for name, what in {
        "info": "what is in it",
        "verify": "read all of it, and compare its checksum",
    }.items():
        actions.add_parser(name, help=what).add_argument("index", metavar="INDEX")
    more = actions.add_parser("add", help="append rows; the file is written anew")
    more.add_argument("index", metavar="INDEX")
    add_corpus(more, "rows")
    more.add_argument("--threads", type=int, help="default: all usable CPUs")
    less = actions.add_parser("remove", help="remove rows; the file is written anew")
    less.add_argument("index", metavar="INDEX")
    less.add_argument("rows", metavar="ROWS", help="row numbers with commas between, or a .npy file")
    less.add_argument("--threads", type=int, help="default: all usable CPUs")

    completion = commands.add_parser("completion", help="what a shell needs to complete these commands")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))


# ---- completion ----------------------------------------------------------------------------------


def words(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """Subcommands and options of each command ("": of all), those of its subcommands among them."""
    found: dict[str, list[str]] = {}

    def look(one: argparse.ArgumentParser, name: str) -> None:
        for action in one._actions:
            found.setdefault(name, []).extend(action.option_strings)
            if isinstance(action, argparse._SubParsersAction):
                for word, other in action.choices.items():
                    found[name].append(word)
                    look(other, name or word)

    look(parser, "")
    return {name: sorted(set(some)) for name, some in found.items()}


BASH = """\
_vecblade() {{
    local words here="${{COMP_WORDS[COMP_CWORD]}}"
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    [ "$COMP_CWORD" -eq 1 ] && words="{first}"
    COMPREPLY=($(compgen -W "$words" -- "$here"))
    [ "$COMP_CWORD" -gt 1 ] && COMPREPLY+=($(compgen -f -- "$here"))
}}
complete -o filenames -F _vecblade vecblade
"""


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    known = words(parser)
    first = " ".join(known.pop(""))
    if shell == "fish":
        lines = [f"complete -c vecblade -f -n __fish_use_subcommand -a '{first}'"]
        lines += [
            f"complete -c vecblade -n '__fish_seen_subcommand_from {name}' -a '{' '.join(following)}'"
            for name, following in known.items()
        ]
        return "\n".join(lines) + "\n"
    cases = "\n".join(
        f'        {name}) words="{" ".join(following)}" ;;' for name, following in known.items()
    )
    script = BASH.format(cases=cases, first=first)
    return script if shell == "bash" else f"autoload -U +X bashcompinit && bashcompinit\n{script}"
