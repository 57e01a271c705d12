"""clmnet view in a real browser on a real run of two slides; ends with 77 (skipped) without browser or data.

Usage: view_real_test.py CLMNET [FOLDER]
FOLDER keeps the run and the screenshots; without it both are temporary. A finished run in it is used as it is.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

from grey_tiff import read_grey
from view_browser import DEPS, ROOT, browse, need_browser, need_data
from view_fixture import CLMNET, Viewer

SLIDES = ("CMU-1-Small-Region.svs", "polyp-20x.svs")


def analyze(folder, paths):
    config = os.path.join(folder, "analyze.toml")
    with open(config, "w", encoding="utf-8") as out:
        out.write("[map]\neach_network = true\n")
    run = os.path.join(folder, "run")
    if all(os.path.isfile(os.path.join(run, os.path.splitext(name)[0], "summary.json")) for name in SLIDES):
        return run
    subprocess.run([CLMNET, "analyze", *paths, "-o", run, "--config", config], check=True, capture_output=True, timeout=900)
    return run


def facts_of(run, folder, slide):
    """What the files say, for the page to be compared with; codes go through a file of their own."""
    with open(os.path.join(run, slide, "summary.json"), encoding="utf-8") as text:
        summary = json.load(text)
    width, height, codes = read_grey(os.path.join(run, slide, "heatmap.tiff"))
    codes_file = os.path.join(folder, slide + ".codes")
    with open(codes_file, "wb") as out:
        out.write(codes)
    counts = [0] * 256
    for code in range(256):
        counts[code] = codes.count(code)
    return {"id": slide, "width": summary["width_level0_px"], "height": summary["height_level0_px"], "map_width": width,
            "map_height": height, "codes_file": codes_file, "counts": counts, "um_per_px_x": summary["um_per_px_x"],
            "um_per_px_y": summary["um_per_px_y"], "regions": summary["tumour_regions"], "layers": sorted(
                name[:-5] for name in os.listdir(os.path.join(run, slide)) if name.endswith(".tiff"))}


def check_review_survives(run, viewer, facts):
    """The first visit leaves a review, the server dies by SIGKILL in the middle of it, the second visit finds everything."""
    browse("view_real_test.cjs", {**facts, "part": "review"})
    viewer.kill()
    again = Viewer(run, os.path.dirname(facts["paths"][0]), deps=DEPS)
    try:
        browse("view_real_test.cjs", {**facts, "address": again.address, "part": "review again"})
    finally:
        again.kill()


def check_labels(run, viewer, slides_folder):
    """CMU-1-Small-Region has a label; it is shown only when it was asked for, whatever the address."""
    slide = "/api/slides/CMU-1-Small-Region"
    if json.loads(viewer.ask("GET", slide)[2])["has_label"]:
        sys.exit("the label is offered without --show-labels")
    for path in ("/label.jpg", "/label.jpg?show=1", "/macro.jpg", "/LABEL.jpg", "/label", "/%6cabel.jpg"):
        if viewer.ask("GET", slide + path)[0] != 404:
            sys.exit(f"{path} answers without --show-labels")
    asked = Viewer(run, slides_folder, "--show-labels", deps=DEPS)
    try:
        status, _, body = asked.ask("GET", slide + "/label.jpg")
        if status != 200 or body[:3] != b"\xff\xd8\xff" or not json.loads(asked.ask("GET", slide)[2])["has_label"]:
            sys.exit(f"--show-labels: {status}, {body[:80]}")
    finally:
        asked.kill()


def check_training(viewer, folder):
    """Corrections on both slides become tiles that clmnet train learns from: a patient to train on and one to validate on."""
    boxes = (("CMU-1-Small-Region", 300, 800, "not tumour"), ("CMU-1-Small-Region", 900, 700, "tumour"), ("polyp-20x", 3000, 3000, "tumour"),
             ("polyp-20x", 6000, 20000, "not tumour"))
    for slide, x, y, label in boxes:
        status, _, body = viewer.change("/api/review", {
            "reader": "Dr Train", "slide": slide, "kind": "correction", "shape": "polygon", "label": label,
            "points": [[x, y], [x + 1000, y], [x + 1000, y + 1000], [x, y + 1000]]})
        if status != 200:
            sys.exit(f"the correction on {slide} was not kept: {body}")
    written = json.loads(viewer.change("/api/review/training", {"reader": "Dr Train"})[2])
    # 1000 level-0 px hold two tiles of 448 a side.
    if (written["tumour"], written["not_tumour"], written["left_out"]) != (8, 8, 0):
        sys.exit(f"the training set is {written}")
    with open(os.path.join(ROOT, "configs", "cv-smoke.toml"), encoding="utf-8") as text:
        config = text.read().replace("validation_fraction = 0.2", "validation_fraction = 0.5")
    config_file = os.path.join(folder, "train.toml")
    with open(config_file, "w", encoding="utf-8") as out:
        out.write(config)
    model = os.path.join(folder, "model")
    subprocess.run([CLMNET, "train", "--manifest", os.path.join(written["folder"], "manifest.csv"), "--config", config_file, "-o", model],
                   check=True, capture_output=True, timeout=900)
    if not os.path.isfile(os.path.join(model, "config.json")):
        sys.exit("clmnet train left no model")


def main():
    need_browser()
    paths = need_data(*SLIDES)
    with tempfile.TemporaryDirectory() as temporary:
        folder = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else temporary
        os.makedirs(folder, exist_ok=True)
        run = analyze(folder, paths)
        shutil.rmtree(os.path.join(run, "review"), ignore_errors=True)  # of an earlier test in FOLDER
        slides = [facts_of(run, temporary, os.path.splitext(name)[0]) for name in SLIDES]
        viewer = Viewer(run, os.path.dirname(paths[0]), deps=DEPS)
        try:
            facts = {"address": viewer.address, "slides": slides, "paths": paths, "shots": folder}
            check_training(viewer, temporary)
            check_labels(run, viewer, os.path.dirname(paths[0]))
            browse("view_real_test.cjs", {**facts, "part": "look"})
            check_review_survives(run, viewer, facts)
        finally:
            viewer.kill()


main()
