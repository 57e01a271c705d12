"""No file includes what its room may not know, every source is in a CMakeLists.txt, and the root holds the agreed names only.

The table below is the one of the design: a room, the rooms of ours that it may include, the libraries that it may include.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# A library is known by how its includes begin.
SLIDE_LIBRARIES = ("openslide", "tiff", "turbojpeg.h", "jpeglib.h", "jerror.h", "opencv2/", "tbb/", "oneapi/tbb/", "hdf5", "H5",
                   "vips/", "lcms2")
TORCH = ("torch/", "ATen/", "c10/")
STATISTICS = ("Eigen/", "boost/math/", "tbb/", "oneapi/tbb/")
EVERYTHING = ("",)

# The longest prefix of a file's path decides. Rooms: (our folders that may be included, libraries).
TABLE = {
    "tools/base/": (("tools/base/",), ("openssl/",)),
    "wsi/": (("wsi/", "tools/base/"), SLIDE_LIBRARIES),
    "nets/": (("nets/", "tools/base/"), TORCH),
    "nets/crf/": (("nets/", "tools/base/"), TORCH + ("tbb/", "oneapi/tbb/")),  # plain C++ on the CPU: its threads are TBB's
    "nets/inference/": (("nets/", "wsi/", "tools/base/"), TORCH + SLIDE_LIBRARIES),
    "survival/": (("survival/", "tools/base/"), STATISTICS),
    "tools/": (EVERYTHING, EVERYTHING),
    "tests/": (EVERYTHING, EVERYTHING),
}
OURS = ("wsi/", "nets/", "survival/", "tools/", "tests/")
IN_EVERY_BODY = ("nlohmann/", "spdlog/")  # in a .cpp of any room, in no header but those of tools/

# What the language and the system bring: <vector> has no dot, C and POSIX headers are named.
SYSTEM = re.compile(r"(sys/.*|linux/.*|arpa/.*|netinet/.*|[a-z]*intrin|cpuid|unistd|fcntl|dlfcn|sched|pthread|poll|signal|errno|"
                    r"math|stdint|stdio|stdlib|string|setjmp|ftw|link|malloc|time|cxxabi|execinfo)(\.h)?")

ROOT_NAMES = {"CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", ".gitignore", ".ci",
              ".clang-format", ".clang-tidy", "wsi", "nets", "survival", "tools", "configs", "data_manifests", "tests"}
NOT_OURS = {".git", ".deps", ".build", "runs"}  # git, and what .gitignore names

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def source_files(root, endings):
    for folder in OURS:
        for where, folders, files in os.walk(os.path.join(root, folder)):
            folders[:] = sorted(f for f in folders if f not in ("node_modules", "__pycache__"))
            for name in sorted(files):
                if name.endswith(endings):
                    yield os.path.relpath(os.path.join(where, name), root)


def room_of(path):
    return max((prefix for prefix in TABLE if path.startswith(prefix)), key=len)


def resolve(root, path, quoted):
    """The path of an include below the root, where it is a file of ours."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), quoted))
    for candidate in (os.path.normpath(quoted), beside):
        if candidate.startswith(OURS) and os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def complaint_about(root, path, include):
    room = room_of(path)
    our_folders, libraries = TABLE[room]
    target = resolve(root, path, include)
    if target is None and include.startswith(OURS):
        return "there is no such file"
    if target is not None:
        if not target.startswith(our_folders):
            return f"{room} may include of ours only {', '.join(our_folders)}"
        if room == "nets/" and target.startswith("nets/inference/"):
            return "nets/ may not know nets/inference/, which knows slides"
        return None
    if "." not in os.path.basename(include) and "/" not in include or SYSTEM.fullmatch(include):
        return None
    if include.startswith(libraries):
        return None
    if include == "nlohmann/json_fwd.hpp":
        return None  # names only, made for headers
    if include.startswith(IN_EVERY_BODY):
        return None if path.endswith(".cpp") else f"{include.split('/')[0]} belongs into .cpp files"
    return f"{room} may not include this library; it may: {', '.join(libraries)}"


def check_includes(root):
    for path in source_files(root, (".h", ".hpp", ".cpp", ".cu", ".c")):
        with open(os.path.join(root, path), encoding="utf-8") as source:
            for match in INCLUDE.finditer(source.read()):
                include = match.group(1) or match.group(2)
                reason = complaint_about(root, path, include)
                if reason:
                    yield f"{path}: includes {include}: {reason}"


def check_listed(root):
    """A source that no CMakeLists.txt above it names is never compiled, a test so forgotten never runs."""
    for path in source_files(root, (".cpp", ".cu")):
        folder, listed = os.path.dirname(path), False
        while folder and not listed:
            cmake = os.path.join(root, folder, "CMakeLists.txt")
            if os.path.isfile(cmake):
                with open(cmake, encoding="utf-8") as text:
                    words = re.split(r"[\s()\"]+", re.sub(r"#.*", "", text.read()))
                listed = os.path.relpath(path, folder) in words or f"${{CMAKE_SOURCE_DIR}}/{path}" in words
            folder = os.path.dirname(folder)
        if not listed:
            yield f"{path}: no CMakeLists.txt above it names it"


def check_globs(root):
    for path in source_files(root, ("CMakeLists.txt", ".cmake")):
        with open(os.path.join(root, path), encoding="utf-8") as text:
            if re.search(r"\bGLOB(_RECURSE)?\b", text.read()):
                yield f"{path}: globs sources; list them by hand"


