"""Review in clmnet view: what a reader did is kept, undone, exported, and survives a killed server.

Usage: view_review_test.py CLMNET
"""

import csv
import json
import os
import re
import shutil
import struct
import subprocess
import threading
import urllib.parse

from view_fixture import CLMNET, REGION, ViewCase, run_tests, write


class Review(ViewCase):
    """Each case works under a reader's name of its own."""

    @property
    def reader(self):
        return self.id().rsplit(".", 1)[1]

    def send(self, entry, reader=None):
        return self.viewer.change("/api/review", {"reader": reader or self.reader, "slide": "drawn", **entry})

    def kept(self, entry):
        status, _, body = self.send(entry)
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def ask(self, path, **query):
        return self.document(path + "?" + urllib.parse.urlencode(query))

    def state(self):
        return self.ask("/api/review", reader=self.reader, slide="drawn")

    def journal(self):
        return os.path.join(self.folder.run, "review", self.reader + ".jsonl")

    def verdict(self, verdict, region=REGION):
        return {"kind": "verdict", "region": region, "verdict": verdict}

    def polygon(self, **more):
        return {"kind": "correction", "shape": "polygon", "label": "tumour", "points": [[10, 10], [90, 10], [90, 50.26]], **more}


class Kept(Review):
    def test_later_verdict_replaces_the_earlier(self):
        self.kept(self.verdict("agree"))
        second = self.kept(self.verdict("disagree"))
        self.assertEqual(second["seq"], 2)
        self.assertRegex(second["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual([v["verdict"] for v in self.state()["verdicts"]], ["disagree"])
        with open(self.journal(), encoding="utf-8") as lines:
            self.assertEqual([json.loads(line)["verdict"] for line in lines], ["agree", "disagree"])

    def test_undo_brings_the_earlier_verdict_back(self):
        self.kept(self.verdict("agree"))
        target = self.kept(self.verdict("unsure"))["seq"]
        self.kept({"kind": "undo", "target": target})
        self.assertEqual([v["verdict"] for v in self.state()["verdicts"]], ["agree"])

    def test_undo_of_nothing(self):
        first = self.kept(self.verdict("agree"))["seq"]
        undo = self.kept({"kind": "undo", "target": first})["seq"]
        for target in (first, undo, 0, -1, 99):
            self.assertEqual(self.send({"kind": "undo", "target": target})[0], 409, target)
        other = self.viewer.change("/api/review", {"reader": self.reader, "slide": "gone", "kind": "undo", "target": first})
        self.assertEqual(other[0], 409)

    def test_readers_are_apart(self):
        self.kept(self.verdict("agree"))
        self.send(self.verdict("disagree"), reader="Dr. Ä B-2_c")
        self.assertEqual([v["verdict"] for v in self.state()["verdicts"]], ["agree"])
        self.assertIn("Dr. Ä B-2_c", self.ask("/api/review/readers"))

    def test_comment_keeps_its_text(self):
        text = "Necrosis, not tumour.\n\"quoted\" <b>µm</b> \u2028"
        self.kept({"kind": "comment", "region": "", "text": text})
        self.assertEqual(self.state()["comments"][0]["text"], text)

    def test_ten_at_once(self):
        threads = [threading.Thread(target=self.send, args=({"kind": "comment", "region": "", "text": str(i)},)) for i in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        entries = self.state()["comments"]
        self.assertEqual(sorted(entry["seq"] for entry in entries), list(range(1, 11)))
        self.assertEqual(sorted(int(entry["text"]) for entry in entries), list(range(10)))

    def test_concordance(self):
        # 3 of 4: Wilson at 95 % by hand, z = 1.959964: (0.75 + z2/8 -+ z sqrt(0.1875/4 + z2/64)) / (1 + z2/4).
        for region, verdict in (("r1", "agree"), ("r2", "agree"), ("r3", "agree"), ("r4", "disagree"), ("r5", "unsure")):
            self.kept(self.verdict(verdict, region))
        regions = self.state()["concordance"]["regions"]
        self.assertEqual((regions["agree"], regions["disagree"], regions["unsure"], regions["rate"]), (3, 1, 1, 0.75))
        self.assertAlmostEqual(regions["wilson_95"][0], 0.300642, places=5)
        self.assertAlmostEqual(regions["wilson_95"][1], 0.954413, places=5)
        self.assertIsNone(self.state()["concordance"]["slides"]["rate"])

    def test_kappa_of_slides(self):
        # The program calls tumour on 'drawn' (1 region) and none on 'gone'. Agreeing with both: kappa 1. Disagreeing with 'gone':
        # the reader calls tumour twice, observed 1/2, expected 1/2 * 1, kappa 0. Unsure does not count.
        gone = lambda verdict: self.viewer.change("/api/review", {**self.verdict(verdict, ""), "reader": self.reader, "slide": "gone"})  # noqa: E731
        self.assertIsNone(self.state()["concordance"]["slides"]["kappa"])
        self.kept(self.verdict("agree", ""))
        self.assertIsNone(self.state()["concordance"]["slides"]["kappa"])
        gone("agree")
        self.assertEqual(self.state()["concordance"]["slides"]["kappa"], 1)
        gone("disagree")
        self.assertEqual(self.state()["concordance"]["slides"]["kappa"], 0)
        gone("unsure")
        self.assertIsNone(self.state()["concordance"]["slides"]["kappa"])


class Agreement(ViewCase):
    """The table of all readers, and what clmnet stats agreement makes of it."""

    VERDICTS = {"Dr A": ("agree", "agree", "disagree", "agree", "unsure", "agree"), "case": ("agree", "disagree", "disagree", "agree", "agree", "agree")}

    def setUp(self):
        # Four more slides: the program calls tumour on drawn, s1, s3 and none on gone, s0, s2.
        for i in range(4):
            target = os.path.join(self.folder.run, f"s{i}")
            shutil.copytree(os.path.join(self.folder.run, "drawn" if i % 2 else "gone"), target, symlinks=True)
        self.viewer.kill()
        type(self).viewer = self.folder.viewer()

    def test_stats_agreement_says_what_the_page_says(self):
        slides = ("drawn", "gone", "s0", "s1", "s2", "s3")
        for reader, verdicts in self.VERDICTS.items():
            for slide, verdict in zip(slides, verdicts):
                entry = {"reader": reader, "slide": slide, "kind": "verdict", "region": "", "verdict": verdict}
                self.assertEqual(self.viewer.change("/api/review", entry)[0], 200)
        self.viewer.change("/api/review", {"reader": "Dr A", "slide": "s3", "kind": "verdict", "region": REGION, "verdict": "disagree"})
        status, headers, body = self.get("/api/review/agreement?what=slides")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/csv; charset=utf-8"))
        self.assertEqual(body.decode(), "case,program,Dr A,reader case\ndrawn,tumour,tumour,tumour\ngone,no tumour,no tumour,tumour\n"
                                        "s0,no tumour,tumour,tumour\ns1,tumour,tumour,tumour\ns2,no tumour,,no tumour\ns3,tumour,tumour,tumour\n")
        table = os.path.join(self.folder.path, "agreement.csv")
        write(table, body)
        page = self.document("/api/review?" + urllib.parse.urlencode({"reader": "Dr A", "slide": "drawn"}))["concordance"]["slides"]
        result = subprocess.run([CLMNET, "stats", "agreement", "--data", table, "--raters", "program,Dr A", "--json"], capture_output=True, text=True,
                                timeout=120, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        numbers = json.dumps(json.loads(result.stdout))
        self.assertAlmostEqual(page["rate"], 0.8)
        for value in (page["kappa"], *page["kappa_95"], page["rate"]):
            self.assertTrue(any(abs(float(found) - value) < 1e-9 for found in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", numbers)), (value, numbers))
        self.assertEqual(self.get("/api/review/agreement?what=regions")[2].decode(), f"case,program,Dr A,reader case\ns3/{REGION},tumour,no tumour,\n")
        for what in ("", "all", "../slides"):
            self.assertEqual(self.get("/api/review/agreement?what=" + what)[0], 400, what)


class Survives(Review):
    def test_a_killed_server(self):
        for i in range(5):
            self.kept({"kind": "comment", "region": "", "text": str(i)})
        self.viewer.kill()
        type(self).viewer = self.folder.viewer()
        self.assertEqual([entry["text"] for entry in self.state()["comments"]], list("01234"))

    def test_a_line_that_was_cut_off(self):
        self.kept(self.verdict("agree"))
        with open(self.journal(), "ab") as out:
            out.write(b'{"kind": "verdict", "seq": 2, "verd')
        self.assertEqual(len(self.state()["verdicts"]), 1)
        self.assertEqual(self.kept({"kind": "comment", "region": "", "text": "after"})["seq"], 2)
        self.assertEqual(self.state()["comments"][0]["text"], "after")

    def test_a_journal_that_is_a_link(self):
        target = os.path.join(self.folder.path, "elsewhere")
        write(target, "")
        os.makedirs(os.path.dirname(self.journal()), exist_ok=True)
        os.symlink(target, self.journal())
        self.assertEqual(self.send(self.verdict("agree"))[0], 507)
        self.assertEqual(os.path.getsize(target), 0)


class Refused(Review):
    def test_wrong_entries(self):
        wrong = ({}, {"kind": "verdict"}, {"kind": "delete"}, {"kind": 3}, self.verdict("maybe"), self.verdict("agree", region=None),
                 self.verdict("agree", region="x" * 101), {**self.verdict("agree"), "slide": "nobody"}, {**self.verdict("agree"), "slide": "../drawn"},
                 {"kind": "comment", "region": "", "text": ""}, {"kind": "comment", "region": "", "text": "x" * 4001},
                 {"kind": "undo"}, {"kind": "undo", "target": "1"}, self.polygon(label="benign"), self.polygon(shape="circle"),
                 self.polygon(points=[]), self.polygon(points=[[1, 1], [2, 2]]), self.polygon(points=[[1, 1], [2, 2], [3]]),
                 self.polygon(points=[[1, 1], [2, 2], ["3", 4]]), self.polygon(points=[[1, 1], [2, 2], [1e9, 1]]),
                 self.polygon(points=[[1, 1], [2, 2], [-1, 1]]), self.polygon(points="all"), self.polygon(points=[[1, 1]] * 20001),
                 self.polygon(shape="point"), self.polygon(shape="brush"), self.polygon(shape="brush", radius_px=0),
                 self.polygon(shape="brush", radius_px="9"))
        for entry in wrong:
            self.assertEqual(self.send(entry)[0], 400, str(entry)[:80])
        self.assertFalse(os.path.exists(self.journal()))

    def test_wrong_bodies(self):
        for body in (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"kind":' * 5000, b"[" * 100000):
            self.assertEqual(self.viewer.change("/api/review", body)[0], 400, body[:20])

    def test_names_that_are_no_names(self):
        for reader in ("../x", "a/b", ".hidden", "", " a", "a ", "a\nb", "a\0b", "x" * 121, "a:b", "~", None, 3):
            entry = {**self.verdict("agree"), "reader": reader, "slide": "drawn"}
            self.assertEqual(self.viewer.change("/api/review", entry)[0], 400, reader)
        self.assertEqual(self.viewer.ask("GET", "/api/review?reader=..%2Fx")[0], 400)

    def test_other_addresses(self):
        for path in ("/api/review/", "/api/reviews", "/api/slides", "/api/"):
            self.assertEqual(self.viewer.change(path, self.verdict("agree"))[0], 404, path)


class Export(Review):
    def geojson(self):
        return self.ask("/api/review/geojson", reader=self.reader, slide="drawn")

    def test_polygon_and_point(self):
        self.kept(self.polygon())
        self.kept(self.polygon(shape="point", points=[[5, 6]], label="not tumour"))
        polygon, point = self.geojson()["features"]
        self.assertEqual(polygon["geometry"], {"type": "Polygon", "coordinates": [[[10, 10], [90, 10], [90, 50.3], [10, 10]]]})
        self.assertEqual(polygon["properties"]["objectType"], "annotation")
        self.assertEqual(polygon["properties"]["classification"]["name"], "Tumor")
        self.assertEqual(point["geometry"], {"type": "Point", "coordinates": [5, 6]})
        self.assertEqual(point["properties"]["classification"]["name"], "Non-tumor")

    def test_brush_is_as_wide_as_it_was(self):
        self.kept(self.polygon(shape="brush", points=[[100, 200], [300, 200]], radius_px=40))
        (ring,) = self.geojson()["features"][0]["geometry"]["coordinates"]
        self.assertEqual(ring[0], ring[-1])
        xs, ys = [x for x, _ in ring], [y for _, y in ring]
        for found, wanted in ((min(xs), 60), (max(xs), 340), (min(ys), 160), (max(ys), 240)):
            self.assertAlmostEqual(found, wanted, delta=6)  # a px of the mask that the outline is taken from is 5 px

    def test_judged_region_takes_the_readers_class(self):
        self.kept(self.verdict("disagree"))
        (feature,) = self.geojson()["features"]
        self.assertEqual(feature["id"], REGION)
        self.assertEqual(feature["properties"]["classification"]["name"], "Non-tumor")
        self.assertEqual(feature["properties"]["metadata"]["verdict"], "disagree")

    def test_undone_is_not_exported(self):
        self.kept({"kind": "undo", "target": self.kept(self.polygon())["seq"]})
        self.assertEqual(self.geojson()["features"], [])


class Training(Review):
    """The model sees tiles of 112 px at 2 um/px, 448 level-0 px here."""

    def export(self):
        status, _, body = self.viewer.change("/api/review/training", {"reader": self.reader})
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def rows(self):
        folder = os.path.join(self.folder.run, "review", "training-" + self.reader)
        with open(os.path.join(folder, "manifest.csv"), encoding="utf-8", newline="") as text:
            return folder, list(csv.DictReader(text))

    def png_size(self, path):
        with open(path, "rb") as picture:
            head = picture.read(24)
        self.assertEqual(head[:8], b"\x89PNG\r\n\x1a\n")
        return struct.unpack(">II", head[16:24])

    def test_tiles_inside_a_large_polygon(self):
        # 900 x 500 hold two tiles side by side; the triangle's corner holds none, nor is one half inside it.
        self.kept(self.polygon(points=[[0, 0], [900, 0], [900, 500], [0, 500]]))
        self.kept(self.polygon(points=[[0, 600], [60, 600], [0, 660]], label="not tumour"))
        self.assertEqual({key: value for key, value in self.export().items() if key != "folder"},
                         {"images": 2, "tumour": 2, "not_tumour": 0, "left_out": 1})
        folder, rows = self.rows()
        self.assertEqual([(row["patient_id"], row["tumour"]) for row in rows], [("drawn", "1")] * 2)
        for row in rows:
            self.assertEqual(self.png_size(os.path.join(folder, row["image"])), (112, 112))
            self.assertEqual(self.png_size(os.path.join(folder, row["mask"])), (112, 112))

    def test_point_has_no_mask(self):
        self.kept(self.polygon(shape="point", points=[[500, 300]], label="not tumour"))
        self.export()
        (row,) = self.rows()[1]
        self.assertEqual((row["mask"], row["tumour"]), ("", "0"))

    def test_unsure_is_left_out_and_nothing_is_an_empty_manifest(self):
        self.kept(self.verdict("unsure"))
        self.assertEqual(self.export()["images"], 0)
        self.assertEqual(self.rows()[1], [])

    def test_no_reader(self):
        for reader in ("", "../x", None):
            self.assertEqual(self.viewer.change("/api/review/training", {"reader": reader})[0], 400, reader)


if __name__ == "__main__":
    run_tests()
