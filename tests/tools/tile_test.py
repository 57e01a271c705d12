"""clmnet tile as scripts use it: on slides that clmnet draws, whose tumour is known.

Usage: tile_test.py CLMNET
"""

import csv
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

CLMNET = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "clmnet"


def run(*arguments):
    return subprocess.run([CLMNET, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300, check=False)


def grey_png(path):
    """The rows of an 8-bit greyscale PNG without interlace."""
    with open(path, "rb") as file:
        data = file.read()
    at, width, height, packed = 8, 0, 0, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert (depth, colour) == (8, 0), (depth, colour)
        if kind == b"IDAT":
            packed += body
        at += 12 + length
    raw, rows, before = zlib.decompress(packed), [], [0] * width
    for y in range(height):
        line = raw[y * (width + 1):(y + 1) * (width + 1)]
        if line[0] <= 2 and not any(line[1:]):  # most rows: nothing new
            before = before if line[0] == 2 else [0] * width
            rows.append(before)
            continue
        row = []
        for x, value in enumerate(line[1:]):
            left, up, corner = (row[x - 1] if x else 0), before[x], (before[x - 1] if x else 0)
            guess = left + up - corner
            nearest = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            row.append((value + [0, left, up, (left + up) // 2, nearest][line[0]]) & 255)
        rows.append(row)
        before = row
    return rows


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def bytes_of(folder):
    """Every file below a folder, without run.json, which lists what one call did."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            if name != "run.json":
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = file.read()
    return found


class Tile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory()
        cls.slides = []
        for seed in (7, 8):
            slide = os.path.join(cls.made.name, f"drawn_{seed}.svs")
            done = run("synth", "-o", slide, "--seed", str(seed), "--width-px", "1536", "--height-px", "1536", "--um-per-px", "1",
                       "--geojson", slide.replace(".svs", ".geojson"))
            assert done.returncode == 0, done.stderr
            cls.slides.append(slide)

    @classmethod
    def tearDownClass(cls):
        cls.made.cleanup()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = os.path.join(folder.name, "out")

    def tile(self, *more, slides=None, mpp="1"):
        return run("tile", *(slides or self.slides[:1]), "-o", self.out, "--mpp", mpp, "--tile-px", "128", *more)

    def inside(self, *names):
        return os.path.join(self.out, "drawn_7", *names)

    def test_coordinates(self):
        result = self.tile("--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        summary = json.loads(result.stdout)["slides"][0]
        rows = rows_of(self.inside("tiles.csv"))
        self.assertGreater(len(rows), 20)
        self.assertEqual(summary["tiles"], len(rows))
        for row in rows:
            self.assertEqual((int(row["minx"]) % 128, int(row["miny"]) % 128, row["width"]), (0, 0, "128"))
        self.assertGreater(summary["tissue_area_mm2"], 0.2)

    def test_stride_resolution_and_tissue_share(self):
        self.assertEqual(self.tile("--stride-px", "96", "--min-tissue", "0.9", mpp="2").returncode, 0)
        rows = rows_of(self.inside("tiles.csv"))
        self.assertGreater(len(rows), 3)
        for row in rows:
            self.assertEqual((int(row["minx"]) % 192, int(row["miny"]) % 192, row["width"]), (0, 0, "256"))

    def test_one_bad_slide_does_not_stop_the_others(self):
        broken = os.path.join(self.made.name, "broken.svs")
        with open(self.slides[0], "rb") as whole, open(broken, "wb") as cut:
            cut.write(whole.read()[:50000])
        missing = os.path.join(self.made.name, "missing.svs")
        result = self.tile("--json", slides=[broken, self.slides[0], missing, self.slides[1]])
        self.assertEqual(result.returncode, 1)
        document = json.loads(result.stdout)
        self.assertEqual([os.path.basename(f["slide"]) for f in document["failures"]], ["broken.svs", "missing.svs"])
        self.assertEqual(len(document["slides"]), 2)
        self.assertIn("missing.svs: no such file", result.stderr)
        self.assertTrue(os.path.exists(os.path.join(self.out, "drawn_8", "tiles.h5")))
        self.assertFalse(os.path.exists(os.path.join(self.out, "broken", "tiles.h5")))

    def test_a_finished_slide_is_left_as_it_is(self):
        self.assertEqual(self.tile("--images", "jpeg").returncode, 0)
        before = {name: os.stat(self.inside(name)).st_mtime_ns for name in ("tiles.h5", "images", "summary.json")}
        result = self.tile("--images", "jpeg")
        self.assertEqual(result.returncode, 0)
        self.assertIn("finished before", result.stderr)
        self.assertEqual({name: os.stat(self.inside(name)).st_mtime_ns for name in before}, before)

    def test_what_is_not_as_recorded_is_made_again(self):
        self.assertEqual(self.tile("--images", "jpeg").returncode, 0)
        whole = bytes_of(self.inside())
        first = rows_of(self.inside("tiles.csv"))[0]
        tile = f"images/{first['minx']}_{first['miny']}.jpg"

        def remove(name):
            os.remove(self.inside(name))

        def shorten(name):
            with open(self.inside(name), "r+b") as file:
                file.truncate(len(whole[name]) - 1)

        def change(name):
            with open(self.inside(name), "r+b") as file:
                file.seek(len(whole[name]) // 2)
                file.write(bytes([whole[name][len(whole[name]) // 2] ^ 1]))

        for damage in (remove, shorten, change):
            for name in ("tiles.h5", "tiles.csv", tile):
                damage(name)
                result = self.tile("--images", "jpeg")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn("made again", result.stderr, f"{damage.__name__} {name}")
                self.assertEqual(bytes_of(self.inside()), whole, f"{damage.__name__} {name}")

    def test_another_configuration_does_not_mix(self):
        self.assertEqual(self.tile().returncode, 0)
        result = self.tile(mpp="2")
        self.assertEqual(result.returncode, 1)
        self.assertIn("um_per_px was 1.0, now 2.0", result.stderr)

    def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(self):
        options = ("--images", "png", "--annotations", self.made.name)
        self.assertEqual(self.tile(*options, slides=self.slides).returncode, 0)
        whole = bytes_of(self.out)
        for wait in (0.1, 0.4, 1.2):
            shutil.rmtree(self.out)
            process = subprocess.Popen([CLMNET, "tile", *self.slides, "-o", self.out, "--mpp", "1", "--tile-px", "128", *options],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
            process.wait()
            result = self.tile(*options, slides=self.slides)
            self.assertEqual(result.returncode, 0, result.stderr)
            left = {name: data for name, data in bytes_of(self.out).items() if not os.path.basename(name).startswith(".")}
            self.assertEqual(left, whole)

    def test_labels_masks_and_manifest_are_the_truth(self):
        with open(os.path.join(self.made.name, "patients.csv"), "w", encoding="utf-8") as text:
            text.write("slide,patient_id,diagnosis\ndrawn_7.svs,P1,\ndrawn_8,\"P,2\",adenoma\n")
        result = self.tile("--images", "png", "--annotations", self.made.name, "--patients", os.path.join(self.made.name, "patients.csv"),
                           slides=self.slides)
        self.assertEqual(result.returncode, 0, result.stderr)
        tiles = {(row["minx"], row["miny"]): row for row in rows_of(self.inside("tiles.csv"))}
        drawn, truth = 0, 0
        with open(self.slides[0].replace(".svs", ".geojson"), encoding="utf-8") as text:
            for feature in json.load(text)["features"]:
                for number, ring in enumerate(feature["geometry"]["coordinates"]):
                    area = abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:]))) / 2
                    truth += area if number == 0 else -area
        labels = set()
        for (x, y), row in tiles.items():
            mask = grey_png(self.inside("masks", f"{x}_{y}.png"))
            tumour = sum(row.count(1) for row in mask)
            self.assertEqual(tumour + sum(row.count(0) for row in mask), 128 * 128)
            share = tumour / 128 ** 2
            wanted = 1 if share >= 0.1 else 0 if tumour == 0 else -1
            self.assertEqual(int(row["label"]), wanted, (x, y, share))
            labels.add(wanted)
            drawn += tumour
        self.assertEqual(labels, {0, 1, -1})
        # Tiles cover all tissue but slivers of less than a tenth, and tumour is tissue.
        self.assertLess(abs(drawn - truth) / truth, 0.05)

        manifest = rows_of(os.path.join(self.out, "manifest.csv"))
        self.assertEqual(list(manifest[0]), ["image", "mask", "patient_id", "diagnosis", "tumour"])
        for row in manifest:
            self.assertTrue(os.path.isfile(os.path.join(self.out, row["image"])), row)
            self.assertTrue(os.path.isfile(os.path.join(self.out, row["mask"])), row)
            slide, _, file = row["image"].split("/")
            self.assertEqual(row["patient_id"], {"drawn_7": "P1", "drawn_8": "P,2"}[slide])
            if slide == "drawn_8":
                self.assertEqual(row["diagnosis"], "adenoma")
            else:
                self.assertEqual(row["tumour"], tiles[tuple(file[:-4].split("_"))]["label"])
                self.assertEqual(row["diagnosis"], {"1": "Tumor", "0": "Normal"}[row["tumour"]])
        known = sum(row["label"] != "-1" for row in tiles.values())
        self.assertEqual(sum(row["image"].startswith("drawn_7/") for row in manifest), known)

    def test_classes_that_nobody_mapped_are_an_error(self):
        outline = os.path.join(self.out + ".geojson")
        with open(self.slides[0].replace(".svs", ".geojson"), encoding="utf-8") as text:
            changed = text.read().replace('"Tumor"', '"Invasive front"')
        with open(outline, "w", encoding="utf-8") as text:
            text.write(changed)
        result = self.tile("--images", "png", "--annotations", outline)
        self.assertEqual(result.returncode, 1)
        self.assertIn("no label is given for the class 'Invasive front'; add --class 'Invasive front=1'", result.stderr)
        self.assertEqual(self.tile("--images", "png", "--annotations", outline, "--class", "invasive FRONT=1").returncode, 1, "another configuration")
        shutil.rmtree(self.out)
        self.assertEqual(self.tile("--images", "png", "--annotations", outline, "--class", "invasive FRONT=1").returncode, 0)
        self.assertIn("1", {row["label"] for row in rows_of(self.inside("tiles.csv"))})

    def test_stain_normalisation_changes_pixels_and_is_recorded(self):
        self.assertEqual(self.tile("--images", "png").returncode, 0)
        plain = bytes_of(self.inside("images"))
        shutil.rmtree(self.out)
        result = self.tile("--images", "png", "--stain-normalise", "macenko", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        stain = json.loads(result.stdout)["slides"][0]["stain"]
        self.assertGreater(stain["haematoxylin"][0], stain["eosin"][0])
        changed = bytes_of(self.inside("images"))
        self.assertEqual(sorted(changed), sorted(plain))
        self.assertFalse([name for name in plain if plain[name] == changed[name]])

    def test_wrong_usage(self):
        config = os.path.join(self.made.name, "wrong.toml")
        with open(config, "w", encoding="utf-8") as text:
            text.write("[tiles]\nmin_tisue = 0.1\n")
        for more, words in ((("--stride-px", "200"), "--stride-px is 200"),
                            (("--annotations", self.made.name), "give --images jpeg or png"),
                            (("--stain-normalise", "macenko"), "give --images"),
                            (("--images", "png", "--stain-reference", self.slides[0]), "without --stain-normalise"),
                            (("--images", "png", "--annotations", "/no/where"), "no such file or folder"),
                            (("--images", "png", "--annotations", self.made.name, "--class", "Tumor"), "expected NAME=LABEL"),
                            (("--images", "png", "--annotations", self.made.name, "--class", "Tumor=many"), "'Tumor=many'"),
                            (("--config", config), "unknown key 'tiles.min_tisue'"),
                            (("--config", "/no/such.toml"), "/no/such.toml: no such file")):
            result = self.tile(*more)
            self.assertEqual(result.returncode, 1, more)
            self.assertIn(words, result.stderr)
        self.assertFalse(os.path.exists(self.out))
        self.assertEqual(run("tile", self.slides[0], "-o", self.out).returncode, 2, "without --mpp")

    def test_two_slides_of_one_name(self):
        other = os.path.join(self.made.name, "again")
        os.makedirs(other, exist_ok=True)
        copy = shutil.copy(self.slides[0], other)
        result = self.tile(slides=[self.slides[0], copy])
        self.assertEqual(result.returncode, 1)
        self.assertIn("has the same name", result.stderr)

    def test_a_slide_without_pixel_size_names_the_flag(self):
        slide = os.path.join(self.made.name, "unknown.svs")
        with open(self.slides[0], "rb") as whole:
            data = whole.read()
        at = data.find(b"MPP = ")
        self.assertGreater(at, 0)
        with open(slide, "wb") as file:
            file.write(data.replace(b"MPP = ", b"XXX = "))
        result = self.tile(slides=[slide])
        if result.returncode == 0:
            self.skipTest("the drawn slide also has its resolution in the TIFF tags")
        self.assertIn("give --slide-mpp", result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + ["--verbose"] + sys.argv[1:])
