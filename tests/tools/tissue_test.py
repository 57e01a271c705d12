"""clmnet tissue as scripts use it: its four files agree with each other and with what was drawn.

Usage: tissue_test.py CLMNET
"""

import json
import os
import sys
import tempfile
import unittest

from tile_test import grey_png, run


class Tissue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.slide = os.path.join(cls.folder.name, "drawn.svs")
        done = run("synth", "-o", cls.slide, "--seed", "7", "--width-px", "1536", "--height-px", "1536", "--um-per-px", "1")
        assert done.returncode == 0, done.stderr
        cls.out = os.path.join(cls.folder.name, "tissue")
        cls.result = run("tissue", cls.slide, "-o", cls.out, "--json")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def quality(self):
        with open(os.path.join(self.out, "quality.json"), encoding="utf-8") as text:
            return json.load(text)

    def test_all_files_are_there_and_stdout_is_quality_json(self):
        self.assertEqual(self.result.returncode, 0, self.result.stderr)
        self.assertEqual(sorted(os.listdir(self.out)), ["overlay.png", "quality.json", "tissue.geojson", "tissue.png"])
        self.assertEqual(json.loads(self.result.stdout), self.quality())

    def test_areas_are_those_of_the_mask(self):
        quality = self.quality()
        pixels = sum(row.count(255) for row in grey_png(os.path.join(self.out, "tissue.png")))
        mm2 = quality["um_per_px"]["x"] * quality["um_per_px"]["y"] * 1e-6
        self.assertGreater(pixels, 1000)
        self.assertAlmostEqual(quality["tissue_area_mm2"], pixels * mm2, places=6)
        self.assertAlmostEqual(sum(region["area_mm2"] for region in quality["regions"]), pixels * mm2, places=6)
        self.assertEqual(quality["ink_area_mm2"], 0)
        self.assertLess(quality["fold_area_mm2"], 0.05 * quality["tissue_area_mm2"])

    def test_every_region_has_its_focus_and_its_outline(self):
        quality = self.quality()
        with open(os.path.join(self.out, "tissue.geojson"), encoding="utf-8") as text:
            features = json.load(text)["features"]
        self.assertEqual(len(features), len(quality["regions"]))
        self.assertGreater(len(features), 0)
        for region, feature in zip(quality["regions"], features):
            self.assertGreater(region["samples"], 0)
            for key in ("focus", "blurred_share", "fold_share"):
                self.assertTrue(0 <= region[key] <= 1, (key, region[key]))
            self.assertEqual(region["blurred"], region["focus"] < quality["blurred_below"])
            self.assertEqual(feature["properties"]["measurements"]["area_mm2"], region["area_mm2"])
            self.assertEqual(feature["properties"]["measurements"]["focus"], region["focus"])

    def test_without_pixel_size_names_the_flag_and_writes_nothing(self):
        unknown, out = os.path.join(self.folder.name, "unknown.svs"), os.path.join(self.folder.name, "nothing")
        with open(self.slide, "rb") as whole, open(unknown, "wb") as file:
            file.write(whole.read().replace(b"MPP = ", b"XXX = "))
        result = run("tissue", unknown, "-o", out)
        if result.returncode == 0:
            self.skipTest("the drawn slide also has its resolution in the TIFF tags")
        self.assertIn("give --mpp", result.stderr)
        self.assertFalse(os.path.exists(out))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + ["--verbose"] + sys.argv[1:])
