"""clmnet view in a real browser, driven by playwright-core and the system's Chromium; ends with 77 (skipped) where either is missing.

Usage: view_browser_test.py CLMNET
playwright-core is looked for where node finds it and in CLMNET_DEPS/node_modules (npm install --prefix .deps playwright-core).
"""

import json
import os
import shutil
import subprocess
import sys

from view_fixture import HEIGHT, MAP_HEIGHT, MAP_WIDTH, WIDTH, RunFolder, map_code

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")


def skip(why):
    print("skipped: " + why)
    sys.exit(77)


def main():
    clmnet = os.path.abspath(sys.argv[1])
    deps = os.environ.get("CLMNET_DEPS", os.path.join(ROOT, ".deps"))
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    node = shutil.which("node")
    script = os.path.join(deps, "openseadragon", "openseadragon.min.js")
    if not chromium:
        skip("no Chromium; install the package chromium")
    if not node:
        skip("no node; install the package nodejs")
    if not os.path.isfile(script):
        skip(f"{script} is missing; run tools/setup")
    env = {**os.environ, "NODE_PATH": os.path.join(deps, "node_modules") + ":" + os.environ.get("NODE_PATH", "")}
    if subprocess.run([node, "-e", "require('playwright-core')"], env=env, capture_output=True, check=False).returncode != 0:
        skip("no playwright-core; npm install --prefix .deps playwright-core")
    with RunFolder(clmnet) as folder:
        made = os.path.join(folder.path, "deps", "openseadragon", "openseadragon.min.js")
        shutil.copy(script, made)
        viewer = folder.viewer()
        try:
            facts = {"address": viewer.address, "chromium": chromium, "width": WIDTH, "height": HEIGHT, "map_width": MAP_WIDTH,
                     "map_height": MAP_HEIGHT, "codes": [[map_code(x, y) for x in range(MAP_WIDTH)] for y in range(MAP_HEIGHT)]}
            result = subprocess.run([node, os.path.join(HERE, "view_browser_test.cjs")], input=json.dumps(facts), text=True, env=env,
                                    timeout=900, check=False)
            if result.returncode != 0:
                sys.exit(result.returncode)
            journal = os.path.join(folder.run, "review", "Dr Test.jsonl")
            with open(journal, encoding="utf-8") as lines:
                kinds = [(entry["kind"], entry.get("verdict"), entry.get("shape")) for entry in map(json.loads, lines)]
            wanted = [("verdict", "agree", None), ("correction", None, "polygon"), ("undo", None, None), ("verdict", "disagree", None)]
            if kinds != wanted:
                sys.exit(f"the journal holds {kinds}, not {wanted}")
        finally:
            viewer.kill()


main()