def root_names(root):
    """What git tracks, so that an editor's own folder is no complaint; in an unpacked archive, what is there."""
    tracked = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, text=True, check=False)
    if tracked.returncode == 0 and tracked.stdout:
        return sorted({path.split("/")[0] for path in tracked.stdout.split("\0") if path})
    return sorted(os.listdir(root))


def check_root(root):
    for name in root_names(root):
        if name not in ROOT_NAMES | NOT_OURS and not name.endswith(".tmp"):
            yield f"{name}: the root holds only {', '.join(sorted(ROOT_NAMES))}"


class ThisCheckout(unittest.TestCase):
    def test_includes(self):
        self.assertEqual(list(check_includes(ROOT)), [])

    def test_every_source_is_compiled(self):
        self.assertEqual(list(check_listed(ROOT)), [])

    def test_no_globs(self):
        self.assertEqual(list(check_globs(ROOT)), [])

    def test_root(self):
        self.assertEqual(list(check_root(ROOT)), [])

    def test_it_looks_at_something(self):
        self.assertGreater(len(list(source_files(ROOT, (".cpp",)))), 5)


class MadeUpTrees(unittest.TestCase):
    """The checks find what they are there to find."""

    def tree(self, files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for path, text in files.items():
            os.makedirs(os.path.join(folder.name, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(folder.name, path), "w", encoding="utf-8") as out:
                out.write(text)
        return folder.name

    def includes(self, path, include, extra=()):
        return list(check_includes(self.tree({path: f"#include {include}\n", **{name: "" for name in extra}})))

    def test_allowed(self):
        for path, include, extra in (
            ("wsi/a.cpp", '"tools/base/csv.h"', ["tools/base/csv.h"]),
            ("wsi/a.h", "<openslide/openslide.h>", []),
            ("nets/inference/a.cpp", '"wsi/slide.h"', ["wsi/slide.h"]),
            ("nets/a.cpp", "<nlohmann/json.hpp>", []),
            ("survival/a.cpp", "<boost/math/distributions/normal.hpp>", []),
            ("survival/a.cpp", "<Eigen/Dense>", []),
            ("nets/vgg.cpp", '"torch.h"', ["nets/torch.h"]),
            ("tools/cmd.cpp", '"survival/cox.h"', ["survival/cox.h"]),
            ("wsi/a.cpp", "<vector>", []),
            ("wsi/a.cpp", "<sys/mman.h>", []),
        ):
            self.assertEqual(self.includes(path, include, extra), [], f"{path} {include}")

    def test_forbidden(self):
        for path, include, extra in (
            ("wsi/a.cpp", '"nets/vgg.h"', ["nets/vgg.h"]),
            ("wsi/a.h", '"survival/cox.h"', ["survival/cox.h"]),
            ("wsi/a.cpp", "<torch/torch.h>", []),
            ("nets/a.cpp", '"wsi/slide.h"', ["wsi/slide.h"]),
            ("nets/a.cpp", '"../wsi/slide.h"', ["wsi/slide.h"]),
            ("nets/a.cpp", '"nets/inference/run.h"', ["nets/inference/run.h"]),
            ("nets/a.cpp", "<opencv2/core.hpp>", []),
            ("survival/a.cpp", '"wsi/slide.h"', ["wsi/slide.h"]),
            ("survival/a.h", "<boost/graph/adjacency_list.hpp>", []),
            ("survival/a.cpp", "<torch/torch.h>", []),
            ("tools/base/a.cpp", '"tools/command.h"', ["tools/command.h"]),
            ("tools/base/a.cpp", '"wsi/slide.h"', ["wsi/slide.h"]),
            ("wsi/a.h", "<nlohmann/json.hpp>", []),
            ("wsi/a.cpp", "<curl/curl.h>", []),
            ("wsi/a.cpp", '"wsi/nowhere.h"', []),
        ):
            self.assertEqual(len(self.includes(path, include, extra)), 1, f"{path} {include}")

    def test_spaces_and_second_line(self):
        root = self.tree({"survival/a.cpp": "#include <vector>\n  #  include   <torch/torch.h>\n"})
        self.assertEqual(len(list(check_includes(root))), 1)

    def test_orphans(self):
        root = self.tree({"wsi/CMakeLists.txt": "clmnet_add_library(w SOURCES a.cpp) # b.cpp\n", "wsi/a.cpp": "", "wsi/b.cpp": "",
                          "tests/wsi/CMakeLists.txt": "x(SOURCES aa.cpp)", "tests/wsi/a.cpp": ""})
        self.assertEqual([line.split(":")[0] for line in check_listed(root)], ["wsi/b.cpp", "tests/wsi/a.cpp"])

    def test_sources_of_a_subfolder(self):
        root = self.tree({"nets/CMakeLists.txt": "x(SOURCES inference/run.cpp)", "nets/inference/run.cpp": ""})
        self.assertEqual(list(check_listed(root)), [])

    def test_globs(self):
        root = self.tree({"wsi/CMakeLists.txt": "file(GLOB sources *.cpp)"})
        self.assertEqual(len(list(check_globs(root))), 1)

    def test_root(self):
        root = self.tree({"README.md": "", "notes.txt": "", "src/a.cpp": "", "wsi/a.cpp": "", ".git/config": ""})
        self.assertEqual([line.split(":")[0] for line in check_root(root)], ["notes.txt", "src"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + ["--verbose"] + sys.argv[1:])
