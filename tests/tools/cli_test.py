"""The command line of clmnet as scripts see it: exit statuses, what goes to stdout and what to stderr, help of every command.

Usage: cli_test.py CLMNET
"""

import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import unittest

CLMNET = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "clmnet"


def run(*arguments, stdout=subprocess.PIPE, **more):
    return subprocess.run([CLMNET, *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120, check=False, **more)


@functools.lru_cache(maxsize=None)
def help_of(*path):
    """The run of a command with --help; once for all tests, because a program with LibTorch takes a while to load."""
    return run(*path, "--help")


def subcommands(*path):
    """The names under 'Subcommands:' of a help text."""
    names, inside = [], False
    for line in help_of(*path).stdout.splitlines():
        if line.startswith("Subcommands"):
            inside = True
        elif inside and line.startswith("  ") and not line.startswith("   "):
            names.append(line.split()[0])
        elif inside and not line.startswith(" "):
            inside = False
    return names


def all_commands(*path):
    for name in subcommands(*path):
        yield (*path, name)
        yield from all_commands(*path, name)


class Help(unittest.TestCase):
    def test_version(self):
        result = run("--version")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"^clmnet \d+\.\d+\.\d+\n$")

    def test_every_command_explains_itself(self):
        commands = list(all_commands())
        self.assertGreaterEqual(len(commands), 2)
        for command in commands:
            result = help_of(*command)
            self.assertEqual(result.returncode, 0, command)
            self.assertEqual(result.stderr, "", command)
            self.assertIn("Example:", result.stdout, command)
            if not subcommands(*command):
                self.assertIn("--json", result.stdout, command)

    def test_every_option_has_words(self):
        for command in all_commands():
            lines = help_of(*command).stdout.splitlines()
            for line, following in zip(lines, lines[1:] + [""]):
                if line.startswith("  -") and len(line.split("  ")) < 3 and not following.startswith("      "):
                    self.fail(f"{' '.join(command)}: no description: {line.strip()}")


class WrongUsage(unittest.TestCase):
    """Status 2, nothing on stdout."""

    def assert_wrong(self, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, 2, f"{arguments}: {result.stderr}")
        self.assertEqual(result.stdout, "", arguments)
        self.assertNotEqual(result.stderr, "", arguments)

    def test_nothing(self):
        self.assert_wrong()

    def test_unknown_command(self):
        self.assert_wrong("analyse")
        self.assertIn("'analyse' is not known here", run("analyse").stderr)

    def test_a_misspelt_option_is_named_where_a_required_one_is_missing_for_it(self):
        self.assertIn("'--ouput' is not known here", run("synth-cohort", "--ouput", "x.csv").stderr)
        self.assertNotIn("is not known here", run("synth-cohort").stderr)

    def test_unknown_flag(self):
        for command in all_commands():
            self.assert_wrong(*command, "--no-such-flag")

    def test_missing_values(self):
        self.assert_wrong("synth-cohort")
        self.assert_wrong("synth-cohort", "-o")
        self.assert_wrong("synth-cohort", "-o", "x.csv", "--patients", "many")
        self.assert_wrong("synth-cohort", "-o", "x.csv", "--patients", "0")
        self.assert_wrong("synth-cohort", "-o", "x.csv", "--patients", "-3")
        self.assert_wrong("doctor", "--device", "tpu")


class Failures(unittest.TestCase):
    """Status 1, one line 'clmnet: …' on stderr, no file."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def assert_fails(self, result, *words):
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, r"^clmnet: ")
        for word in words:
            self.assertIn(word, result.stderr)

    def test_folder_that_is_not_there(self):
        self.assert_fails(run("synth-cohort", "-o", os.path.join(self.folder, "no", "c.csv")), "no such folder")

    def test_output_is_a_folder(self):
        self.assert_fails(run("synth-cohort", "-o", self.folder), "is a folder")

    def test_full_disk(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # noqa: E731
        target = os.path.join(self.folder, "c.csv")
        result = run("synth-cohort", "-o", target, "--patients", "1000", preexec_fn=limit)
        self.assert_fails(result, "c.csv", "free some disk space")
        self.assertEqual(os.listdir(self.folder), [])

    def test_old_file_survives_a_full_disk(self):
        target = os.path.join(self.folder, "c.csv")
        self.assertEqual(run("synth-cohort", "-o", target, "--patients", "5").returncode, 0)
        with open(target, encoding="utf-8") as text:
            before = text.read()
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # noqa: E731
        self.assert_fails(run("synth-cohort", "-o", target, "--patients", "1000", preexec_fn=limit))
        with open(target, encoding="utf-8") as text:
            self.assertEqual(text.read(), before)

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full on this machine")
    def test_results_that_cannot_be_printed(self):
        for option in ((), ("--json",)):
            with open("/dev/full", "w", encoding="utf-8") as full:
                result = run("synth-cohort", "-o", os.path.join(self.folder, "c.csv"), *option, stdout=full)
            self.assert_fails(result, "stdout")


class Results(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.target = os.path.join(folder.name, "c.csv")

    def test_json_is_all_of_stdout(self):
        result = run("synth-cohort", "-o", self.target, "--json")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(json.loads(result.stdout)["patients"], 200)

    def test_doctor_names_what_is_missing(self):
        result = run("doctor", "--json", env={**os.environ, "PATH": "/nowhere", "CLMNET_DATA": "/nowhere"})
        self.assertEqual(result.returncode, 1)
        found = json.loads(result.stdout)
        self.assertFalse(found["ok"])
        self.assertFalse(found["programs"]["gnuplot"]["ok"])
        self.assertIn("gnuplot-nox", found["programs"]["gnuplot"]["advice"])
        self.assertFalse(found["data"]["folder"]["ok"])

    def test_doctor_has_versions(self):
        found = json.loads(run("doctor", "--json").stdout)
        self.assertGreaterEqual(len(found["libraries"]), 5)
        for name, library in found["libraries"].items():
            if library["ok"]:
                self.assertRegex(library["found"], r"\d", name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + ["--verbose"] + sys.argv[1:])
