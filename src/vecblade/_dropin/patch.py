"""`patch`: SciPy's and scikit-learn's functions replaced by ours, and back.

What is replaced is listed in `TARGETS`. A library that is not loaded yet is patched as soon as it is
(`Finder`). Modules inside the two libraries that hold one of the functions under any name get ours too, and
their own back.
"""

import functools
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib.machinery import ModuleSpec
from types import ModuleType, TracebackType
from typing import Any, Self

from .._core import Guard
from . import common

# The module of the originals, where ours are, and the names: of functions, or of a method of a class.
TARGETS = {
    "scipy.spatial.distance": (
        "vecblade.scipy",
        ("cdist", "cosine", "euclidean", "hamming", "jaccard", "pdist", "sqeuclidean"),
    ),
    "sklearn.metrics.pairwise": (
        "vecblade.sklearn",
        (
            "cosine_distances",
            "cosine_similarity",
            "euclidean_distances",
            "pairwise_distances",
            "pairwise_distances_argmin",
            "pairwise_distances_argmin_min",
        ),
    ),
    "sklearn.neighbors": (
        "vecblade._dropin.neighbors",
        ("NearestNeighbors.kneighbors", "NearestNeighbors.radius_neighbors"),
    ),
}
LIBRARIES = tuple({name.partition(".")[0] for name in TARGETS})
# Tables of functions by metric, in sklearn.metrics.pairwise.
TABLES = ("PAIRWISE_DISTANCE_FUNCTIONS", "PAIRWISE_KERNEL_FUNCTIONS")

_guard = Guard()
_stack: list["Patch"] = []
# What is in place of an original now, by module and name.
_placed: dict[tuple[str, str], Any] = {}


class Patch:
    """What `patch` returns: leaving its ``with`` block takes that call of `patch` back."""

    def __init__(self, log: bool) -> None:
        self.log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _guard(_take_back, self)


def patch(log: bool = False) -> AbstractContextManager[object]:
    """
    Replace SciPy's and scikit-learn's functions by the accelerated ones, in all of the process.

    These are ``cdist``, ``pdist``, ``cosine``, ``euclidean``, ``sqeuclidean``, ``hamming`` and ``jaccard``
    of ``scipy.spatial.distance``; ``cosine_similarity``, ``cosine_distances``, ``euclidean_distances``,
    ``pairwise_distances``, ``pairwise_distances_argmin`` and ``pairwise_distances_argmin_min`` of
    ``sklearn.metrics.pairwise`` (and ``sklearn.metrics``); and the methods ``kneighbors`` and
    ``radius_neighbors`` of the estimators of ``sklearn.neighbors``. Calls that are not accelerated are
    forwarded to the originals. Names that a program has imported from these modules before (``from
    scipy.spatial.distance import cdist``) stay what they are.

    Parameters
    ----------
    log : bool
        Log a line for each call, with what answered it, at level INFO to the logger ``"vecblade"``; to
        standard error if logging is not configured.

    Returns
    -------
    context manager
        Leaving its ``with`` block undoes this call; it need not be used. `unpatch` undoes all calls.

    Raises
    ------
    TypeError
        `log` is not a bool.

    Examples
    --------
    >>> import vecblade as vb
    >>> from scipy.spatial import distance
    >>> with vb.patch():
    ...     distance.cdist.__module__
    'vecblade.scipy'
    >>> distance.cdist.__module__
    'scipy.spatial.distance'
    """
    if not isinstance(log, bool):
        raise TypeError(f"log must be a bool, not {log!r}")
    if log:
        _make_visible()
    made = Patch(log)
    if half := _guard(_add, made):
        # Another thread is importing them, and began before there was a finder: wait, outside of the guard.
        for name in half:
            importlib.import_module(name)
        _guard(_apply)
    return made


def _add(made: Patch) -> list[str]:
    """Put it in force; returns the modules that are half loaded."""
    _stack.append(made)
    _apply()
    return [name for name in TARGETS if name in sys.modules and _is_loading(sys.modules[name])]


def _take_back(*made: Patch) -> None:
    _stack[:] = [other for other in _stack if other not in made]
    _apply()


def unpatch() -> None:
    """
    Put SciPy's and scikit-learn's own functions back, however often `patch` was called.

    Examples
    --------
    >>> import vecblade as vb
    >>> _ = vb.patch()
    >>> vb.unpatch()
    """
    _guard(lambda: _take_back(*_stack))


