"""Loads the function that reads an API which no declaration fits: ``pages`` in ``include/sources/<source>.py``."""

from collections.abc import Callable, Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from datastack.contract.errors import DeclarationError

NAME = "pages"


def load_function(file: Path) -> Callable[..., Iterable[Any]]:
    """Return the function ``pages(api, stream, window)`` of a file.

    :raises DeclarationError: if there is no such file or function, or the file can't be run.
    """
    if not file.is_file():
        remedy = f"Create it, with a function {NAME}(api, stream, window)."
        raise DeclarationError(file, "(whole file)", "there is no such file", remedy)
    spec = spec_from_file_location(f"datastack_source_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise DeclarationError(file, "(whole file)", "is no Python file", "Name it <source>.py.")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        problem = f"running it failed: {type(error).__name__}: {error}"
        raise DeclarationError(file, "(whole file)", problem, "Correct it.") from error
    found = getattr(module, NAME, None)
    if not callable(found):
        remedy = f"Write it as def {NAME}(api, stream, window), yielding answers."
        raise DeclarationError(file, NAME, "there is no such function", remedy)
    function: Callable[..., Iterable[Any]] = found
    return function
