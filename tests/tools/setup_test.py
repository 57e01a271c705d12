"""tools/setup, tools/demo and tools/test at their edges, in a made-up checkout with a made-up pip; nothing is fetched or installed."""

import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
FREE_MIB = shutil.disk_usage(tempfile.gettempdir()).free >> 20
PIN = f"torch==1.0 --hash=sha256:{'0' * 64}\n"


def small_npm_package(*names):
    """A tarball of the form that npm's registry gives."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as out:
        for name in ("package/package.json", *names):
            out.addfile(tarfile.TarInfo(name), io.BytesIO())
    return packed.getvalue()


NPM_PACKAGES = {"openseadragon": small_npm_package("package/LICENSE.txt", "package/build/openseadragon/openseadragon.min.js"),
                "playwright-core": small_npm_package("package/index.js", "package/lib/server.js")}
PAGE_PIN, DRIVER_PIN = (f"{name} 1.0 {hashlib.sha512(package).hexdigest()}\n" for name, package in NPM_PACKAGES.items())

# Stands for python3: '-m pip download … --dest FOLDER -r FILE' writes wheels as small as can be.
FAKE_PYTHON = """#!{python}
import os, sys, zipfile
if "download" not in sys.argv:
    sys.exit(0)
if "--help" in sys.argv:
    sys.exit(0)
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write(open(sys.argv[sys.argv.index("-r") + 1]).read())
if os.environ.get("FAKE_PIP") == "no network":
    sys.exit("ERROR: Could not find a version that satisfies the requirement")
folder = sys.argv[sys.argv.index("--dest") + 1]
def wheel(name, files):
    with zipfile.ZipFile(os.path.join(folder, name + "-1.0.whl"), "w") as out:
        for file in files:
            out.writestr(file, "x")
wheel("torch", [] if os.environ.get("FAKE_PIP") == "empty wheel" else ["torch/include/t.h", "torch/lib/libc10.so", "torch/other.py"])
wheel("openslide_bin", ["openslide_bin/libopenslide.so.1", "openslide_bin/__init__.py"])
wheel("nvidia_cuda_runtime", ["nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/include/c.h"])
wheel("nvidia_cuda_cupti", ["nvidia/cu13/lib/libcupti.so.13"])
if os.environ.get("FAKE_PIP") == "cuda":
    wheel("nvidia_cudnn_cu13", ["nvidia/cudnn/lib/libcudnn.so.9", "nvidia/cudnn/include/c.h"])
"""

# Stands for curl -o FILE ADDRESS.
FAKE_CURL = """#!/bin/sh
while [ $# -gt 1 ]; do [ "$1" = -o ] && file=$2; shift; done
echo "$1" >>"$FAKE_LOG"
case $FAKE_CURL in
  "no network") echo "curl: (6) Could not resolve host" >&2; exit 6 ;;
  "other bytes") echo something else >"$file" ;;
  *) cp "{packages}/$(basename "$1" -1.0.tgz)" "$file" ;;
