"""Takes a picture of a part of a page, for the documentation.

``python -m tests.browser.page_picture var/evidence.html docs/pictures/evidence.png --heading "The models"``
"""

import argparse
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.chromium import of_the_system

WIDTH = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description="Take a picture of a part of a page in light mode.")
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--heading", help="start at this heading (default: at the top)")
    parser.add_argument("--height", type=int, default=1150, help="height in pixels (%(default)s)")
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=of_the_system(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": arguments.height}, color_scheme="light")
        page.goto(arguments.page.resolve().as_uri())
        box = page.get_by_role("heading", name=arguments.heading).bounding_box() if arguments.heading else None
        top = max(box["y"] - 16, 0) if box else 0
        part = {"x": 0, "y": top, "width": WIDTH, "height": arguments.height}
        page.screenshot(path=arguments.picture, full_page=True, clip=part)  # type: ignore[arg-type]
        browser.close()


if __name__ == "__main__":
    main()
