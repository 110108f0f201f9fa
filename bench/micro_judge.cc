// Micro-benchmarks of what needs no LibTorch: record, digests, comparison, tokenizer.
// bench/micro.sh runs them; Google Benchmark's flags apply.
//
//   TWINRUN_TOKENIZER   tokenizer.json of the tokenizer's benchmark, which is left out without it

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/made_up_run.h"
#include "harness/compare/compare.h"
#include "harness/protocol/record_writer.h"
#include "harness/protocol/tensor_digest.h"
#include "trainer/tokenizer/bpe.h"

namespace {

using namespace twinrun;
namespace fs = std::filesystem;

/// A folder that is gone with the object.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "twinrun-micro-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder: " + name);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Names and digests of `count` tensors of an adapter.
std::vector<protocol::NamedDigest> made_up_digests(std::int64_t count) {
  std::vector<protocol::NamedDigest> tensors;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto name = "base_model.model.model.layers." + std::to_string(i / 14) + ".module" +
                      std::to_string(i % 14) + ".lora_A.weight";
    tensors.push_back({name, protocol::sha256(name)});
  }
  return tensors;
}

void record_format_step(benchmark::State& state) {
  const auto step = bench::made_up_step(1234);
  for (auto _ : state) benchmark::DoNotOptimize(protocol::format_step(step));
}
BENCHMARK(record_format_step);

// A line with its chain value, by a write(2) of its own.
void record_write_step(benchmark::State& state) {
  const Folder folder;
  const std::string identity(64, 'a');
  protocol::RecordWriter writer(folder.path(),
                                {1, identity, "synthetic/1", protocol::Promise::kBitwise, 1 << 30});
  writer.step_zero({});
  auto step = bench::made_up_step(1);
  for (auto _ : state) {
    writer.step(step);
    ++step.step;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(record_write_step);

void tensors_write_group(benchmark::State& state) {
  const Folder folder;
  protocol::TensorsWriter writer(folder.path());
  const protocol::TensorGroup group{"adapter", made_up_digests(420)};
  std::int64_t step = 0;
  for (auto _ : state) writer.write(++step, group);
}
BENCHMARK(tensors_write_group);

void digest_tensor(benchmark::State& state) {
  const std::vector<std::byte> data(static_cast<std::size_t>(state.range(0)));
  const std::int64_t shape[] = {state.range(0) / 4};
  for (auto _ : state) benchmark::DoNotOptimize(protocol::tensor_digest("float32", shape, data));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(digest_tensor)->Arg(4096)->Arg(4 << 20);

void digest_group(benchmark::State& state) {
  const auto tensors = made_up_digests(420);
  for (auto _ : state) benchmark::DoNotOptimize(protocol::group_digest(tensors));
}
BENCHMARK(digest_group);

constexpr std::int64_t kCompared = 2000;

/// Two runs of kCompared steps are written once, equal (0) or other in the last step (1).
void compare(benchmark::State& state, bool whole) {
  const Folder folder;
  const bool other = state.range(0) != 0;
  bench::write_run(folder.path() / "a", kCompared, false);
  bench::write_run(folder.path() / "b", kCompared, other);
  for (auto _ : state) {
    std::optional<harness::Divergence> first;
    if (whole) {
      const auto a = harness::read_run(folder.path() / "a");
      first = harness::compare_runs(a, harness::read_run(folder.path() / "b", &a)).first;
    } else {
      first =
          harness::compare_lines(folder.path() / "a/steps.jsonl", folder.path() / "b/steps.jsonl")
              .first;
    }
    if (first.has_value() == other) continue;
    state.SkipWithError("the comparison came out wrong");
    break;
  }
  state.SetItemsProcessed(state.iterations() * kCompared);
}
void compare_records(benchmark::State& state) { compare(state, false); }
void compare_run_folders(benchmark::State& state) { compare(state, true); }
BENCHMARK(compare_records)->ArgName("other")->Arg(0)->Arg(1);
BENCHMARK(compare_run_folders)->ArgName("other")->Arg(0)->Arg(1);

void tokenizer_encode(benchmark::State& state, const trainer::Tokenizer& tokenizer) {
  std::string text;
  while (text.size() < 4000) {
    text +=
        "<|im_start|>user\nWhy did the 12 small cats, who'd slept since 1998, wake up?<|im_end|>\n";
  }
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer.encode(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void register_tokenizer() {
  const char* const path = std::getenv("TWINRUN_TOKENIZER");
  if (path == nullptr) {
    std::cerr << "micro_judge: tokenizer_encode is left out: TWINRUN_TOKENIZER is not set\n";
    return;
  }
  const auto tokenizer = std::make_shared<trainer::BpeTokenizer>(trainer::BpeTokenizer::load(path));
  benchmark::RegisterBenchmark("tokenizer_encode", [tokenizer](benchmark::State& state) {
    tokenizer_encode(state, *tokenizer);
  });
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  try {
    register_tokenizer();
  } catch (const std::exception& error) {
    std::cerr << "micro_judge: " << error.what() << "\n";
    return 2;
  }
  benchmark::RunSpecifiedBenchmarks();
}
