"""What the tests of `clmnet stats` share; no test itself."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

CLMNET = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "clmnet"
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REFERENCE = os.environ.get("CLMNET_REFERENCE", os.path.join(SOURCE, "..", "shared", "ref", "stats"))

def run(*arguments):
    return subprocess.run([CLMNET, "stats", *map(str, arguments)], capture_output=True, text=True, timeout=200, check=False)


def has(name):
    return name in subprocess.run([CLMNET, "stats", "--help"], capture_output=True, text=True, check=False).stdout


def reference(name):
    with open(os.path.join(REFERENCE, "cases", name + ".json"), encoding="utf-8") as text:
        return json.load(text)["expected"]


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def result(self, *arguments):
        done = run(*arguments, "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stderr)
        document = json.loads(done.stdout)
        for key in ("method", "convention", "software", "n"):
            self.assertIn(key, document)
        self.assertRegex(document["software"], r"^clmnet \d")
        table = run(*arguments)
        self.assertEqual((table.returncode, table.stderr), (0, ""), table.stderr)
        self.assertNotIn("nan", table.stdout.lower())
        return document

    def fails(self, *words, arguments):
        for extra in ((), ("--json",)):
            done = run(*arguments, *extra)
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertEqual(done.stdout, "")
            self.assertRegex(done.stderr, r"^clmnet: ")
            for word in words:
                self.assertIn(word, done.stderr)

    def wrong_usage(self, *arguments):
        done = run(*arguments)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)

    def near(self, value, expected, places=9):
        self.assertAlmostEqual(value, expected, places=places)
