#include "nets/torchscript.h"

#include <algorithm>
#include <stdexcept>

#include <nlohmann/json.hpp>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/serialization/export.h>
#include <torch/script.h>
#pragma GCC diagnostic pop

#include "nets/checkpoint/state_dict.h"
#include "nets/ensemble.h"
#include "nets/stain_layer.h"
#include "tools/base/atomic_writer.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace fs = std::filesystem;
namespace F = torch::nn::functional;

namespace {

class TorchScriptMember : public Member {
 public:
  TorchScriptMember(torch::jit::Module program, std::string name, std::int64_t classes, std::int64_t resize_px)
      : program_(std::move(program)), name_(std::move(name)), classes_(classes), resize_px_(resize_px) {}

  MemberOutput predict(const torch::Tensor& input) override {
    torch::Tensor x = input.to(torch::kFloat32);
    if (resize_px_ > 0 && (x.size(2) != resize_px_ || x.size(3) != resize_px_)) {
      // As torchvision resizes a picture: bilinear, smoothed where it is made smaller.
      x = F::interpolate(x, F::InterpolateFuncOptions()
                                .size(std::vector<std::int64_t>{resize_px_, resize_px_})
                                .mode(torch::kBilinear)
                                .align_corners(false)
                                .antialias(true));
    }
    MemberOutput output;
    output.class_logits = run(x.contiguous());
    output.map_logits = output.class_logits.unsqueeze(-1).unsqueeze(-1);
    output.features = torch::empty({x.size(0), 0}, x.options());
    return output;
  }

  torch::Tensor classify(const torch::Tensor&) override {
    throw std::logic_error(name_ + ": a TorchScript program has no activation to classify");
  }

 private:
  torch::Tensor run(const torch::Tensor& x) {
    try {
      const torch::Tensor logits = program_.forward({x}).toTensor();
      if (logits.dim() == 2 && logits.size(0) == x.size(0) && logits.size(1) == classes_) return logits;
      throw InputError(name_ + ": gives " + shape_text(logits.sizes()) + ", config.json has num_classes " +
                       std::to_string(classes_) + ", expected " + shape_text({x.size(0), classes_}));
    } catch (const c10::Error& error) {
      throw InputError(name_ + ": failed on tiles of " + shape_text(x.sizes()) + ": " + error.what_without_backtrace());
    }
  }

  torch::jit::Module program_;
  std::string name_;
  std::int64_t classes_, resize_px_;
};

/// Weights of all members under names that a program can have; no dots.
void register_weights(const ModelConfig& config, const std::vector<std::shared_ptr<Member>>& members, torch::jit::Module& program) {
  for (std::size_t k = 0; k < members.size(); ++k) {
    for (const auto& [name, tensor] : state_dict(*members[k])) {
      std::string plain = config.members[k].options.network + std::to_string(k) + "_" + name;
      std::replace(plain.begin(), plain.end(), '.', '_');
      program.register_buffer(plain, tensor);
    }
  }
}

/// Normalised pixels as a zoo's transform gives them -> the same of the colours that the networks see.
torch::Tensor with_colours(const ModelConfig& config, const torch::Tensor& x) {
  if (!config.stain || config.stain->method != "reinhard") return x;
  const auto per_channel = [](const torch::Tensor& from, const auto& change) {  // numbers alone, as in normalise_tiles
    return torch::stack({change(from.select(1, 0), 0), change(from.select(1, 1), 1), change(from.select(1, 2), 2)}, 1);
  };
  const torch::Tensor rgb = per_channel(x, [&](const torch::Tensor& v, std::size_t c) {
    return (v * config.standard_deviation[c] + config.mean[c]).clamp(0, 1);
  });
  return per_channel(normalise_tiles(rgb, *config.stain), [&](const torch::Tensor& v, std::size_t c) {
    return (v - config.mean[c]) / config.standard_deviation[c];
  });
}

torch::Tensor fused_class_logits(const ModelConfig& config, const std::vector<std::shared_ptr<Member>>& members, const torch::Tensor& tiles) {
  const torch::Tensor x = with_colours(config, tiles);
  std::vector<torch::Tensor> logits;
  std::vector<double> weights, temperatures;
  for (std::size_t k = 0; k < members.size(); ++k) {
    logits.push_back(members[k]->predict(x).class_logits);
    weights.push_back(config.members[k].class_weight);
    temperatures.push_back(config.members[k].class_temperature);
  }
  return fuse_logits(logits, weights, temperatures);
}

}  // namespace

std::shared_ptr<Member> load_torchscript_member(const fs::path& file, std::int64_t classes, std::int64_t resize_px, torch::Device device) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) throw InputError(file.string() + ": no such file; expected a TorchScript program");
  try {
    torch::jit::Module program = torch::jit::load(file.string(), device);
    program.eval();
    return std::make_shared<TorchScriptMember>(std::move(program), file.string(), classes, resize_px);
  } catch (const c10::Error& error) {
    throw InputError(file.string() + ": cannot be read as TorchScript: " + error.what_without_backtrace());
  }
}

void export_torchscript(const ModelConfig& config, const std::vector<std::shared_ptr<Member>>& members, const fs::path& folder) {
  const torch::NoGradGuard no_grad;
  for (const auto& member : members) {
    member->eval();
    for (auto& parameter : member->parameters()) parameter.set_requires_grad(false);
  }
  torch::jit::Module program("__torch__.clmnet");
  register_weights(config, members, program);
  const torch::Tensor example = torch::zeros({2, 3, config.patch_size_px, config.patch_size_px});
  const auto traced = torch::jit::tracer::trace(
      {example}, [&](torch::jit::Stack inputs) { return torch::jit::Stack{fused_class_logits(config, members, inputs[0].toTensor())}; },
      [](const torch::Tensor&) { return std::string(); }, /*strict=*/true, /*force_outplace=*/false, &program, {"x"});
  const auto graph = traced.first->graph;
  torch::jit::EliminateDeadCode(graph);
  const c10::QualifiedName method(*program.type()->name(), "forward");
  program.type()->addMethod(program._ivalue()->compilation_unit()->create_function(method, graph));

  std::error_code ignored;
  fs::create_directories(folder, ignored);
  AtomicWriter file(folder / "torchscript_model.pt");
  torch::jit::ExportModule(program, file.never_failing());
  file.commit();
  nlohmann::json zoo = to_json(config);
  zoo.erase("clmnet");
  write_atomically(folder / "config.json", zoo.dump(2) + "\n");
}

}  // namespace clmnet::nets
