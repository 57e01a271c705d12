"""clmnet view in a real browser on the made-up run; ends with 77 (skipped) where the browser or its driver is missing.

Usage: view_browser_test.py CLMNET
"""

import csv
import json
import os
import shutil
import sys

from view_browser import OPENSEADRAGON, browse, need_browser
from view_fixture import HEIGHT, MAP_HEIGHT, MAP_WIDTH, WIDTH, RunFolder, map_code, write


def check_study(folder):
    """One reader, two cases, both phases, by the page alone; what was answered is in the ratings."""
    shutil.copytree(os.path.join(folder.run, "drawn"), os.path.join(folder.run, "second"), symlinks=True)
    plan = os.path.join(folder.path, "plan.toml")
    write(plan, 'name = "page"\nreaders = ["Dr Page"]\nslides = ["drawn", "second"]\nwashout_days = 0\n')
    viewer = folder.viewer("--study", plan)
    try:
        browse("view_study_page_test.cjs", {"address": viewer.first_line.split("\t")[1], "shot": os.environ.get("CLMNET_SHOT", "")})
        with open(os.path.join(folder.run, "study-page", "ratings.csv"), encoding="utf-8", newline="") as text:
            found = [(row["place"], row["modality"], row["rating"]) for row in csv.DictReader(text)]
        wanted = [("1-1", "unaided", "62"), ("1-2", "unaided", "49"), ("2-1", "aided", "70"), ("2-2", "aided", "40")]
        if found != wanted:
            sys.exit(f"the ratings are {found}, not {wanted}")
    finally:
        viewer.kill()


def main():
    need_browser()
    with RunFolder() as folder:
        shutil.copy(OPENSEADRAGON, os.path.join(folder.path, "deps", "openseadragon", "openseadragon.min.js"))
        viewer = folder.viewer()
        try:
            browse("view_browser_test.cjs", {
                "address": viewer.address, "width": WIDTH, "height": HEIGHT, "map_width": MAP_WIDTH, "map_height": MAP_HEIGHT,
                "codes": [[map_code(x, y) for x in range(MAP_WIDTH)] for y in range(MAP_HEIGHT)]})
            with open(os.path.join(folder.run, "review", "Dr Test.jsonl"), encoding="utf-8") as lines:
                kinds = [(entry["kind"], entry.get("verdict"), entry.get("shape")) for entry in map(json.loads, lines)]
            wanted = [("verdict", "agree", None), ("correction", None, "polygon"), ("undo", None, None), ("correction", None, "brush"),
                      ("correction", None, "point"), ("comment", None, None), ("verdict", "disagree", None), ("verdict", "unsure", None)]
            if kinds != wanted:
                sys.exit(f"the journal holds {kinds}, not {wanted}")
        finally:
            viewer.kill()
        check_study(folder)


main()
