"""
What documents are made with: the same evidence gives the same bytes as long as all of this is the same.

Versions are read without importing what they are of, so that it costs little where only JSON is drawn.
"""

import ctypes
import platform
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import Any

from font_source_sans_pro import font_directory

from scanner import __version__
from scanner.errors import RenderError
from scanner.evidence.store import hash_bytes, hash_file
from scanner.reports.container import SHIPPED_FONT, SHIPPED_FONTS
from scanner.reports.text import make_visible
from scanner.resources import find_resource

NONE = "none"
"""
The version of what is not there.
"""

_PACKAGES = (
    "cssselect2",
    "font-source-sans-pro",
    "fonttools",
    "itables",
    "jinja2",
    "markupsafe",
    "matplotlib",
    "numpy",
    "openpyxl",
    "pandas",
    "pillow",
    "pyarrow",
    "pydyf",
    "pyphen",
    "tinycss2",
    "tinyhtml5",
    "weasyprint",
)

CODE, TEMPLATES = "orgproof-code", "orgproof-templates"
"""
Orgproof's own files: between two versions, and in a checkout, they are all that says that it is another one.
"""

WORDING = ("orgproof", CODE, TEMPLATES)
"""
With another of these, documents may be worded otherwise. With another of the rest they only look otherwise.
"""

_FONT = "font "
_SHOWN, _NAMED = 24, 4
_PDF, _PRINTED = frozenset(("pdf",)), frozenset(("pdf", "html"))
_ONLY_FOR = {
    **dict.fromkeys(("cssselect2", "font-source-sans-pro", "fonttools", "pydyf", "pyphen"), _PDF),
    **dict.fromkeys(("tinycss2", "tinyhtml5", "weasyprint", *SHIPPED_FONTS), _PDF),
    **dict.fromkeys(("fontconfig", "freetype", "harfbuzz", "harfbuzz-subset", "pango"), _PDF),
    **dict.fromkeys(("jinja2", "markupsafe", "matplotlib", "pillow", TEMPLATES), _PRINTED),
    **dict.fromkeys(("py-ocsf-models", "pydantic"), frozenset(("ocsf",))),
    "itables": frozenset(("html",)),
    "openpyxl": frozenset(("xlsx",)),
}
"""
The formats on which a tool bears, where it is not all of them.
"""


def describe_tools() -> dict[str, str]:
    """
    Return the programs, libraries and font files behind the documents, each with its version or SHA-256.
    """
    return {
        "orgproof": __version__,
        CODE: f"SHA-256 {_hash_tree(Path(__file__).parents[1], '*.py')}",
        TEMPLATES: f"SHA-256 {_hash_tree(find_resource('report_templates'), '*')}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
        **{name: _find_version(name) for name in _PACKAGES},
        **{name: _ask_library(names, ask) for name, (names, ask) in _LIBRARIES.items()},
        **{name: f"SHA-256 {hash_file(Path(font_directory) / name)}" for name in SHIPPED_FONTS},
    }


def compare_tools(
    then: Mapping[str, str], now: Mapping[str, str], kind: str, *, with_fonts: bool = False
) -> dict[str, str]:
    """
    Return by name what a format's documents were made with and is another now, in words.

    `with_fonts` compares the system's fonts too: until a PDF is drawn nobody knows which it takes.
    """
    return {
        name: f"{make_visible(name)} {_shorten(then.get(name))} then, {_shorten(now.get(name))} now"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
        and (with_fonts if name.startswith(_FONT) else _bears(name, kind))
    }


def name_tools(tools: Mapping[str, str]) -> str:
    """
    Name the first of those that `compare_tools` found, and count the others.
    """
    named = "; ".join([*tools.values()][:_NAMED])
    return f"{named}; and {len(tools) - _NAMED} more" if len(tools) > _NAMED else named


def _bears(name: str, kind: str) -> bool:
    return name not in _ONLY_FOR or kind in _ONLY_FOR[name]


def _shorten(version: str | None) -> str:
    return NONE if version is None else make_visible(version)[:_SHOWN]


