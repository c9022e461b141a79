"""
Make the README's pictures from the real thing: one run of `orgproof demo` on a terminal, and its documents.

    python tools/screenshots.py [FOLDER]

It takes what there is: a document that the demo does not make, or a program that is not installed, is named and left
out. Needs pdftoppm (poppler-utils), soffice (LibreOffice) and chromium for the documents. Pictures go to docs/images.
"""

import fcntl
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from pypdf import PdfReader
from pypdf.generic import Destination
from rich.console import Console
from rich.text import Text

COLUMNS = 100
MOST_BYTES = 150_000
"""
What a picture may weigh: the README loads all of them.
"""

SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
  <!-- made by tools/screenshots.py -->
  <style>
    .{unique_id}-matrix {{
      font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
      font-size: {char_height}px;
      line-height: {line_height}px;
    }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">{matrix}</g>
  </g>
</svg>
"""
"""
rich's own would fetch a font from elsewhere.
"""


def main(images: Path) -> None:
    """
    Run the demo once, and draw everything from that run.
    """
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = run_demo(folder)
        draw_terminal(images / "terminal-progress.svg", replay(cut_in_the_middle(written)))
        screen = replay(written)
        draw_terminal(images / "terminal-summary.svg", screen)
        run = folder / Text.from_ansi(screen[-1]).plain.strip()
        for made in [*draw_pdf(run, images), *draw_workbook(run, images), *draw_page(run, images)]:
            print(f"{made.stat().st_size / 1000:4.0f} kB  {made}")


def run_demo(folder: Path) -> str:
    """
    Run `orgproof demo` on a terminal of its own, and return all that it wrote there.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"NO_COLOR", "COLUMNS", "LINES"}
    }
    with subprocess.Popen(
        [sys.executable, "-m", "scanner", "demo"],
        cwd=folder,
        env={**kept, "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        written = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    if process.returncode != 3:  # some of the demo's accounts cannot be read, on purpose
        sys.exit(f"orgproof demo ended with {process.returncode}:\n{written.decode()}")
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody holds the other end any more
        return b""


def cut_in_the_middle(written: str) -> str:
    """
    Return what was written until about half of the accounts were read.
    """
    frames = written.split("\r\x1b[2K")
    halves = [
        (abs(2 * int(found[1]) - int(found[2])), number)
        for number, frame in enumerate(frames)
        if (found := re.search(r"(\d+)/(\d+)  ", frame))
    ]
    _, number = min(halves)
    return "\r\x1b[2K".join(frames[: number + 1])


def replay(written: str) -> list[str]:
    """
    Return the lines on the screen, with their colours: what was erased is gone.
    """
    lines = [""]
    for part in re.split(r"(\r\n|\r|\x1b\[2K|\x1b\[1A|\x1b\[\?25[hl])", written):
        match part:
            case "\r\n":
                lines.append("")
            case "\x1b[2K":
                lines[-1] = ""
            case "\x1b[1A":
                lines.pop()
            case "\r" | "\x1b[?25h" | "\x1b[?25l":
                pass
            case _:
                lines[-1] += part
    return lines if lines[-1] else lines[:-1]


def draw_terminal(file: Path, lines: list[str]) -> None:
    """
    Write a picture of a terminal with these lines.
    """
    console = Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    console.print(Text.assemble(("$ ", "dim"), "orgproof demo"))
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=True)
    console.save_svg(str(file), title="", code_format=SVG, unique_id=file.stem)
    print(f"{file.stat().st_size / 1000:4.0f} kB  {file}")


def draw_pdf(run: Path, images: Path) -> Iterator[Path]:
    """
    Yield pictures of the PDF's cover, summary and findings.
    """
    file = _find(run, "pdf")
    if file is None or not _has("pdftoppm"):
        return
    pages = {"cover": 1}
    for title, page in _list_bookmarks(file):
        for word in ("summary", "findings"):
            if word in title.lower():
                pages.setdefault(word, page)
    for word, page in pages.items():
        yield _draw_pdf_page(file, page, images / f"pdf-{word}.png")


def _list_bookmarks(file: Path) -> Iterator[tuple[str, int]]:
    """
    Yield the chapters and their pages.
    """
    reader = PdfReader(file)
    for entry in reader.outline:
        if isinstance(entry, Destination):
            number = reader.get_destination_page_number(entry)
            if number is not None and entry.title:
                yield entry.title, number + 1


def _draw_pdf_page(file: Path, page: int, picture: Path) -> Path:
    drawn = subprocess.run(
        ["pdftoppm", "-f", str(page), "-l", str(page), "-r", "110", "-png", str(file)],
        capture_output=True,
        check=True,
    ).stdout
    return _save(Image.open(io.BytesIO(drawn)), picture)


def draw_workbook(run: Path, images: Path) -> Iterator[Path]:
    """
    Yield a picture of the workbook's first sheet, as LibreOffice prints it.
    """
    file = _find(run, "xlsx")
    if file is None or not (_has("soffice") and _has("pdftoppm")):
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                *("soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless"),
                *("--convert-to", "pdf", "--outdir", folder, str(file)),
            ],
            capture_output=True,
            check=True,
        )
        yield _draw_pdf_page(Path(folder) / f"{file.stem}.pdf", 1, images / "workbook-summary.png")


def draw_page(run: Path, images: Path) -> Iterator[Path]:
    """
    Yield pictures of the page as Chromium shows it, light and dark.
    """
    file = _find(run, "html")
    chromium = shutil.which("chromium")
    if file is None or chromium is None:
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        for scheme in ("light", "dark"):
            page = browser.new_page(
                viewport={"width": 1280, "height": 900},
                color_scheme="light" if scheme == "light" else "dark",
            )
            page.goto(file.resolve().as_uri())
            page.wait_for_timeout(1500)  # charts and table are drawn by scripts
            drawn = page.screenshot()
            yield _save(Image.open(io.BytesIO(drawn)), images / f"page-{scheme}.png")
        browser.close()


def _find(run: Path, suffix: str) -> Path | None:
    found = sorted((run / "reports").glob(f"orgproof-*.{suffix}"), key=lambda path: len(path.name))
    if not found:
        print(f"the demo made no .{suffix} document: no picture of it")
        return None
    return found[0]


def _has(program: str) -> bool:
    if shutil.which(program) is None:
        print(f"{program} is not installed: no picture of what it draws")
        return False
    return True


def _save(image: Image.Image, picture: Path) -> Path:
    """
    Save a picture with a small palette, and smaller until it weighs little enough.
    """
    image = image.convert("RGB")
    while True:
        palette = image.quantize(128, dither=Image.Dither.NONE)
        palette.save(picture, optimize=True)
        if picture.stat().st_size <= MOST_BYTES:
            return picture
        image = image.resize(
            (image.width * 9 // 10, image.height * 9 // 10), Image.Resampling.LANCZOS
        )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
