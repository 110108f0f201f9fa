#pragma once

#include <string>
#include <vector>

namespace twinrun::harness {

/// What may stand in a place of a command line.
struct Completed {
  enum class Kind {
    kNothing,  ///< a number or a text: nothing to offer
    kWords,    ///< one of `words`
    kFiles,
    kFolders,
    kCases,  ///< YAML files
  };
  Kind kind = Kind::kNothing;
  std::vector<std::string> words;
};

struct CompletedFlag {
  std::string name;       ///< --out
  std::string about;      ///< one line
  std::string value;      ///< DIR; empty if it takes none
  bool optional = false;  ///< the value may be left out
  Completed values;
};

/// A command, or one of the parts of a command: `baseline accept`.
struct CompletedCommand {
  std::string name, about;
  std::vector<CompletedFlag> flags;
  Completed operands;
  std::vector<std::string> parts;  ///< words that have to follow; each is a command of its own
};

/// A script for bash that completes `twinrun`, to be sourced; bash 4 or newer.
std::string bash_completion(const std::vector<CompletedCommand>& commands);

/// A script for zsh: the file `_twinrun` of a folder in fpath.
std::string zsh_completion(const std::vector<CompletedCommand>& commands);

}  // namespace twinrun::harness
