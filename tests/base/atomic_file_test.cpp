#include "tools/base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/base/file_size_limit.h"
#include "tests/base/temporary_folder.h"
#include "tools/base/error.h"

namespace clmnet {
namespace {

namespace fs = std::filesystem;
using test::FileSizeLimit;
using test::message_of;
using test::TemporaryFolder;

void write_through(const AtomicFile& file, std::string_view bytes) {
  std::ofstream(file.temporary(), std::ios::binary) << bytes;
}

// ---- whole ----

TEST(AtomicFile, CommittedFileIsThereAndNothingElse) {
  TemporaryFolder folder;
  AtomicFile file(folder / "map.tiff");
  EXPECT_EQ(file.temporary().extension(), ".tiff") << "libraries choose the format by the extension";
  EXPECT_EQ(file.temporary().parent_path(), folder.path()) << "rename must stay on one file system";
  write_through(file, "pixels");
  EXPECT_FALSE(fs::exists(folder / "map.tiff"));
  file.commit();
  EXPECT_EQ(read_whole_file(folder / "map.tiff"), "pixels");
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(AtomicFile, ReplacesWhatStoodThere) {
  TemporaryFolder folder;
  folder.write("run.json", "old, and longer than the new one");
  write_atomically(folder / "run.json", "new");
  EXPECT_EQ(read_whole_file(folder / "run.json"), "new");
}

TEST(AtomicFile, TwoForOneTargetHaveDifferentTemporaryNames) {
  TemporaryFolder folder;
  AtomicFile first(folder / "a.csv");
  AtomicFile second(folder / "a.csv");
  EXPECT_NE(first.temporary(), second.temporary());
}

TEST(AtomicFile, ConcurrentWritersLeaveOneWholeFile) {
  TemporaryFolder folder;
  std::vector<std::thread> writers;
  for (char c = 'a'; c < 'e'; ++c) {
    writers.emplace_back([&folder, c] {
      for (int i = 0; i < 5; ++i) write_atomically(folder / "shared", std::string(200000, c));
    });
  }
  for (auto& writer : writers) writer.join();
  const std::string bytes = read_whole_file(folder / "shared");
  ASSERT_EQ(bytes.size(), 200000u);
  EXPECT_EQ(bytes, std::string(200000, bytes[0]));
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(AtomicFile, EmptyFile) {
  TemporaryFolder folder;
  write_atomically(folder / "empty", "");
  EXPECT_EQ(fs::file_size(folder / "empty"), 0u);
}

TEST(AtomicFile, ObeysTheUmask) {
  TemporaryFolder folder;
  const mode_t before = ::umask(027);
  write_atomically(folder / "f", "x");
  ::umask(before);
  EXPECT_EQ(fs::status(folder / "f").permissions() & fs::perms::all, static_cast<fs::perms>(0640));
}

TEST(AtomicFile, RelativePathWithoutAFolder) {
  TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  write_atomically("here.txt", "x");
  fs::current_path(before);
  EXPECT_EQ(read_whole_file(folder / "here.txt"), "x");
}

// ---- or absent ----

TEST(AtomicFileErrors, WithoutCommitNothingChanges) {
  TemporaryFolder folder;
  folder.write("kept.csv", "before");
  {
    AtomicFile file(folder / "kept.csv");
    write_through(file, "half of a");
  }
  EXPECT_EQ(read_whole_file(folder / "kept.csv"), "before");
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(AtomicFileErrors, AnExceptionInBetweenLeavesNothing) {
  TemporaryFolder folder;
  EXPECT_THROW(
      {
        AtomicFile file(folder / "map.tiff");
        write_through(file, "half");
        throw std::runtime_error("decoder failed");
      },
      std::runtime_error);
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(AtomicFileErrors, NoMoreSpaceKeepsTheOldFile) {
  TemporaryFolder folder;
  folder.write("features.h5", "old");
  std::string message;
  {
    FileSizeLimit limit(4096);
    message = message_of<InputError>([&] { write_atomically(folder / "features.h5", std::string(100000, 'x')); });
  }
  EXPECT_NE(message.find("features.h5: cannot be written, nothing was changed ("), std::string::npos) << message;
  EXPECT_NE(message.find("free some disk space"), std::string::npos) << message;
  EXPECT_EQ(read_whole_file(folder / "features.h5"), "old");
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(AtomicFileErrors, MissingFolder) {
  TemporaryFolder folder;
  EXPECT_EQ(message_of<InputError>([&] { AtomicFile(folder / "runs" / "a.csv"); }),
            (folder / "runs").string() + ": no such folder to write a.csv into");
}

TEST(AtomicFileErrors, AFileWhereAFolderShouldBe) {
  TemporaryFolder folder;
  folder.write("runs", "a file");
  EXPECT_NE(message_of<InputError>([&] { AtomicFile(folder / "runs" / "a.csv"); }).find("no such folder"), std::string::npos);
}

TEST(AtomicFileErrors, TargetIsAFolder) {
  TemporaryFolder folder;
  fs::create_directory(folder / "a.csv");
  EXPECT_EQ(message_of<InputError>([&] { AtomicFile(folder / "a.csv"); }),
            (folder / "a.csv").string() + ": is a folder, expected a file to write");
}

TEST(AtomicFileErrors, TargetBecomesAFolderBeforeCommit) {
  TemporaryFolder folder;
  AtomicFile file(folder / "a.csv");
  write_through(file, "x");
  fs::create_directories(folder / "a.csv" / "inner");
  EXPECT_NE(message_of<InputError>([&] { file.commit(); }).find("a.csv: cannot be given its name"), std::string::npos);
}

TEST(AtomicFileErrors, CommitOfWhatWasNeverWritten) {
  TemporaryFolder folder;
  AtomicFile file(folder / "a.csv");
  EXPECT_NE(message_of<InputError>([&] { file.commit(); }).find("No such file"), std::string::npos);
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(AtomicFileErrors, FolderThatMayNotBeWritten) {
  if (::geteuid() == 0) {
    // Permissions do not bind root; /proc refuses new files to everyone.
    EXPECT_THROW(write_atomically("/proc/clmnet.json", "x"), InputError);
    return;
  }
  TemporaryFolder folder;
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  const auto message = message_of<InputError>([&] { AtomicFile(folder / "a.csv"); });
  fs::permissions(folder.path(), fs::perms::owner_all);
  EXPECT_NE(message.find("the folder may not be written"), std::string::npos);
  EXPECT_NE(message.find("take another folder"), std::string::npos);
}

TEST(AtomicFileErrors, NameTooLong) {
  TemporaryFolder folder;
  EXPECT_THROW(write_atomically(folder / std::string(300, 'n'), "x"), InputError);
  EXPECT_EQ(folder.entries(), 0u);
}

// ---- reading ----

TEST(ReadWholeFile, BytesAsTheyAre) {
  TemporaryFolder folder;
  const std::string bytes("\0\r\n\xFF", 4);
  EXPECT_EQ(read_whole_file(folder.write("b", bytes)), bytes);
  const std::string large(3'000'001, 'z');
  EXPECT_EQ(read_whole_file(folder.write("large", large)), large);
}

TEST(ReadWholeFileErrors, MissingIsSaidSo) {
  EXPECT_EQ(message_of<InputError>([] { read_whole_file("/nowhere/x"); }), "/nowhere/x: no such file; check the path");
}

TEST(ReadWholeFileErrors, ADirectoryIsSaidSo) {
  TemporaryFolder folder;
  EXPECT_NE(message_of<InputError>([&] { read_whole_file(folder.path()); }).find("is a folder"), std::string::npos);
}

TEST(ReadWholeFileErrors, ReadErrorIsNotAnEmptyFile) {
  // Address 0 is never mapped, so the first read() fails as on a broken disk.
  const auto message = message_of<InputError>([] { read_whole_file("/proc/self/mem"); });
  EXPECT_NE(message.find("/proc/self/mem: cannot be read to its end"), std::string::npos) << message;
  EXPECT_THROW(sha256_of_file("/proc/self/mem"), InputError);
}

TEST(ReadWholeFileErrors, WithoutPermission) {
  if (::geteuid() == 0) GTEST_SKIP() << "permissions do not bind root";
  TemporaryFolder folder;
  const auto file = folder.write("secret", "x");
  fs::permissions(file, fs::perms::none);
  EXPECT_NE(message_of<InputError>([&] { read_whole_file(file); }).find("Permission denied"), std::string::npos);
}

// ---- checksums: FIPS 180-2, appendix B ----

TEST(Sha256, PublishedValues) {
  EXPECT_EQ(sha256_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, FileAndBytesAgreeOverBlockEdges) {
  TemporaryFolder folder;
  for (const std::size_t size : {0u, 1u, (1u << 20) - 1, 1u << 20, (1u << 20) + 1}) {
    const std::string bytes(size, 'q');
    EXPECT_EQ(sha256_of_file(folder.write("f", bytes)), sha256_of(bytes)) << size;
  }
}

TEST(Sha256Errors, MissingFile) { EXPECT_THROW(sha256_of_file("/nowhere/x"), InputError); }

}  // namespace
}  // namespace clmnet
