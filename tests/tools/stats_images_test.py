"""`clmnet stats segmentation`, `froc` and `readers` as a user meets them: values worked out by hand or published, bad input.

Usage: stats_images_test.py CLMNET
"""

import json
import os
import shutil
import struct
import sys
import unittest
import zlib

from stats_case import REFERENCE, Case, has, reference, run


def write_png(path, rows, colours=1):
    """8-bit grey (colours 1) or RGB (3); rows of values, for RGB of triples."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    width = len(rows[0])
    raw = b"".join(b"\0" + bytes(v for p in row for v in (p if colours == 3 else (p,))) for row in rows)
    head = struct.pack(">IIBBBBB", width, len(rows), 8, 0 if colours == 1 else 2, 0, 0, 0)
    with open(path, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def block(top, bottom, left, right, value=255, size=10):
    return [[value if top <= y <= bottom and left <= x <= right else 0 for x in range(size)] for y in range(size)]


@unittest.skipUnless(has("segmentation"), "this build has no slide support")
class Segmentation(Case):
    def png(self, name, rows, colours=1):
        write_png(os.path.join(self.folder, name), rows, colours)
        return name

    def pairs(self, *rows):
        return self.file("pairs.csv", "truth,prediction,patient\n" + "".join(",".join(row) + "\n" for row in rows))

    def test_by_hand(self):
        # A block of 4 x 4, predicted one column to the right: 12 px common, 4 false, 4 missed; every border pixel is at most 1 px off.
        truth, shifted = self.png("t.png", block(2, 5, 2, 5)), self.png("p.png", block(2, 5, 3, 6))
        data = self.pairs((truth, shifted, "p"), (truth, truth, "q"))
        found = self.result("segmentation", "--data", data, "--um-per-px", 0.5)
        image = found["images"][0]
        self.assertEqual((image["tp"], image["fp"], image["fn"], image["tn"]), (12, 4, 4, 80))
        self.near(image["dice"], 0.75)
        self.near(image["iou"], 0.6)
        self.near(image["hausdorff_um"], 0.5)
        self.near(image["hd95_um"], 0.5)
        self.near(image["object_dice"], 0.75)
        self.assertEqual((image["objects"]["tp"], image["object_f1"]), (1, 1))
        self.near(found["summary"]["dice"]["mean"], 0.875)
        self.near(found["pooled"]["dice"], 2 * 28 / (2 * 28 + 8))
        self.near(self.result("segmentation", "--data", data)["images"][0]["hausdorff_px"], 1)

    def test_empty_masks_are_counted(self):
        full, empty = self.png("f.png", block(2, 5, 2, 5)), self.png("e.png", block(11, 11, 0, 0))
        found = self.result("segmentation", "--data", self.pairs((empty, empty, "p"), (full, empty, "q"), (full, full, "r")))
        dice = found["summary"]["dice"]
        self.assertEqual((dice["n"], dice["undefined"], dice["mean"]), (2, 1, 0.5))
        self.assertEqual([image["dice"] for image in found["images"]], [None, 0, 1])
        self.assertEqual(found["summary"]["hd95_px"]["n"], 1)

    def test_what_is_inside(self):
        low, label = self.png("l.png", block(2, 5, 2, 5, 100)), self.png("2.png", block(2, 5, 2, 5, 2))
        self.assertEqual(self.result("segmentation", "--data", self.pairs((low, low, "p")), "--above", 127)["images"][0]["tp"], 0)
        self.assertEqual(self.result("segmentation", "--data", self.pairs((low, label, "p")), "--label", 2)["images"][0]["fp"], 16)

    def test_objects(self):
        # Two true nests; one is found, the other is missed, one is false.
        def union(*parts):
            return [[max(values) for values in zip(*rows)] for rows in zip(*parts)]
        truth = self.png("t.png", union(block(0, 2, 0, 2), block(6, 8, 6, 8)))
        prediction = self.png("p.png", union(block(0, 2, 0, 2), block(6, 8, 0, 2)))
        objects = self.result("segmentation", "--data", self.pairs((truth, prediction, "p")))["images"][0]["objects"]
        self.assertEqual((objects["truth"], objects["predicted"], objects["tp"], objects["fp"], objects["fn"]), (2, 2, 1, 1, 1))

    def test_a_patient_without_a_name_is_reported(self):
        full = self.png("f.png", block(2, 5, 2, 5))
        found = self.result("segmentation", "--data", self.pairs((full, full, ""), (full, full, "q")), "--patient", "patient")
        self.assertEqual((found["n"], found["table"]["missing"]), (1, {"patient": 1}))

    def test_bad_input(self):
        full = self.png("f.png", block(2, 5, 2, 5))
        small = self.png("s.png", block(2, 5, 2, 5, size=8))
        coloured = self.png("c.png", [[(255, 0, 0)] * 10] * 10, 3)
        self.file("broken.png", "this is no image")
        for name, words in (("no.png", "no such file"), ("broken.png", "no image"), (small, "8 x 8 px"), (coloured, "colours")):
            self.fails("line 3, column 'prediction'", name, words, arguments=("segmentation", "--data", self.pairs((full, full, "p"), (full, name, "q"))))
        self.fails("is a folder", arguments=("segmentation", "--data", self.pairs((full, ".", "p"))))
        self.fails("no column 'mask'", arguments=("segmentation", "--data", self.pairs((full, full, "p")), "--truth", "mask"))
        self.wrong_usage("segmentation", "--data", self.pairs((full, full, "p")), "--um-per-px", 0)
        self.wrong_usage("segmentation", "--data", self.pairs((full, full, "p")), "--connectivity", 6)


class Froc(Case):
    # Four cases: A has one lesion, B two, C and D none. Found: A's at 3, B's first at 1; false marks on C at 2 and A at 1.
    LESIONS = "case,lesion,weight\nA,l1,1\nB,l1,3\nB,l2,1\nC,,\nD,0,\n"
    MARKS = "case,lesion,rating\nA,l1,3\nB,l1,1\nC,,2\nA,0,1\n"

    def froc(self, *more, marks=MARKS, lesions=LESIONS):
        return ("froc", "--marks", self.file("marks.csv", marks), "--lesions", self.file("lesions.csv", lesions), "--resamples", 200, *more)

    def test_by_hand(self):
        found = self.result(*self.froc("--at", "0.25,0.5"))
        self.assertEqual((found["n"], found["cases"]["with_lesions"], found["lesions"]), (4, 2, 3))
        reading = found["readings"][0]
        self.assertEqual(reading["froc"]["threshold"], [3, 2, 1])
        self.assertEqual(reading["froc"]["false_marks_per_case"], [0, 0.25, 0.5])
        for value, expected in zip(reading["froc"]["sensitivity"], (1 / 3, 1 / 3, 2 / 3)):
            self.near(value, expected)
        # Against C (2) and D (none): A's lesion beats both, B's first one only D, B's second ties with D: 2 + 1 + 1/2 of 6.
        self.near(reading["afroc"], 3.5 / 6)
        # Lesions of B weigh one half each: (2 + 1/2 + 1/4) of 4.
        self.near(reading["wafroc"], 2.75 / 4)
        points = found["sensitivity_at"][0]["points"]
        self.near(points[0]["sensitivity"], 1 / 3)
        self.near(points[1]["sensitivity"], 2 / 3)

    def test_weights_and_interpolation(self):
        # Three quarters of B on its first lesion: (2 + 3/4 + 1/8) of 4.
        self.near(self.result(*self.froc("--weight", "weight"))["readings"][0]["wafroc"], 2.875 / 4)
        found = self.result(*self.froc("--at", "0.375", "--interpolation", "linear"))
        self.near(found["sensitivity_at"][0]["points"][0]["sensitivity"], 0.5)

    def test_bad_input(self):
        self.fails("marks.csv: line 2, column 'case'", "'X' is not in", arguments=self.froc(marks="case,lesion,rating\nX,l1,3\n"))
        self.fails("marks.csv: line 2, column 'lesion'", "lesion 'l9'", arguments=self.froc(marks="case,lesion,rating\nA,l9,3\n"))
        self.fails("marks.csv: line 2, column 'rating'", "not a number", arguments=self.froc(marks="case,lesion,rating\nA,l1,sure\n"))
        self.fails("lesions.csv: line 3, column 'lesion'", "stands twice", arguments=self.froc(lesions="case,lesion\nA,l1\nA,l1\nC,\n"))
        self.fails("lesions.csv: line 3, column 'lesion'", "either one row without or rows with", arguments=self.froc(lesions="case,lesion\nA,l1\nA,\nC,\n"))
        self.fails("lesions.csv: line 3, column 'weight'", "expected more than 0",
                   arguments=self.froc("--weight", "weight", lesions="case,lesion,weight\nA,l1,1\nB,l1,-1\nC,,\n"))
        self.fails("no case has a lesion", arguments=self.froc(lesions="case,lesion\nA,\nB,\nC,\nD,\n", marks="case,lesion,rating\nA,,1\n"))
        self.fails("needs cases without", arguments=self.froc(lesions="case,lesion\nA,l1\n", marks="case,lesion,rating\nA,l1,1\n"))
        self.fails("no column 'reader'", arguments=self.froc("--reader", "reader"))
        self.wrong_usage(*self.froc("--merit", "auc"))
        self.wrong_usage(*self.froc("--readers", "fixed", "--cases", "fixed"))

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_figure(self):
        path = os.path.join(self.folder, "froc.svg")
        self.result(*self.froc("--figure", path))
        with open(path, encoding="utf-8") as svg:
            text = svg.read()
        self.assertIn("False marks per case", text)
        self.assertIn("wAFROC 0.69", text)

    @unittest.skipUnless(os.path.isdir(REFERENCE), "no reference values on this machine")
    def test_against_rjafroc(self):
        with open(os.path.join(REFERENCE, "data", "froc_thompson_cases.csv"), encoding="utf-8") as text:
            cases = [line.rstrip("\n").split(",") for line in text][1:]
        rows = ["case,lesion,weight"]
        for name, _, count, weights in cases:
            rows += [f"{name},{k + 1},{w}" for k, w in enumerate(weights.split(";"))] if int(count) else [f"{name},,"]
        lesions = self.file("l.csv", "\n".join(rows) + "\n")
        found = self.result("froc", "--marks", os.path.join(REFERENCE, "data", "froc_thompson_marks.csv"), "--lesions", lesions, "--modality", "treatment",
                            "--reader", "reader", "--weight", "weight", "--merit", "wafroc", "--resamples", 100)
        expected = reference("froc_thompson")["or_jackknife_wAFROC"]
        own = found["obuchowski_rockette"]["random_readers_random_cases"]
        self.near(own["f"], expected["RRRC"]["F"], 7)
        self.near(own["p"], expected["RRRC"]["p"], 9)
        self.near(found["obuchowski_rockette"]["variance"]["cov2"], expected["cov2"])


class Readers(Case):
    def study(self, ratings, extra=""):
        """ratings: {(reader, modality): values of the cases 1+ 2+ 3- 4-}"""
        rows = [f"{reader},{case + 1},{modality},{int(case < 2)},{value}" for (reader, modality), values in ratings.items() for case, value in enumerate(values)]
        return self.file("ratings.csv", "reader,case,modality,truth,rating\n" + "\n".join(rows) + "\n" + extra)

    RATINGS = {("r1", "A"): (4, 3, 2, 1), ("r1", "B"): (4, 2, 3, 1), ("r2", "A"): (3, 3, 3, 1), ("r2", "B"): (1, 2, 3, 4)}

    def test_by_hand(self):
        found = self.result("readers", "--data", self.study(self.RATINGS))
        areas = {(one["reader"], one["modality"]): one["value"] for one in found["auc"]}
        # r2 under A: positives 3 and 3 against 3 and 1: (1/2 + 1/2 + 1 + 1) of 4.
        self.assertEqual(areas, {("r1", "A"): 1, ("r1", "B"): 0.75, ("r2", "A"): 0.75, ("r2", "B"): 0})
        analysis = found["obuchowski_rockette"]
        self.assertEqual(analysis["mean"], {"A": 0.875, "B": 0.375})
        # Means 0.875 and 0.375 about 0.625: 2 (0.25^2 + 0.25^2); readers 0.875 and 0.375 likewise.
        self.near(analysis["ms"]["modality"], 0.25)
        self.near(analysis["ms"]["reader"], 0.25)
        self.near(analysis["ms"]["modality_reader"], 4 * 0.125 ** 2)
        self.assertEqual(found["planned"], "random readers, random cases")

    def test_readers_who_agree_wholly(self):
        same = {(reader, modality): (4, 2, 3, 1) for reader in ("r1", "r2") for modality in ("A", "B")}
        done = run("readers", "--data", self.study(same), "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.near(json.loads(done.stdout)["obuchowski_rockette"]["ms"]["modality"], 0)

    def test_the_model_is_the_users(self):
        data = self.study(self.RATINGS)
        for readers, cases in (("fixed", "random"), ("random", "fixed")):
            text = run("readers", "--data", data, "--readers", readers, "--cases", cases).stdout
            self.assertIn(f"Obuchowski-Rockette, {readers} readers, {cases} cases", text)
        self.wrong_usage("readers", "--data", data, "--readers", "fixed", "--cases", "fixed")
        for covariance in ("jackknife", "delong", "unbiased"):
            self.assertIn(covariance, self.result("readers", "--data", data, "--covariance", covariance)["convention"])
        self.wrong_usage("readers", "--data", data, "--covariance", "guess")

    def test_a_case_without_a_rating_leaves_whole(self):
        more = {key: (*values[:2], 3, 2, 1) for key, values in self.RATINGS.items()}
        rows = [f"{reader},{case + 1},{modality},{int(case < 2)},{value}" for (reader, modality), values in more.items() for case, value in enumerate(values)]
        rows[4] = "r1,5,A,0,-999"
        data = self.file("m.csv", "reader,case,modality,truth,rating\n" + "\n".join(rows) + "\n")
        found = self.result("readers", "--data", data, "--missing", "-999")
        self.assertEqual((found["n"], found["table"]["kept"], found["table"]["missing"]), (4, 16, {"rating": 1}))
        self.assertEqual(found["table"]["left_out"], {"of a case that lacks another rating": 3})

    def test_bad_input(self):
        study = self.study(self.RATINGS, "r1,1,A,1,9\n")
        self.fails("line 18, column 'rating'", "second rating of case '1'", "line 2", arguments=("readers", "--data", study))
        self.fails("ratings.csv", "r3", arguments=("readers", "--data", self.study(self.RATINGS, "r3,1,A,1,9\n")))
        self.fails("line 18, column 'rating'", "not a number", arguments=("readers", "--data", self.study(self.RATINGS, "r3,1,A,1,sure\n")))
        with open(self.study(self.RATINGS), encoding="utf-8") as study:
            text = study.read().replace("r2,1,A,1,3", "r2,1,A,0,3")
        self.fails("line 10, column 'truth'", "case '1' is negative here", "line 2", arguments=("readers", "--data", self.file("t.csv", text)))
        one_kind = {key: values[:2] for key, values in self.RATINGS.items()}
        self.fails("0 negative cases", arguments=("readers", "--data", self.study(one_kind)))
        self.fails("no column 'modality'", arguments=("readers", "--data", self.file("n.csv", "reader,case,truth,rating\n1,1,1,1\n")))

    @unittest.skipUnless(os.path.isdir(REFERENCE), "no reference values on this machine")
    def test_against_rjafroc(self):
        expected = reference("mrmc_vandyke")
        data = os.path.join(REFERENCE, "data", "vandyke.csv")
        found = self.result("readers", "--data", data, "--modality", "treatment")
        own = found["obuchowski_rockette"]["random_readers_random_cases"]
        # Hillis, Obuchowski and Berbaum 2011 print F = 4.4563, 15.26 degrees of freedom, p = 0.0517 for these data.
        self.assertEqual((round(own["f"], 4), round(own["df2"], 2), round(own["p"], 4)), (4.4563, 15.26, 0.0517))
        self.assertEqual(found["cases"], {"positive": 45, "negative": 69})
        self.assertIn("or_jackknife", expected)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + ["--verbose"] + sys.argv[1:])
