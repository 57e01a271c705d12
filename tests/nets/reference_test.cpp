// Published networks against what torchvision and timm compute with the same weights (see README.md beside the files).
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "nets/checkpoint/state_dict.h"
#include "nets/deeplabv3.h"
#include "nets/densenet.h"
#include "nets/inception_resnet_v2.h"
#include "nets/resnet.h"
#include "nets/vgg16.h"

namespace clmnet::nets {
namespace {

namespace fs = std::filesystem;

struct Network {
  std::shared_ptr<torch::nn::Module> module;
  std::function<torch::Tensor(const torch::Tensor&)> run;
};

template <typename Holder>
Network plain(Holder holder) {
  return {holder.ptr(), [holder](const torch::Tensor& x) mutable { return holder->forward(x); }};
}

Network build(const std::string& name) {
  if (name == "vgg16" || name == "vgg16_bn") {
    Vgg16 vgg(Vgg16Options::torchvision(name == "vgg16_bn"));
    return {vgg.ptr(), [vgg](const torch::Tensor& x) mutable { return vgg->predict(x).class_logits; }};
  }
  if (name == "deeplabv3_resnet50") {
    DeepLabV3 deeplab(DeepLabV3Options::torchvision());
    return {deeplab.ptr(), [deeplab](const torch::Tensor& x) mutable { return deeplab->predict(x).map_logits; }};
  }
  if (name == "resnet50") return plain(ResNet(ResNetOptions::resnet50(1000)));
  if (name == "resnet152") return plain(ResNet(ResNetOptions::resnet152(1000)));
  if (name == "densenet201") return plain(DenseNet(DenseNetOptions::densenet201(1000)));
  InceptionResNetV2Options options;
  options.classes = 1000;
  return plain(InceptionResNetV2(options));
}

/// Uniform on [-1/2, 1/2), the hash of the files' README.
double uniform(std::uint32_t i, std::uint32_t k) {
  std::uint32_t h = i * 2654435761u + k * 40503u + 12345u;
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  h ^= h >> 16;
  return static_cast<double>(h) / 4294967296.0 - 0.5;
}

void fill(torch::Tensor tensor, std::uint32_t k, double offset, double scale) {
  auto* values = tensor.data_ptr<float>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    values[i] = static_cast<float>(offset + scale * uniform(static_cast<std::uint32_t>(i), k));
  }
}

void fill_by_formula(const NamedTensors& tensors, double gain) {
  for (std::size_t position = 0; position < tensors.size(); ++position) {
    const auto& [name, tensor] = tensors[position];
    const auto k = static_cast<std::uint32_t>(position);
    if (name.ends_with("num_batches_tracked")) {
      tensor.zero_();
    } else if (name.ends_with("running_mean")) {
      fill(tensor, k, 0, 0.1);
    } else if (name.ends_with("running_var")) {
      fill(tensor, k, 1, 0.5);
    } else if (tensor.dim() == 1) {
      name.ends_with("weight") ? fill(tensor, k, 1, 0.2) : fill(tensor, k, 0, 0.1);
    } else {
      const auto fan_in = static_cast<double>(tensor.numel() / tensor.size(0));
      fill(tensor, k, 0, std::sqrt(gain / fan_in));
    }
  }
}

class ReferenceNetwork : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("CLMNET_REFERENCE");
    const fs::path root = folder != nullptr ? fs::path(folder) : fs::path(CLMNET_SOURCE_DIR) / ".." / "shared" / "ref";
    const fs::path path = root / "nets" / (std::string(GetParam()) + ".json");
    if (!fs::exists(path)) GTEST_SKIP() << path << " is not there; set CLMNET_REFERENCE to the folder of expected values";
    expected_ = nlohmann::json::parse(std::ifstream(path));
  }
  nlohmann::json expected_;
};

TEST_P(ReferenceNetwork, NamesShapesOrderAndOutput) {
  const torch::NoGradGuard no_grad;
  Network network = build(GetParam());
  network.module->eval();
  const NamedTensors tensors = state_dict(*network.module);

  const auto& names = expected_["state_dict"];
  ASSERT_EQ(tensors.size(), names.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    ASSERT_EQ(tensors[i].first, names[i][0].get<std::string>()) << "position " << i;
    ASSERT_EQ(tensors[i].second.sizes().vec(), names[i][1].get<std::vector<std::int64_t>>()) << tensors[i].first;
  }

  fill_by_formula(tensors, expected_["gain"].get<double>());
  torch::Tensor input = torch::empty(expected_["input_shape"].get<std::vector<std::int64_t>>());
  fill(input, 999, 0, 2);
  const torch::Tensor output = network.run(input).contiguous();

  const auto& want = expected_["output"];
  ASSERT_EQ(output.sizes().vec(), want["shape"].get<std::vector<std::int64_t>>());
  const double tolerance = 2e-4 * want["std"].get<double>();
  const auto* got = output.data_ptr<float>();
  double worst = 0;
  for (std::size_t i = 0; i < want["index"].size(); ++i) {
    const auto position = want["index"][i].get<std::int64_t>();
    const double difference = std::abs(got[position] - want["value"][i].get<double>());
    EXPECT_LE(difference, tolerance) << "at flat position " << position;
    worst = std::max(worst, difference);
  }
  RecordProperty("worst_in_std", std::to_string(worst / want["std"].get<double>()));
  EXPECT_GT(output.std().item<double>(), 0.9 * want["std"].get<double>());
}

INSTANTIATE_TEST_SUITE_P(Published, ReferenceNetwork,
                         ::testing::Values("vgg16", "vgg16_bn", "resnet50", "resnet152", "densenet201",
                                           "inception_resnet_v2", "deeplabv3_resnet50"),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace clmnet::nets
