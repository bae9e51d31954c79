"""The browser of the pages' tests: the system's Chromium, or Playwright's own, which ``python -m tests.chromium`` fetches."""

import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")


def of_the_system() -> str | None:
    """Where the system's is; None leaves the choice to Playwright."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def main() -> int:
    """Fetch one where the system has none. The tests that need it say so where that fails too."""
    if of_the_system():
        return 0
    return subprocess.run([sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
