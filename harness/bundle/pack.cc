#include "harness/bundle/pack.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <system_error>

#include "harness/bundle/tar.h"
#include "harness/exit_code.h"
#include "harness/protocol/append_file.h"
#include "harness/report/describe.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class FileList {
 public:
  /// A file that is there and is one; links are followed, what they lead to is packed.
  void add_if_there(const std::string& name, const fs::path& source) {
    std::error_code ignored;
    if (fs::is_regular_file(source, ignored)) add({name, source, ""});
  }
  void add(BundleFile file) {
    const std::string problem = tar_name_problem(kBundleFolder + file.name);
    if (!problem.empty()) throw UsageError("'" + one_line(file.name) + "': " + problem);
    if (names_.insert(file.name).second) files_.push_back(std::move(file));
  }
  std::vector<BundleFile> sorted() {
    std::sort(files_.begin(), files_.end(),
              [](const BundleFile& x, const BundleFile& y) { return x.name < y.name; });
    return std::move(files_);
  }

 private:
  std::vector<BundleFile> files_;
  std::set<std::string> names_;
};

/// What the judge reads of the run folder `view.dir`, to be packed as `name`.
void add_folder(FileList& list, const fs::path& name, const RunView& view) {
  const std::string folder = name.generic_string() + "/";
  for (const char* file : {"config.json", "manifest.json", "steps.jsonl",
                           "adapter/adapter_config.json", "adapter/adapter_model.safetensors"}) {
    list.add_if_there(folder + file, view.dir / file);
  }
  const json named = list_at(view.manifest, "/files");
  for (const auto& item : named.items()) {
    list.add_if_there(folder + item.key(), view.dir / item.key());
  }
}

void add_run(FileList& list, const RunEvidence& run) {
  const fs::path dir = fs::path(text_at(run.stated, "/dir")).lexically_normal();
  if (dir.empty() || dir.is_absolute() || *dir.begin() == ".." || dir == ".") {
    throw UsageError("run " + one_line(run.name) + " lies in '" + one_line(dir.string()) +
                     "', which is not below the folder of verdict.json; a bundle holds what "
                     "`twinrun verify --out` leaves");
  }
  if (run.state == RunEvidence::State::kMissing) {
    throw UsageError("run " + one_line(run.name) + ": " + one_line(run.problem) +
                     "; a bundle needs the records");
  }
  add_folder(list, dir, run.view);
}

/// The calibration of runs that promise no bits, and what they made of its windows.
void add_statistics(FileList& list, const VerdictFile& verdict, const Evidence& evidence) {
  const RunEvidence* first = evidence.first_that_holds();
  if (!at(verdict.value, "/statistics").is_object() || first == nullptr) return;
  const fs::path name =
      calibration_file(kCalibrationFolder, fingerprint(comparability_key(first->view)));
  const fs::path file = verdict.folder() / name;
  list.add_if_there(name.generic_string(), file);
  const auto read = read_calibration(file);
  const auto* calibration = std::get_if<Calibration>(&read);
  if (calibration == nullptr) return;
  for (const CalibratedWindow& calibrated : calibration->windows) {
    if (calibrated.window.restored_from == 0) continue;
    for (const RunEvidence& run : evidence.runs) {
      if (run.control) continue;
      const fs::path folder = window_folder(run.name, calibrated.window);
      add_folder(list, folder, read_run(verdict.folder() / folder));
    }
  }
}

/// What outputs of inference were held against lies beside the first run; outputs of the runs are
/// named by their manifests.
void add_inference(FileList& list, const VerdictFile& verdict, const Evidence& evidence) {
  if (!at(verdict.value, "/inference").is_object() || evidence.runs.empty()) return;
  const RunEvidence& first = evidence.runs.front();
  const fs::path folder = fs::weakly_canonical(first.view.dir).parent_path();
  const fs::path named = fs::path(text_at(first.stated, "/dir")).lexically_normal().parent_path();
  for (const char* name : {"prompts.jsonl", "reference.jsonl", "controls/noop-adapter/config.json",
                           "controls/noop-adapter/inference.jsonl"}) {
    list.add_if_there((named / name).generic_string(), folder / name);
  }
}

/// The curve is packed under its own name, wherever it lay.
void add_baseline(FileList& list, const VerdictFile& verdict) {
  const fs::path curve = text_at(verdict.value, "/baseline/curve");
  const std::string name = text_at(verdict.value, "/baseline/fingerprint");
  if (name.empty() || curve.filename() != name + ".jsonl") return;
  const fs::path file = curve.is_absolute() ? curve : verdict.folder() / curve;
  const std::string folder = std::string(kBundleCurves) + "/";
  list.add_if_there(folder + name + ".jsonl", file);
  list.add_if_there(folder + name + ".json", fs::path(file).replace_extension(".json"));
}

}  // namespace

std::vector<BundleFile> bundle_files(const VerdictFile& verdict, const Evidence& evidence) {
  if (const auto broken = evidence.broken(); !broken.empty()) {
    throw EvidenceError("the evidence beside '" + one_line(verdict.path.string()) +
                        "' does not hold, so it was not packed: " + one_line(broken.front()));
  }
  FileList list;
  list.add({"verdict.json", verdict.path, ""});
  for (const RunEvidence& run : evidence.runs) add_run(list, run);
  add_inference(list, verdict, evidence);
  add_baseline(list, verdict);
  add_statistics(list, verdict, evidence);
  list.add_if_there("bench/bench.json", verdict.folder() / "bench" / "bench.json");
  list.add({"report.html", "", to_html(describe(verdict, evidence, ""))});
  return list.sorted();
}

PackedBundle pack_bundle(const std::vector<BundleFile>& files, const fs::path& file) {
  std::vector<protocol::Digest> digests;
  std::string list;
  for (const BundleFile& part : files) {
    digests.push_back(part.source.empty() ? protocol::sha256(part.text)
                                          : protocol::sha256_file(part.source));
    list += protocol::to_hex(digests.back()) + "  " + part.name + "\n";
  }
  fs::path temporary = file;
  temporary += ".tmp";
  {
    TarWriter tar(temporary);
    tar.add_text(std::string(kBundleFolder) + kBundleList, list);
    for (std::size_t i = 0; i < files.size(); ++i) {
      const std::string name = kBundleFolder + files[i].name;
      const fs::path& source = files[i].source;
      if (source.empty()) {
        tar.add_text(name, files[i].text);
      } else if (tar.add_file(name, source, fs::file_size(source)) != digests[i]) {
        throw std::runtime_error(source.string() + " changed meanwhile");
      }
    }
    tar.finish();
  }
  PackedBundle packed{files.size() + 1, fs::file_size(temporary),
                      protocol::to_hex(protocol::sha256_file(temporary))};
  fs::rename(temporary, file);
  protocol::sync_folder(protocol::folder_of(file));
  return packed;
}

}  // namespace twinrun::harness
