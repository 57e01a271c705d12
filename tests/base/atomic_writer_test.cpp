#include "tools/base/atomic_writer.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/base/file_size_limit.h"
#include "tests/base/temporary_folder.h"
#include "tools/base/error.h"

namespace clmnet {
namespace {

TEST(AtomicWriter, PiecesStandInTheirOrderOnceCommitted) {
  const test::TemporaryFolder folder;
  AtomicWriter file(folder / "weights");
  file.add("one", 3);
  file.add("", 0);
  file.add("two", 3);
  EXPECT_FALSE(std::filesystem::exists(folder / "weights"));
  file.commit();
  EXPECT_EQ(read_whole_file(folder / "weights"), "onetwo");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicWriter, WithoutCommitWhatStoodThereStays) {
  const test::TemporaryFolder folder;
  folder.write("weights", "old");
  AtomicWriter(folder / "weights").add("new", 3);
  EXPECT_EQ(read_whole_file(folder / "weights"), "old");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicWriter, AFullDiskIsNamedAndLeavesNothing) {
  const test::TemporaryFolder folder;
  const test::FileSizeLimit limit(1000);
  const auto message = test::message_of<InputError>([&] {
    AtomicWriter file(folder / "weights");
    for (int i = 0; i < 3; ++i) file.add(std::string(400, 'x').data(), 400);
    file.commit();
  });
  EXPECT_NE(message.find("weights: cannot be written, nothing was changed"), std::string::npos) << message;
  EXPECT_NE(message.find("free some disk space"), std::string::npos) << message;
  EXPECT_EQ(folder.entries(), 0U);
}

TEST(AtomicWriter, ALibraryThatMayNotFailIsToldOfNothingAndCommitIs) {
  const test::TemporaryFolder folder;
  const test::FileSizeLimit limit(1000);
  AtomicWriter file(folder / "weights");
  const auto take = file.never_failing();
  const std::string piece(800, 'x');
  for (int i = 0; i < 3; ++i) EXPECT_EQ(take(piece.data(), piece.size()), piece.size());
  const auto message = test::message_of<InputError>([&] { file.commit(); });
  EXPECT_NE(message.find("free some disk space"), std::string::npos) << message;
  EXPECT_FALSE(std::filesystem::exists(folder / "weights"));
}

TEST(AtomicWriter, AFolderThatIsNotThereIsNamed) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(AtomicWriter(folder / "none" / "weights"), InputError);
}

}  // namespace
}  // namespace clmnet