def run_patched(script: str, arguments: list[str], module: bool, log: bool) -> None:
    """Run a script (or a module by its name) as Python would, patched; its errors and exits are its own."""
    import builtins
    import os
    import runpy
    import types
    from importlib.machinery import SourceFileLoader

    path = os.path.abspath(script)
    if not module and not os.path.exists(path):
        print(f"vecblade: error: there is no file {script!r} to run", file=sys.stderr)
        sys.exit(2)
    patch(log)
    sys.argv = [script, *arguments]
    # It stays when the script has ended: for what runs at exit, and in threads.
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, __file__=path)
    if module:
        sys.path[0] = os.getcwd()
        runpy._run_module_as_main(script)  # type: ignore[attr-defined] # what python -m does
    elif os.path.isfile(path) and not path.endswith((".zip", ".pyz", ".pyc")):
        sys.path[0] = os.path.dirname(path)
        main.__loader__ = SourceFileLoader("__main__", path)
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec")
        exec(code, main.__dict__)
    else:  # a folder or an archive with a __main__.py
        runpy.run_path(path, run_name="__main__")


# ---- in place and back ---------------------------------------------------------------------


def _apply() -> None:
    """Put in place what the last call of `patch` wants. Call it under the guard."""
    if _stack:
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        # A module that is only half loaded gets its turn from the finder.
        for module in TARGETS:
            if module in sys.modules and not _is_loading(sys.modules[module]):
                _place(module)
        return
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    _swap({key: common.original(*key) for key in _placed})
    _placed.clear()


def _is_loading(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _place(module: str) -> None:
    """Put our functions in place of a loaded module's. Call it under the guard."""
    home, names = TARGETS[module]
    # First all originals: looking one up must never find ours.
    keys = {(module, name): common.original(module, name) for name in names}
    try:
        ours = importlib.import_module(home)
    except ImportError:  # a version of the library that lacks what ours needs: it keeps its own
        return
    log = any(made.log for made in _stack)
    _swap(
        {
            (module, name): Logged(module, name, function) if log else function
            for _, name in keys
            for function in [getattr(ours, name.rpartition(".")[2])]
        }
    )


def _swap(wanted: dict[tuple[str, str], Any]) -> None:
    """Replace the functions of these names wherever the two libraries hold them."""
    functions = {}
    for (module, name), new in wanted.items():
        old = _placed.get((module, name), common.original(module, name))
        if "." in name:
            kind, method = name.split(".")
            owner = _owner(getattr(sys.modules[module], kind), method)
            setattr(owner, method, new)
        elif old is not new:
            functions[id(old)] = (old, new)
        _placed[module, name] = new
    for namespace in _namespaces():
        for name, value in list(namespace.items()):
            old, new = functions.get(id(value), (None, None))
            if old is not None and value is old:
                namespace[name] = new


def _owner(kind: type, method: str) -> type:
    """The class that defines the method, for all that inherit it."""
    return next(base for base in kind.__mro__ if method in vars(base))


def _namespaces() -> Iterator[dict[str, Any]]:
    """The globals of every loaded module of the two libraries, and scikit-learn's tables by metric."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in LIBRARIES and hasattr(module, "__dict__"):
            yield vars(module)
    pairwise = sys.modules.get("sklearn.metrics.pairwise")
    for table in TABLES:
        if isinstance(found := getattr(pairwise, table, None), dict):
            yield found


class Finder:
    """Patches a library when it is imported after `patch`."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in TARGETS:
            return None
        for finder in list(sys.meta_path):
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = Loader(spec.loader)  # type: ignore[assignment]
                return spec
        return None


class Loader:
    """A loader that has its module patched after it is executed."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)  # get_source, get_data and what else it can do

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self.loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        _guard(_place_if_patched, module.__name__)


def _place_if_patched(module: str) -> None:
    if _stack:
        _place(module)


_finder = Finder()


# ---- the log -------------------------------------------------------------------------------


def _make_visible() -> None:
    """Lines are asked for: let them be seen where nobody has configured logging."""
    import logging

    logger = logging.getLogger("vecblade")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        logger.addHandler(handler)


class Logged:
    """One of our functions, which logs its calls; pickled as the function itself."""

    def __init__(self, module: str, name: str, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.place = f"{module}.{name}"
        self.library = common.PACKAGES[module.partition(".")[0]]
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        import logging

        before = getattr(common.calls, "passed_on", False)
        common.calls.passed_on = False
        answer = "failed"
        start = time.perf_counter()
        try:
            result = self.function(*args, **kwargs)
            answer = f"left to {self.library}" if common.calls.passed_on else "vecblade"
        finally:
            milliseconds = (time.perf_counter() - start) * 1e3
            common.calls.passed_on = before
            shown = ", ".join([*map(_shown, args), *(f"{key}={_shown(x)}" for key, x in kwargs.items())])
            logging.getLogger("vecblade").info("%s(%s): %s, %.3g ms", self.place, shown, answer, milliseconds)
        return result

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __reduce__(self) -> Any:
        return named, (self.function.__module__, self.function.__name__)


def named(module: str, name: str) -> Any:
    """The object of this name in a module, for `pickle`."""
    return getattr(importlib.import_module(module), name)


def _shown(x: Any) -> str:
    """An argument in a few characters."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{x.dtype}{list(x.shape)}"
    text = repr(x) if isinstance(x, (str, int, float, bool, type(None))) else type(x).__name__
    return text if len(text) <= 40 else text[:37] + "..."
