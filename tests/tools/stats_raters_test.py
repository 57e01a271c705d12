"""`clmnet stats roc` and `agreement` as a user meets them: values worked out by hand or published, bad input, figures.

Usage: stats_raters_test.py CLMNET
"""

import json
import math
import os
import shutil
import sys
import unittest

from stats_case import REFERENCE, Case, reference, run


class Roc(Case):
    # Positives score 0.9 and 0.4, negatives 0.5 and 0.1: three of four pairs are in order. `b` is perfect.
    SCORES = "case,y,a,b,patient\n1,1,0.9,4,p\n2,1,0.4,3,q\n3,0,0.5,2,p\n4,0,0.1,1,r\n"

    def setUp(self):
        super().setUp()
        self.data = self.file("s.csv", self.SCORES)

    def roc(self, *more):
        return self.result("roc", "--data", self.data, "--truth", "y", "--scores", "a,b", *more)

    def test_by_hand(self):
        found = self.roc()
        self.assertEqual((found["n"], found["positive"], found["negative"]), (4, 2, 2))
        a, b = found["scores"]
        self.near(a["auc"], 0.75)
        # V10 = (1, 1/2), V01 = (1/2, 1): each has variance 1/8, so 1/16 + 1/16.
        self.near(a["delong"]["std_err"], math.sqrt(1 / 8))
        self.assertEqual(a["delong"]["ci"][1], 1)
        self.near(a["delong"]["ci"][0], 0.75 - 1.959963984540054 * math.sqrt(1 / 8))
        self.near(a["average_precision"], 0.5 * 1 + 0.5 * 2 / 3)
        self.assertEqual((b["auc"], b["delong"]["std_err"], b["average_precision"]), (1, 0, 1))
        pair = found["comparisons"][0]
        self.near(pair["difference"], -0.25)
        self.near(pair["delong"]["z"], -0.25 / math.sqrt(1 / 8))
        self.near(pair["delong"]["p"], math.erfc(0.25 / math.sqrt(1 / 8) / math.sqrt(2)))

    def test_operating_points(self):
        # Sensitivity and specificity add up to 1.5 at 0.9 and at 0.4: the higher one counts.
        youden = self.roc()["scores"][0]["operating_point"]
        self.assertEqual((youden["threshold"], youden["true_positive"], youden["false_positive"]), (0.9, 1, 0))
        self.near(youden["sensitivity"]["wilson"][0], 0.0945312, 6)
        self.near(youden["sensitivity"]["wilson"][1], 0.9054688, 6)
        self.near(youden["sensitivity"]["exact"][0], 1 - math.sqrt(0.975))
        self.near(youden["sensitivity"]["exact"][1], math.sqrt(0.975))
        self.assertEqual(self.roc("--at-sensitivity", 1)["scores"][0]["operating_point"]["threshold"], 0.4)
        self.assertEqual(self.roc("--at-specificity", 0.5)["scores"][0]["operating_point"]["threshold"], 0.4)
        given = self.roc("--threshold", 0.3)["scores"][0]["operating_point"]
        self.assertEqual((given["true_positive"], given["false_positive"], given["rule"]), (2, 1, "given"))

    def test_low_scores_that_are_positive(self):
        found = self.result("roc", "--data", self.data, "--truth", "y", "--scores", "a", "--low-is-positive", "--threshold", 0.4)
        self.near(found["scores"][0]["auc"], 0.25)
        point = found["scores"][0]["operating_point"]
        self.assertEqual((point["threshold"], point["true_positive"], point["false_positive"]), (0.4, 1, 1))

    def test_missing_is_reported(self):
        data = self.file("m.csv", self.SCORES + "5,1,-999,3,q\n6,,0.4,3,q\n7,0,NA,-999.0,q\n")
        found = self.result("roc", "--data", data, "--truth", "y", "--scores", "a,b", "--missing", "-999")
        self.assertEqual(found["table"], {"file": data, "rows": 7, "kept": 4, "excluded": 3, "missing": {"y": 1, "a": 2, "b": 1}})
        self.near(found["scores"][0]["auc"], 0.75)
        self.assertIn("4 of 7 rows, 3 left out: y missing in 1, a missing in 2, b missing in 1",
                      run("roc", "--data", data, "--truth", "y", "--scores", "a,b", "--missing", "-999").stdout)

    def test_words_for_truth(self):
        data = self.file("w.csv", "y,a\ntumour,0.9\nnormal,0.1\ntumour,0.4\nnormal,0.5\n")
        found = self.result("roc", "--data", data, "--truth", "y", "--positive", "tumour", "--scores", "a")
        self.near(found["scores"][0]["auc"], 0.75)
        self.fails("column 'y': truth 'normal'", "beside the positive '1'", "--positive", arguments=("roc", "--data", data, "--truth", "y", "--scores", "a"))

    def test_patients_make_intervals_wider(self):
        # Each patient stands twelve times with the same values: rows suggest far more than is known.
        rows = [(f"p{i}", i % 2, (i * 7919 % 101) / 101 + 0.25 * (i % 2)) for i in range(30)]
        data = self.file("c.csv", "patient,y,a\n" + "".join(f"{p},{y},{s}\n" for p, y, s in rows for _ in range(12)))
        found = self.result("roc", "--data", data, "--truth", "y", "--scores", "a", "--patient", "patient", "--resamples", 500)
        self.assertEqual(found["patients"], 30)
        clustered, plain = found["scores"][0]["patient_bootstrap"]["ci"], found["scores"][0]["delong"]["ci"]
        self.assertGreater(clustered[1] - clustered[0], 2 * (plain[1] - plain[0]))

    def test_subgroups(self):
        data = self.file("g.csv", "y,a,site\n" + "1,2,A\n0,1,A\n1,4,A\n0,3,A\n1,1,B\n0,2,B\n1,3,C\n")
        groups = self.result("roc", "--data", data, "--truth", "y", "--scores", "a", "--subgroup", "site")["subgroups"]
        self.assertEqual([(g["group"], g["auc"]) for g in groups], [("A", 0.75), ("B", 0.0), ("C", None)])

    def test_bad_input(self):
        def of(text, *more):
            return ("roc", "--data", self.file("bad.csv", text), "--truth", "y", "--scores", "a", *more)
        self.fails("bad.csv", "no column 'y'", "there are: x, a", arguments=of("x,a\n1,2\n"))
        self.fails("line 3, column 'a'", "'high' is not a number", "--missing", arguments=of("y,a\n1,2\n0,high\n"))
        self.fails("line 4, column 'y'", "truth '2'", "expected two values", arguments=of("y,a\n1,2\n0,1\n2,1\n"))
        self.fails("'1' in every row", arguments=of("y,a\n1,2\n1,1\n"))
        self.fails("no row has a value", "a missing in 2", arguments=of("y,a\n1,NA\n0,\n"))
        self.fails("give one", arguments=of("y,a\n1,2\n0,1\n", "--threshold", 1, "--at-sensitivity", 0.9))
        self.fails("empty", arguments=of(""))
        self.fails("no.csv", arguments=("roc", "--data", "no.csv", "--truth", "y", "--scores", "a"))
        self.wrong_usage("roc", "--data", self.data, "--truth", "y")
        self.wrong_usage("roc", "--data", self.data, "--truth", "y", "--scores", "a", "--level", "1.5")

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_figures(self):
        paths = [os.path.join(self.folder, name) for name in ("roc.svg", "roc.pdf", "pr.svg")]
        self.roc("--figure", paths[0], "--figure", paths[1], "--pr-figure", paths[2], "--resamples", 100)
        with open(paths[0], encoding="utf-8") as svg:
            text = svg.read()
        for words in ("Sensitivity", "1 − specificity", "a: AUC 0.75", "b: AUC 1.00"):
            self.assertIn(words, text)
        with open(paths[1], "rb") as pdf:
            self.assertEqual(pdf.read(5), b"%PDF-")
        with open(paths[2], encoding="utf-8") as svg:
            self.assertIn("prevalence 0.50", svg.read())
        self.fails("a figure ends in .svg or .pdf",
                   arguments=("roc", "--data", self.data, "--truth", "y", "--scores", "a", "--figure", os.path.join(self.folder, "roc.png")))

    @unittest.skipUnless(os.path.isdir(REFERENCE), "no reference values on this machine")
    def test_against_proc(self):
        expected = reference("delong_scores_paired")
        found = self.result("roc", "--data", os.path.join(REFERENCE, "data", "scores_paired.csv"), "--truth", "y", "--scores", "model_a,model_b",
                            "--patient", "patient", "--threshold", 0.5)
        for score in found["scores"]:
            own = expected[score["score"]]
            self.near(score["auc"], own["auc"])
            self.near(score["delong"]["std_err"], math.sqrt(own["var_delong"]))
            self.near(score["delong"]["ci"][0], own["ci95"][0])
        self.near(found["comparisons"][0]["delong"]["p"], expected["paired_delong"]["p"])
        # The bootstrap over patients: two seeds of two programs differ by its own noise.
        own = reference("metrics_scores_paired")["model_b"]["bootstrap_auc_cluster_patient"]
        lower, upper = found["scores"][1]["patient_bootstrap"]["ci"]
        self.assertLess(abs(lower - own["lower_mean"]), 4 * own["lower_sd"] + 0.002)
        self.assertLess(abs(upper - own["upper_mean"]), 4 * own["upper_sd"] + 0.002)


