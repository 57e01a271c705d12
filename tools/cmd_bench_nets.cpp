#include <algorithm>
#include <chrono>
#include <functional>
#include <iomanip>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>

#include <sys/resource.h>

#include "nets/conv.h"
#include "nets/device.h"
#include "nets/ensemble.h"
#include "nets/checkpoint/state_dict.h"
#include "nets/flops.h"
#include "tools/base/error.h"
#include "tools/commands.h"
#include "tools/default_model.h"
#include "tools/network_threads.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;

struct BenchNetsArgs {
  std::string model;
  std::string device = "auto";
  std::optional<double> width;
  std::vector<std::string> networks = nets::clmnet_member_names();
  int px = 0;
  int batch = 0;
  int threads = 0;
  int repeats = 5;
};

/// The shortest of several runs, s; what a busy machine disturbs least.
struct Shortest {
  double wall = std::numeric_limits<double>::infinity();
  double cpu = std::numeric_limits<double>::infinity();  ///< of all threads
};

double cpu_seconds_of_process() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void time_once(torch::Device device, Shortest& shortest, const std::function<void()>& run) {
  const double cpu = cpu_seconds_of_process();
  const auto start = std::chrono::steady_clock::now();
  run();
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
  shortest.wall = std::min(shortest.wall, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  shortest.cpu = std::min(shortest.cpu, cpu_seconds_of_process() - cpu);
}

/// One network as LibTorch runs it by itself (NCHW, float32, module by module) and as clmnet does.
struct Contender {
  std::string name;
  std::shared_ptr<nets::Member> eager, fast;
  double gflop_per_image = 0;
  double difference = 0;  ///< largest of the class and map logits, as a share of the largest logit where that is above 1
  Shortest eager_time = {}, fast_time = {};
};

nets::ModelConfig random_model(const BenchNetsArgs& args) {
  nets::ModelConfig config;
  config.patch_size_px = args.px > 0 ? args.px : 224;
  for (const auto& network : args.networks) {
    nets::MemberConfig member;
    member.options.network = network;
    member.options.width = *args.width;
    member.options.feature_size = nets::maps_by_class_activation(network) ? 512 : 256;
    member.class_weight = member.map_weight = 1.0 / static_cast<double>(args.networks.size());
    config.members.push_back(member);
  }
  return config;
}

class NetsBench {
 public:
  explicit NetsBench(const BenchNetsArgs& args) : args_(args), device_(nets::select_device(args.device)) {
    const std::filesystem::path folder = args.model.empty() ? default_model_folder() : std::filesystem::path(args.model);
    config_ = args.width ? random_model(args) : nets::read_model_config(folder);
    if (args.px > 0) config_.patch_size_px = args.px;
    batch_ = args.batch > 0 ? args.batch : device_.is_cuda() ? 256 : 8;
    torch::manual_seed(1);
    std::vector<std::shared_ptr<nets::Member>> plain, copies;
    if (args.width) {
      for (const auto& member : config_.members) plain.push_back(nets::make_member(member.options));
    } else {
      plain = nets::load_members(folder, config_);
    }
    for (std::size_t k = 0; k < plain.size(); ++k) {
      const auto& options = config_.members[k].options;
      copies.push_back(nets::make_member(options));
      nets::load_state_dict(*copies.back(), nets::state_dict(*plain[k]), nets::LoadMode::kStrict, options.network);
      plain[k]->eval();
      plain[k]->to(device_);
      contenders_.push_back({options.network, plain[k], copies.back()});
    }
    ensemble_ = std::make_unique<nets::Ensemble>(config_, copies, device_);
    if (device_.is_cuda()) {
      on_streams_ = std::make_unique<nets::Ensemble>(config_, copies, device_, nets::EnsembleOptions{.streams = true});
    }
    const std::int64_t px = config_.patch_size_px;
    rgb_ = torch::randint(0, 256, {batch_, px, px, 3}, torch::kUInt8);
    const c10::InferenceMode inference;
    x_ = nets::normalise(rgb_, config_, device_).contiguous();
    fast_x_ = x_.to(device_.is_cuda() ? torch::kHalf : torch::kFloat32).contiguous(at::MemoryFormat::ChannelsLast);
  }

  json run() {
    const c10::InferenceMode inference;
    warm_up();
    for (int i = 0; i < args_.repeats; ++i) {
      time_peak();
      for (Contender& c : contenders_) {
        time_once(device_, c.eager_time, [&] { c.eager->predict(x_); });
        time_once(device_, c.fast_time, [&] { c.fast->predict(fast_x_); });
      }
      time_once(device_, ensemble_time_, [&] { ensemble_->predict(rgb_, 2); });
      if (on_streams_) time_once(device_, streams_time_, [&] { on_streams_->predict(rgb_, 2); });
      stop_if_interrupted("nothing was written");
    }
    return report();
  }

 private:
  void warm_up() {
    // Random weights can give logits of hundreds: what counts is the difference beside the largest, or beside 1.
    const auto gap = [](const torch::Tensor& eager, const torch::Tensor& fast) {
      const double most = (eager - fast.to(torch::kFloat32)).abs().max().item<double>();
      return most / std::max(1.0, eager.abs().max().item<double>());
    };
    for (Contender& c : contenders_) {
      nets::MemberOutput eager;
      c.gflop_per_image = static_cast<double>(nets::count_flops([&] { eager = c.eager->predict(x_); })) / static_cast<double>(batch_) / 1e9;
      const nets::MemberOutput fast = c.fast->predict(fast_x_);
      c.difference = std::max(gap(eager.class_logits, fast.class_logits), gap(eager.map_logits, fast.map_logits));
    }
    ensemble_->predict(rgb_, 2);
    if (on_streams_) on_streams_->predict(rgb_, 2);
    const std::int64_t side = device_.is_cuda() ? 8192 : 2048;
    matrix_ = torch::randn({side, side}, fast_x_.options());
    time_peak();
    peak_time_ = {};
  }

  void time_peak() {
    time_once(device_, peak_time_, [&] { torch::mm(matrix_, matrix_); });
  }

  double peak_gflops() const {
    const auto side = static_cast<double>(matrix_.size(0));
    return 2 * side * side * side / peak_time_.wall / 1e9;
  }

  json row(const Shortest& fast, const Shortest& eager, double gflop_per_image) const {
    const auto images = static_cast<double>(batch_);
    json out = {{"images_per_s", images / fast.wall},
                {"gflops", gflop_per_image * images / fast.wall},
                {"of_peak", gflop_per_image * images / fast.wall / peak_gflops()},
                {"eager_images_per_s", images / eager.wall},
                {"over_eager", eager.wall / fast.wall},
                {"gflop_per_image", gflop_per_image}};
    if (device_.is_cpu()) out["over_eager_by_cpu_time"] = eager.cpu / fast.cpu;
    return out;
  }

  json report() const {
    json out = {{"peak_gflops", peak_gflops()},
                {"device", device_.str()},
                {"precision", device_.is_cuda() ? "float16" : "float32"},
                {"threads", torch::get_num_threads()},
                {"batch", batch_},
                {"px", config_.patch_size_px}};
    Shortest all{0, 0};
    double gflop = 0;
    for (const Contender& c : contenders_) {
      out[c.name] = row(c.fast_time, c.eager_time, c.gflop_per_image);
      out[c.name]["relative_difference_of_logits"] = c.difference;
      all.wall += c.eager_time.wall;
      all.cpu += c.eager_time.cpu;
      gflop += c.gflop_per_image;
    }
    out["ensemble"] = row(ensemble_time_, all, gflop);
    if (on_streams_) out["ensemble_on_streams"] = row(streams_time_, all, gflop);
    return out;
  }

  const BenchNetsArgs& args_;
  torch::Device device_;
  nets::ModelConfig config_;
  std::int64_t batch_ = 0;
  std::vector<Contender> contenders_;
  std::unique_ptr<nets::Ensemble> ensemble_, on_streams_;  // the second on a GPU only
  Shortest ensemble_time_, streams_time_, peak_time_;
  torch::Tensor rgb_, x_, fast_x_, matrix_;
};

void print_speeds(const json& result) {
  std::cout << "peak " << std::fixed << std::setprecision(0) << result["peak_gflops"].get<double>() << " GFLOP/s ("
            << result["precision"].get<std::string>() << " matrix product, " << result["device"].get<std::string>() << ", "
            << result["threads"] << " threads); " << result["px"] << " px, batch " << result["batch"] << '\n';
  std::cout << std::left << std::setw(22) << "" << std::right;
  for (const char* title : {"images/s", "GFLOP/s", "of peak", "eager/s", "over eager", "difference"}) std::cout << std::setw(12) << title;
  std::cout << '\n';
  for (const auto& [name, r] : result.items()) {
    if (!r.is_object()) continue;
    std::cout << std::left << std::setw(22) << name << std::right << std::setprecision(2);
    for (const char* key : {"images_per_s", "gflops", "of_peak", "eager_images_per_s", "over_eager"}) {
      std::cout << std::setw(12) << r[key].get<double>();
    }
    if (r.contains("relative_difference_of_logits")) {
      std::cout << std::setw(12) << std::scientific << std::setprecision(1) << r["relative_difference_of_logits"].get<double>() << std::fixed;
    }
    std::cout << '\n';
  }
}

int run_bench_nets(const BenchNetsArgs& args, const Session& session) {
  set_network_threads(args.threads);
  const json result = NetsBench(args).run();
  if (session.json) {
    print_json(result);
  } else {
    print_speeds(result);
  }
  return 0;
}

}  // namespace

