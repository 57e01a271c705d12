"""The report.html that the test `cv` made, from disk in a real browser; ends with 77 (skipped) where the browser is missing.

Usage: cv_report_test.py REPORT
"""

import os
import pathlib
import sys

from view_browser import browse, need_browser

PAPER_PX = 1032  # A4 across, 297 mm, less margins of 12 mm, at 96 px an inch


def main():
    need_browser()
    report = pathlib.Path(sys.argv[1]).resolve()
    if not report.is_file():
        sys.exit(f"{report} is missing: run the test 'cv' first, which makes it")
    browse("cv_report_test.cjs", {"address": report.as_uri(), "paper_px": PAPER_PX, "shot": os.environ.get("CLMNET_SHOT", "")})


main()