class Agreement(Case):
    def of_counts(self, counts, names=("a", "b")):
        rows = [f"{i},{j}" for i, line in enumerate(counts) for j, n in enumerate(line) for _ in range(n)]
        return self.file("r.csv", ",".join(names) + "\n" + "\n".join(rows) + "\n")

    def test_cohen_by_hand(self):
        # 35 of 50 agree, 25/50 by chance: (0.7 - 0.5) / (1 - 0.5).
        found = self.result("agreement", "--data", self.of_counts([[20, 5], [10, 15]]), "--raters", "a,b")
        pair = found["pairs"][0]
        self.near(pair["concordance_rate"]["rate"], 0.7)
        self.near(pair["cohen"]["unweighted"]["observed"], 0.7)
        self.near(pair["cohen"]["unweighted"]["expected"], 0.5)
        self.near(pair["cohen"]["unweighted"]["kappa"], 0.4)
        self.assertEqual(pair["table"], [[20, 5], [10, 15]])

    def test_weighted_by_hand(self):
        # 1 - mean distance of the pairs / mean distance of all pairs of one rating each.
        data = self.of_counts([[1, 0, 1], [0, 1, 0], [0, 1, 0]])
        rows = [(0, 0), (0, 2), (1, 1), (2, 1)]
        for name, power in (("linear", 1), ("quadratic", 2)):
            seen = sum(abs(i - j) ** power for i, j in rows) / 4
            chance = sum(abs(i - j) ** power for i, _ in rows for _, j in rows) / 16
            found = self.result("agreement", "--data", data, "--raters", "a,b")["pairs"][0]["cohen"][name]
            self.near(found["kappa"], 1 - seen / chance)

    def test_order_of_categories_counts(self):
        data = self.file("w.csv", "a,b\nlow,low\nlow,moderate\nmoderate,high\nhigh,high\nhigh,low\n")
        weighted = [self.result("agreement", "--data", data, "--raters", "a,b", "--categories", order)["pairs"][0]["cohen"]["linear"]["kappa"]
                    for order in ("low,moderate,high", "moderate,low,high")]
        self.assertNotAlmostEqual(weighted[0], weighted[1])
        self.fails("line 4, column 'a'", "'moderate'", "--categories", arguments=("agreement", "--data", data, "--raters", "a,b", "--categories", "low,high"))

    def test_fleiss_published(self):
        # Fleiss's table as printed in textbooks: 10 subjects, 14 raters, 5 categories, kappa 0.210.
        counts = [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
                  [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]]
        names = [f"r{k}" for k in range(14)]
        rows = [",".join(str(c + 1) for c, n in enumerate(line) for _ in range(n)) for line in counts]
        data = self.file("f.csv", ",".join(names) + "\n" + "\n".join(rows) + "\n")
        found = self.result("agreement", "--data", data, "--raters", ",".join(names))["fleiss"]
        self.near(found["kappa"], 0.20993070442195522)
        self.assertEqual((found["subjects"], found["raters"]), (10, 14))

    def test_one_category_is_undefined_not_zero(self):
        data = self.file("o.csv", "a,b\n1,1\n1,1\n")
        done = run("agreement", "--data", data, "--raters", "a,b", "--json")
        pair = json.loads(done.stdout)["pairs"][0]
        self.assertIsNone(pair["cohen"]["unweighted"]["kappa"])
        self.assertEqual(pair["concordance_rate"]["rate"], 1)

    def test_bland_altman_and_ccc_by_hand(self):
        # Differences -1/2, -1/2, 1/2, -1/2: mean -1/4, standard deviation 1/2.
        data = self.file("m.csv", "a,b\n1,1.5\n2,2.5\n3,2.5\n4,4.5\n")
        pair = self.result("agreement", "--data", data, "--raters", "a,b")["pairs"][0]
        self.near(pair["bland_altman"]["bias"], -0.25)
        self.near(pair["bland_altman"]["sd"], 0.5)
        self.near(pair["bland_altman"]["limits_of_agreement"][0], -0.25 - 0.98)
        self.near(pair["bland_altman"]["limits_of_agreement"][1], -0.25 + 0.98)
        # Shifted by one: 2 (2/3) / (2/3 + 2/3 + 1) = 4/7.
        data = self.file("s.csv", "a,b\n1,2\n2,3\n3,4\n")
        self.near(self.result("agreement", "--data", data, "--raters", "a,b", "--kind", "measurements")["pairs"][0]["ccc"]["ccc"], 4 / 7)

    def test_icc_published(self):
        # Shrout and Fleiss 1979, table 4.
        rows = ["9,2,5,8", "6,1,3,2", "8,4,6,8", "7,1,2,6", "10,5,6,9", "6,2,4,7"]
        data = self.file("i.csv", "j1,j2,j3,j4\n" + "\n".join(rows) + "\n")
        icc = self.result("agreement", "--data", data, "--raters", "j1,j2,j3,j4", "--kind", "measurements")["icc"]
        for name, value in (("ICC(1,1)", 0.17), ("ICC(2,1)", 0.29), ("ICC(3,1)", 0.71), ("ICC(1,k)", 0.44), ("ICC(2,k)", 0.62), ("ICC(3,k)", 0.91)):
            self.assertEqual(round(icc[name]["icc"], 2), value, name)

    def test_bad_input(self):
        data = self.file("b.csv", "a,b\n1,2.5\nx,2\n,3\n")
        self.fails("needs two or more", arguments=("agreement", "--data", data, "--raters", "a"))
        self.fails("no column 'c'", arguments=("agreement", "--data", data, "--raters", "a,c"))
        self.fails("line 3, column 'a'", "'x' is not a number", arguments=("agreement", "--data", data, "--raters", "a,b", "--kind", "measurements"))
        self.fails("Bland-Altman", arguments=("agreement", "--data", data, "--raters", "a,b", "--figure", "x.svg"))
        self.wrong_usage("agreement", "--data", data, "--raters", "a,b", "--kind", "guess")
        found = self.result("agreement", "--data", data, "--raters", "a,b")
        self.assertEqual((found["n"], found["table"]["missing"]), (2, {"a": 1}))

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_figure(self):
        data = self.file("m.csv", "a,b\n1,1.5\n2,2.5\n3,2.5\n4,4.5\n")
        path = os.path.join(self.folder, "ba.svg")
        self.result("agreement", "--data", data, "--raters", "a,b", "--figure", path)
        with open(path, encoding="utf-8") as svg:
            self.assertIn("limits of agreement -1.23 to 0.73", svg.read())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + ["--verbose"] + sys.argv[1:])