void add_bench_nets(CLI::App& bench, Session& session) {
  auto args = std::make_shared<BenchNetsArgs>();
  CLI::App* command = add_command(bench, session, "nets",
                                  "Images a second of each network and of the ensemble, beside plain LibTorch modules (NCHW, float32) and the "
                                  "machine's own matrix product",
                                  "clmnet bench nets --model nets/zoo/clmnet-s --device cpu --threads 2 --json",
                                  [args, &session] { return run_bench_nets(*args, session); });
  auto* model = command->add_option("--model", args->model, "Folder of the model; default: the one that comes with clmnet");
  command->add_option("--width", args->width, "Instead of a model: networks of this width, 0.01 to 4, with random weights")
      ->check(CLI::Range(0.01, 4.0).description(""))
      ->excludes(model);
  command->add_option("--networks", args->networks, "With --width: which networks")->delimiter(',')->capture_default_str();
  command->add_option("--px", args->px, "Side of a tile, px; 0: the model's, 224 with --width")->capture_default_str()->check(CLI::Range(0, 4096));
  command->add_option("--batch", args->batch, "Tiles at once; 0: 8 on a CPU, 256 on a GPU")->capture_default_str()->check(CLI::Range(0, 4096));
  command->add_option("--repeats", args->repeats, "Runs of which the shortest counts")->capture_default_str()->check(CLI::Range(1, 1000));
  command->add_option("--device", args->device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  command->add_option("--threads", args->threads, "Threads of the networks, at most the cores; 0: all cores")->capture_default_str()->check(CLI::Range(0, 4096));
}

}  // namespace clmnet::tools