def _hash_tree(folder: Path, pattern: str) -> str:
    """
    Return one SHA-256 over the files below a folder, whatever the folder is called.
    """
    lines = [
        f"{hash_file(path)}  {path.relative_to(folder).as_posix()}\n"
        for path in sorted(folder.rglob(pattern))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return hash_bytes("".join(lines).encode())


def describe_extras(documents: Iterable[Path]) -> dict[str, str]:
    """
    Return the libraries behind those of the documents that few ask for, each with its version.
    """
    if any(path.name.endswith(".ocsf.jsonl") for path in documents):
        return {name: _find_version(name) for name in ("py-ocsf-models", "pydantic")}
    return {}


def describe_fonts(documents: Iterable[Path]) -> dict[str, str]:
    """
    Return the system's fonts that PDFs fell back on, each with the version it gives itself.

    They are there for characters that the shipped font lacks. Raises `RenderError` when a PDF cannot be read.
    """
    fonts: dict[str, str] = {}
    for path in sorted(documents):
        if path.suffix == ".pdf":
            fonts |= _list_fonts(path)
    return {f"{_FONT}{name}": fonts[name] for name in sorted(fonts)}


def _list_fonts(path: Path) -> dict[str, str]:
    from pypdf import PdfReader  # noqa: PLC0415 - most runs draw with the shipped font alone, or no PDF
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    fonts = {}
    try:
        reader = PdfReader(path)
        # WeasyPrint gives all pages the same fonts.
        resources: Any = reader.pages[0]["/Resources"]
        for reference in resources["/Font"].values():
            font = reference.get_object()
            for part in font.get("/DescendantFonts", ()):
                descriptor = part.get_object()["/FontDescriptor"]
                if descriptor["/FontFamily"] != SHIPPED_FONT:
                    name = str(font["/BaseFont"]).partition("+")[2]
                    fonts[make_visible(name)] = _read_font_version(descriptor)
    except (PyPdfError, KeyError, OSError) as exc:
        raise RenderError(f"{path}: its fonts cannot be listed: {exc!r}") from exc
    return fonts


def _read_font_version(descriptor: Any) -> str:  # noqa: ANN401 - pypdf's values have no types
    """
    Return the version that an embedded font's own table of names gives.
    """
    from fontTools.ttLib import TTFont, TTLibError  # noqa: PLC0415 - as above

    file = descriptor.get("/FontFile2") or descriptor["/FontFile3"]
    try:
        words = TTFont(BytesIO(file.get_object().get_data()))["name"].getDebugName(5)
    except (TTLibError, KeyError):
        return "unknown"
    return make_visible(words or "unknown")


def _find_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return NONE


def _ask_library(names: Sequence[str], ask: Callable[[ctypes.CDLL], str]) -> str:
    """
    Ask a library of the system for its version. It is found under the names that WeasyPrint knows.
    """
    for name in names:
        try:
            return ask(ctypes.CDLL(name))
        except (OSError, AttributeError):
            continue
    return NONE


def _ask_by_text(function: str) -> Callable[[ctypes.CDLL], str]:
    def ask(library: ctypes.CDLL) -> str:
        call = library[function]
        call.restype = ctypes.c_char_p
        return str(call().decode())

    return ask


def _ask_fontconfig(library: ctypes.CDLL) -> str:
    number = int(library.FcGetVersion())
    return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"


def _ask_freetype(library: ctypes.CDLL) -> str:
    handle = ctypes.c_void_p()
    parts = [ctypes.c_int() for _ in range(3)]
    if library.FT_Init_FreeType(ctypes.byref(handle)):
        raise OSError("FreeType does not start")
    library.FT_Library_Version(handle, *(ctypes.byref(part) for part in parts))
    library.FT_Done_FreeType(handle)
    return ".".join(str(part.value) for part in parts)


_LIBRARIES: dict[str, tuple[Sequence[str], Callable[[ctypes.CDLL], str]]] = {
    "fontconfig": (("libfontconfig.so.1", "libfontconfig.1.dylib"), _ask_fontconfig),
    "freetype": (("libfreetype.so.6", "libfreetype.6.dylib"), _ask_freetype),
    "harfbuzz": (("libharfbuzz.so.0", "libharfbuzz.0.dylib"), _ask_by_text("hb_version_string")),
    "harfbuzz-subset": (
        ("libharfbuzz-subset.so.0", "libharfbuzz-subset.0.dylib"),
        _ask_by_text("hb_version_string"),
    ),
    "pango": (
        ("libpango-1.0.so.0", "libpango-1.0.dylib"),
        _ask_by_text("pango_version_string"),
    ),
}
