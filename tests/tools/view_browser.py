"""Runs a test of the viewer in a real browser: playwright-core (tools/setup --tests) drives the system's Chromium."""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
DEPS = os.environ.get("CLMNET_DEPS", os.path.join(ROOT, ".deps"))
DATA = os.environ.get("CLMNET_DATA", os.path.join(ROOT, "..", "shared", "data"))
OPENSEADRAGON = os.path.join(DEPS, "openseadragon", "openseadragon.min.js")
SKIPPED = 77


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIPPED)


def find_chromium():
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def node_environment():
    return {**os.environ, "NODE_PATH": os.path.join(DEPS, "node_modules") + ":" + os.environ.get("NODE_PATH", "")}


def need_browser():
    """Ends with 77 where something is missing."""
    if not find_chromium():
        skip("no Chromium; run tools/setup --tests")
    if not shutil.which("node"):
        skip("no node; run tools/setup --tests")
    if not os.path.isfile(OPENSEADRAGON):
        skip(f"{OPENSEADRAGON} is missing; run tools/setup")
    if subprocess.run(["node", "-e", "require('playwright-core')"], env=node_environment(), capture_output=True, check=False).returncode != 0:
        skip("no playwright-core; run tools/setup --tests")


def need_data(*names):
    """The files' paths; ends with 77 where one is missing."""
    paths = [os.path.join(DATA, "slides", name) for name in names]
    for path in paths:
        if not os.path.isfile(path):
            skip(f"{path} is missing; set CLMNET_DATA to the folder of the data")
    return paths


def browse(script, facts, timeout_s=900):
    """Runs tests/tools/SCRIPT under node with `facts` on stdin; ends the process where it fails."""
    result = subprocess.run(["node", os.path.join(HERE, script)], input=json.dumps({"chromium": find_chromium(), **facts}), text=True,
                            env=node_environment(), timeout=timeout_s, check=False)
    if result.returncode != 0:
        sys.exit(f"{script}: failed, see above")
