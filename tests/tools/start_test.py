"""What the program loads when it starts: LibTorch and the libraries of picture files only where a command uses them.

Usage: start_test.py CLMNET [nets]     with 'nets' the build has the commands of networks
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

CLMNET = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "clmnet"
HAS_NETS = len(sys.argv) > 1 and sys.argv.pop(1) == "nets"

# Each takes 20 ms and more to load, with what it needs in turn.
SLOW = ("libtorch", "libc10", "libopencv_imgcodecs", "libgdal", "libvips", "clmnet-nets", "clmnet-pictures")


def run(program, *arguments, **more):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=False, **more)


class Made(unittest.TestCase):
    """A drawn slide, a cohort and a folder for results."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.slide = os.path.join(cls.folder.name, "slide.svs")
        cls.cohort = os.path.join(cls.folder.name, "cohort.csv")
        cls.tiles = os.path.join(cls.folder.name, "tiles")
        for arguments in (("synth", "-o", cls.slide), ("synth-cohort", "-o", cls.cohort, "--patients", "40"),
                          ("tile", cls.slide, "-o", cls.tiles, "--mpp", "2")):
            result = run(CLMNET, *arguments)
            assert result.returncode == 0, result.stderr

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def loaded(self, *arguments):
        """The libraries that the loader initialised in one run, and the run's result."""
        with tempfile.TemporaryDirectory() as log:
            result = run(CLMNET, *arguments, env={**os.environ, "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": os.path.join(log, "files")})
            libraries = set()
            for name in os.listdir(log):
                with open(os.path.join(log, name), encoding="utf-8", errors="replace") as text:
                    libraries |= {os.path.basename(line.split()[-1]) for line in text if "calling init" in line}
        return libraries, result

    def slow(self, *arguments, status=0):
        libraries, result = self.loaded(*arguments)
        self.assertEqual(result.returncode, status, f"{arguments}: {result.stderr}")
        self.assertIn("libstdc++.so.6", libraries, "the loader's report was not understood")
        return sorted(library for library in libraries if library.startswith(SLOW))


class Start(Made):
    def test_commands_that_need_neither_networks_nor_pictures(self):
        for arguments in (("--version",), ("--help",), ("info", self.slide), ("info", self.slide, "--json"),
                          ("tile", self.slide, "-o", self.tiles, "--mpp", "2"), ("tile", "--help"), ("view", "--help"),
                          ("survival", "km", "--help"), ("stats", "roc", "--help"), ("status", "--help"), ("bench", "--help"),
                          ("survival", "logrank", "--data", self.cohort, "--time", "time", "--event", "event", "--group", "site")):
            with self.subTest(arguments=arguments[:2]):
                libraries, result = self.loaded(*arguments)
                self.assertIn("libstdc++.so.6", libraries, "the loader's report was not understood")
                self.assertNotIn("LibTorch", result.stderr)
                self.assertEqual([library for library in sorted(libraries) if library.startswith(SLOW)], [])

    def test_pictures_are_loaded_by_who_draws(self):
        with tempfile.TemporaryDirectory() as out:
            found = self.slow("tissue", self.slide, "-o", os.path.join(out, "tissue"))
        self.assertIn("clmnet-pictures.so", found)
        self.assertNotIn("libtorch_cpu.so", found)

    def test_wrong_usage_stays_wrong_usage(self):
        for arguments in (("analyse",), ("bench",), ("bench", "net")):
            self.assertEqual(self.slow(*arguments, status=2), [], arguments)

    def test_broken_picture_part_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            program = shutil.copy(CLMNET, folder)
            with open(os.path.join(folder, "clmnet-pictures.so"), "w", encoding="utf-8") as part:
                part.write("no library")
            result = run(program, "doctor", "--json")
            self.assertEqual(result.returncode, 1)
            self.assertIn("clmnet-pictures.so", json.loads(result.stdout)["libraries"]["libvips"]["found"])
            result = run(program, "tissue", self.slide, "-o", os.path.join(folder, "tissue"))
            self.assertEqual(result.returncode, 1)
            self.assertIn("clmnet-pictures.so cannot be loaded", result.stderr)
            self.assertEqual(run(program, "info", self.slide).returncode, 0)


@unittest.skipUnless(HAS_NETS, "this build has no networks")
class Networks(Made):
    COMMANDS = (("analyze",), ("evaluate",), ("train",), ("cv",), ("export",), ("bench", "nets"))

    def test_their_commands_load_libtorch(self):
        for command in self.COMMANDS:
            self.assertIn("libtorch_cpu.so", self.slow(*command, "--help"), command)

    def test_the_list_says_what_the_commands_say(self):
        for command in self.COMMANDS:
            listed = " ".join(run(CLMNET, *command[:-1], "--help").stdout.split())
            own = run(CLMNET, *command, "--help").stdout.strip()
            description = " ".join(own.split("Usage:")[0].split())
            self.assertTrue(description, command)
            self.assertIn(f"{command[-1]} {description}", listed)

    def test_arguments_arrive_as_they_were_given(self):
        result = run(CLMNET, "analyze", "--", "no such slide.svs", "-o", "x")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--output", result.stderr)
        result = run(CLMNET, "export", "--model", "/no/where", "-o", "/no/where/out")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("clmnet: /no/where", result.stderr)

    def test_command_behind_a_dash(self):
        self.assertNotEqual(run(CLMNET, "--", "analyze", "x.svs").returncode, 0)

    def test_without_libtorch(self):
        with tempfile.TemporaryDirectory() as folder:
            program = shutil.copy(CLMNET, folder)
            with open(os.path.join(folder, "clmnet-nets.so"), "w", encoding="utf-8") as part:
                part.write("no library")
            for command in self.COMMANDS:
                result = run(program, *command, "--help")
                self.assertEqual((result.returncode, result.stdout), (1, ""), command)
                self.assertRegex(result.stderr, r"^clmnet: '\w+' needs LibTorch: clmnet-nets.so cannot be loaded: .*; run tools/setup")
            result = run(program, "doctor", "--json")
            self.assertEqual(result.returncode, 1)
            libtorch = json.loads(result.stdout)["libraries"]["LibTorch"]
            self.assertFalse(libtorch["ok"])
            self.assertIn("tools/setup", libtorch["advice"])
            for arguments in (("info", self.slide), ("--help",)):
                self.assertEqual(run(program, *arguments).returncode, 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + ["--verbose"] + sys.argv[1:])