esac
"""


class MadeUpCheckout(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.join(folder.name, "checkout")
        os.makedirs(os.path.join(self.root, "tools"))
        for name in ("setup", "demo", "test", "common.sh"):
            shutil.copy(os.path.join(TOOLS, name), os.path.join(self.root, "tools"))
        self.write("tools/packages.txt", "# comment\nbash  # and why\n")
        self.write("tools/libtorch.txt", "# comment\n" + PIN)
        self.write("tools/libtorch_cuda.txt", PIN)
        self.write("tools/openseadragon.txt", "# comment\n" + PAGE_PIN)
        self.write("tools/playwright-core.txt", "# comment\n" + DRIVER_PIN)
        self.bin = os.path.join(folder.name, "bin")
        os.makedirs(self.bin)
        self.program("python3", FAKE_PYTHON.replace("{python}", sys.executable))
        self.program("npm", "#!/bin/sh\necho https://registry.example.test/npm/\n")
        for name, package in NPM_PACKAGES.items():
            with open(os.path.join(folder.name, name), "wb") as out:
                out.write(package)
        self.program("curl", FAKE_CURL.replace("{packages}", folder.name))
        self.log = os.path.join(folder.name, "asked")
        self.deps = os.path.join(self.root, ".deps")

    def write(self, path, text):
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as out:
            out.write(text)

    def program(self, name, text):
        path = os.path.join(self.bin, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)

    def run_tool(self, tool, *arguments, pip="", curl=""):
        env = {"PATH": self.bin + ":/usr/bin:/bin:/usr/sbin:/sbin", "HOME": self.root, "FAKE_LOG": self.log, "FAKE_PIP": pip,
               "FAKE_CURL": curl}
        return subprocess.run([os.path.join(self.root, "tools", tool), *arguments], env=env, capture_output=True, text=True,
                              timeout=120, check=False)

    def stamp(self):
        for folder, pin in (("libtorch", PIN), ("openseadragon", PAGE_PIN), ("node_modules/playwright-core", DRIVER_PIN)):
            os.makedirs(os.path.join(self.deps, folder))
            self.write(f".deps/{folder}/.stamp", hashlib.sha256(f"form 1\n{pin}".encode()).hexdigest() + "\n")


@unittest.skipUnless(shutil.which("dpkg-query"), "no dpkg on this machine")
class Check(MadeUpCheckout):
    def test_nothing_missing_is_silent(self):
        self.stamp()
        result = self.run_tool("setup", "--check")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_missing_package_is_one_line_to_copy(self):
        self.stamp()
        self.write("tools/packages.txt", "bash\nclmnet-no-such-package\nclmnet-nor-this\n")
        result = self.run_tool("setup", "--check")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "sudo apt-get install -y --no-install-recommends clmnet-no-such-package clmnet-nor-this\n")

    def test_missing_libtorch_is_named_and_nothing_is_made(self):
        result = self.run_tool("setup", "--check")
        self.assertEqual(result.returncode, 1)
        self.assertIn(".deps/libtorch is missing", result.stdout)
        self.assertFalse(os.path.exists(self.deps))

    def test_missing_page_is_named(self):
        self.stamp()
        shutil.rmtree(os.path.join(self.deps, "openseadragon"))
        result = self.run_tool("setup", "--check")
        self.assertEqual(result.returncode, 1)
        self.assertIn(".deps/openseadragon is missing", result.stdout)

    def test_other_pins_are_noticed(self):
        self.stamp()
        self.write("tools/libtorch.txt", PIN.replace("1.0", "1.1"))
        self.assertEqual(self.run_tool("setup", "--check").returncode, 1)

    def test_cuda_is_asked_for_only_with_its_flag(self):
        self.stamp()
        result = self.run_tool("setup", "--check", "--cuda")
        self.assertEqual(result.returncode, 1)
        self.assertIn("run tools/setup --cuda", result.stdout)

    def test_folder_without_a_stamp_is_not_trusted(self):
        os.makedirs(os.path.join(self.deps, "libtorch", "include"))
        self.assertEqual(self.run_tool("setup", "--check").returncode, 1)


@unittest.skipUnless(shutil.which("dpkg-query"), "no dpkg on this machine")
class CheckForTests(MadeUpCheckout):
    """What only the browser tests need is asked for with --tests, and only where nothing else serves."""

    def setUp(self):
        super().setUp()
        self.stamp()
        self.write("tools/packages.txt", "bash\n# tests only: why\nclmnet-browser  # and why\nnodejs\n")
        self.program("apt-cache", "#!/bin/sh\nexit 0\n")
        self.program("node", "#!/bin/sh\necho v18.20.4\n")

    def check(self, *arguments):
        result = self.run_tool("setup", "--check", *arguments)
        return result.returncode, result.stdout, result.stderr

    def test_not_without_the_flag(self):
        shutil.rmtree(os.path.join(self.deps, "node_modules"))
        self.assertEqual(self.check(), (0, "", ""))

    def test_missing_package_is_one_line_with_those_of_the_build(self):
        wanted = "sudo apt-get install -y --no-install-recommends clmnet-browser\n"
        self.assertEqual(self.check("--tests"), (1, wanted, ""))
        self.write("tools/packages.txt", "clmnet-library\n# tests only\nclmnet-browser\n")
        self.assertEqual(self.check("--tests")[1], wanted.replace("clmnet-browser", "clmnet-library clmnet-browser"))

    def test_old_node_does_not_serve(self):
        self.write("tools/packages.txt", "# tests only\nnodejs\n")
        self.program("dpkg-query", "#!/bin/sh\nexit 1\n")
        self.assertEqual(self.check("--tests")[0], 0)
        for answer in ("echo v16.20.2", "echo v9.9.9", "echo nonsense", "exit 1"):
            self.program("node", f"#!/bin/sh\n{answer}\n")
            self.assertIn(" nodejs\n", self.check("--tests")[1], answer)

    def test_another_browser_serves(self):
        self.write("tools/packages.txt", "# tests only\nchromium\n")
        self.program("dpkg-query", "#!/bin/sh\nexit 1\n")
        self.program("google-chrome", "#!/bin/sh\n")
        self.assertEqual(self.check("--tests"), (0, "", ""))

    def test_package_that_apt_does_not_know_stops_nothing(self):
        self.program("apt-cache", "#!/bin/sh\nexit 100\n")
        status, out, problem = self.check("--tests")
        self.assertEqual((status, out), (0, ""))
        self.assertIn("clmnet-browser is none of the packages that apt knows here", problem)

    def test_missing_driver_is_named(self):
        self.write("tools/packages.txt", "bash\n")
        shutil.rmtree(os.path.join(self.deps, "node_modules"))
        status, out, _ = self.check("--tests")
        self.assertEqual(status, 1)
        self.assertIn("playwright-core is missing or not the one of tools/playwright-core.txt: run tools/setup --tests\n", out)


@unittest.skipUnless(shutil.which("dpkg-query") and shutil.which("unzip"), "needs dpkg and unzip")
@unittest.skipUnless(FREE_MIB > 7000, "setup wants more free disk than the temporary folder has")
class Install(MadeUpCheckout):
    def test_layout_and_second_run(self):
        result = self.run_tool("setup")
        self.assertEqual(result.returncode, 0, result.stderr)
        found = sorted(os.path.relpath(os.path.join(where, name), os.path.join(self.deps, "libtorch"))
                       for where, _, names in os.walk(os.path.join(self.deps, "libtorch")) for name in names)
        self.assertEqual(found, [".stamp", "include/t.h", "lib/libc10.so", "lib/libcudart.so.13", "lib/libcupti.so.13"])
        self.assertFalse(os.path.exists(os.path.join(self.deps, "wheels")))
        os.remove(self.log)
        again = self.run_tool("setup")
        self.assertEqual((again.returncode, again.stderr), (0, ""))
        self.assertFalse(os.path.exists(self.log), "the second run asked pip")

    def test_new_pins_replace_the_folder(self):
        os.makedirs(os.path.join(self.deps, "libtorch", "old"))
        self.assertEqual(self.run_tool("setup").returncode, 0)
        self.assertFalse(os.path.exists(os.path.join(self.deps, "libtorch", "old")))

    def test_what_a_killed_run_left_is_removed(self):
        os.makedirs(os.path.join(self.deps, "libtorch.new.123", "half"))
        self.assertEqual(self.run_tool("setup").returncode, 0)
        self.assertEqual([name for name in os.listdir(self.deps) if "new" in name], [])

    def test_cuda_lies_where_the_library_looks(self):
        result = self.run_tool("setup", "--cuda", pip="cuda")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(os.path.isfile(os.path.join(self.deps, "nvidia", "cudnn", "lib", "libcudnn.so.9")))
        self.assertFalse(os.path.exists(os.path.join(self.deps, "nvidia", "cudnn", "include")))

    def test_openslide_is_one_file(self):
        self.write("tools/openslide.txt", "openslide-bin==1.0 --hash=sha256:" + "0" * 64 + "\n")
        self.assertEqual(self.run_tool("setup", "--check").returncode, 1)
        result = self.run_tool("setup")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(sorted(os.listdir(os.path.join(self.deps, "openslide"))), [".stamp", "libopenslide.so.1"])
        self.assertEqual(self.run_tool("setup", "--check").returncode, 0)

    def test_no_network(self):
        result = self.run_tool("setup", pip="no network")
        self.assertEqual(result.returncode, 1)
        self.assertIn("torch==1.0 could not be fetched", result.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.deps, "libtorch")))

    def test_wheel_of_another_form_leaves_the_old_folder(self):
        os.makedirs(os.path.join(self.deps, "libtorch", "old"))
        result = self.run_tool("setup", pip="empty wheel")
        self.assertEqual(result.returncode, 1)
        self.assertIn("unpacking failed", result.stderr)
        self.assertEqual(os.listdir(os.path.join(self.deps, "libtorch")), ["old"])

    def test_page_lies_in_its_folder_and_the_registry_is_the_one_of_npm(self):
        self.assertEqual(self.run_tool("setup").returncode, 0)
        self.assertEqual(sorted(os.listdir(os.path.join(self.deps, "openseadragon"))), [".stamp", "LICENSE.txt", "openseadragon.min.js"])
        self.assertFalse(os.path.exists(os.path.join(self.deps, "openseadragon.tgz")))
        with open(self.log, encoding="utf-8") as asked:
            self.assertIn("https://registry.example.test/npm/openseadragon/-/openseadragon-1.0.tgz\n", asked.read())

    def test_driver_of_the_browser_lies_where_node_looks(self):
        result = self.run_tool("setup", "--tests")
        self.assertEqual(result.returncode, 0, result.stderr)
        folder = os.path.join(self.deps, "node_modules", "playwright-core")
        self.assertEqual(sorted(os.listdir(folder)), [".stamp", "index.js", "lib", "package.json"])
        self.assertEqual(self.run_tool("setup", "--check", "--tests").returncode, 0)

    def test_driver_is_not_fetched_for_a_build(self):
        self.assertEqual(self.run_tool("setup").returncode, 0)
        self.assertFalse(os.path.exists(os.path.join(self.deps, "node_modules")))

    def test_npm_that_fails_is_done_without(self):
        self.program("npm", "#!/bin/sh\nexit 1\n")
        self.assertEqual(self.run_tool("setup").returncode, 0)
        with open(self.log, encoding="utf-8") as asked:
            self.assertIn("https://registry.npmjs.org/openseadragon/-/openseadragon-1.0.tgz\n", asked.read())

    def test_page_without_network(self):
        result = self.run_tool("setup", curl="no network")
        self.assertEqual(result.returncode, 1)
        self.assertIn("openseadragon 1.0 could not be fetched", result.stderr)

    def test_page_of_another_checksum_is_thrown_away(self):
        result = self.run_tool("setup", curl="other bytes")
        self.assertEqual(result.returncode, 1)
        self.assertIn("another checksum", result.stderr)
        self.assertEqual([name for name in os.listdir(self.deps) if "openseadragon" in name], [])

    def test_full_disk(self):
        self.program("df", "#!/bin/sh\necho Avail\necho 12M\n")
        result = self.run_tool("setup")
        self.assertEqual(result.returncode, 1)
        self.assertIn("12 MiB free, libtorch needs 2600 MiB", result.stderr)

    def test_deps_is_a_file(self):
        self.write(".deps", "")
        result = self.run_tool("setup")
        self.assertEqual(result.returncode, 1)
        self.assertIn(".deps: cannot be made", result.stderr)


class Usage(MadeUpCheckout):
    def test_help(self):
        for tool in ("setup", "demo", "test"):
            result = self.run_tool(tool, "--help")
            self.assertEqual(result.returncode, 0, tool)
            self.assertIn("Example", result.stdout)

    def test_wrong_usage(self):
        for tool, argument in (("setup", "--chekc"), ("demo", "--slide"), ("test", "fast")):
            result = self.run_tool(tool, argument)
            self.assertEqual(result.returncode, 2, tool)
            self.assertIn(argument, result.stderr)
        self.assertEqual(self.run_tool("demo", "a.svs", "b.svs").returncode, 2)

    def test_demo_names_a_missing_slide_before_it_builds(self):
        result = self.run_tool("demo", "/nowhere/a.svs")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "clmnet: /nowhere/a.svs: no such file; check the path\n")

    def test_demo_names_a_folder_given_as_slide(self):
        self.assertEqual(self.run_tool("demo", self.root).returncode, 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + ["--verbose"] + sys.argv[1:])
