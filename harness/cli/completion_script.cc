#include "harness/cli/completion_script.h"

#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using Kind = Completed::Kind;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

// ---- bash ----

constexpr const char* kBashHead = R"(# Completes twinrun in bash; made by: twinrun completion bash
_twinrun_reply() {  # words on stdin, one a line
  local line
  while IFS= read -r line; do COMPREPLY+=("$line"); done
}
_twinrun_paths() {  # files, folders or cases that begin with $2
  local line
  compopt -o filenames 2>/dev/null
  while IFS= read -r line; do
    if [[ $1 == files || -d $line || ( $1 == cases && $line == *.@(yaml|yml) ) ]]; then
      COMPREPLY+=("$line")
    fi
  done < <(compgen -f -- "$2")
}
_twinrun() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  local command=${COMP_WORDS[1]} flags='' parts=''
  COMPREPLY=()
  # bash makes a word of the = in --flag=value.
  if [[ $word == '=' ]]; then word=''
  elif [[ $before == '=' ]]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi
)";

std::string bash_offer(const Completed& offered) {
  switch (offered.kind) {
    case Kind::kNothing:
      return ":";
    case Kind::kWords:
      return "_twinrun_reply < <(compgen -W " + quoted(joined(offered.words)) + " -- \"$word\")";
    case Kind::kFiles:
      return "_twinrun_paths files \"$word\"";
    case Kind::kFolders:
      return "_twinrun_paths folders \"$word\"";
    case Kind::kCases:
      return "_twinrun_paths cases \"$word\"";
  }
  return ":";
}

std::string bash_command(const CompletedCommand& command) {
  std::string text = "    " + quoted(command.name) + ")\n";
  std::vector<std::string> names;
  for (const CompletedFlag& flag : command.flags) {
    names.push_back(flag.name);
    if (flag.value.empty()) continue;
    const std::string unless = flag.optional ? " && $word != -*" : "";
    text += "      if [[ $before == " + flag.name + unless + " ]]; then " +
            bash_offer(flag.values) + "; return; fi\n";
  }
  text += "      if [[ $word == -* ]]; then _twinrun_reply < <(compgen -W " +
          quoted(joined(names)) + " -- \"$word\"); return; fi\n";
  return text + "      " + bash_offer(command.operands) + " ;;\n";
}

// ---- zsh ----

/// What _arguments reads as its own has to be escaped.
std::string zsh_text(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

std::string zsh_action(const Completed& offered) {
  switch (offered.kind) {
    case Kind::kNothing:
      return " ";
    case Kind::kWords:
      return "(" + joined(offered.words) + ")";
    case Kind::kFiles:
      return "_files";
    case Kind::kFolders:
      return "_files -/";
    case Kind::kCases:
      return "_files -g \"*.(yaml|yml)\"";
  }
  return " ";
}

std::string zsh_flag(const CompletedFlag& flag) {
  std::string text =
      "*" + flag.name + (flag.value.empty() ? "" : "=") + "[" + zsh_text(flag.about) + "]";
  if (!flag.value.empty()) {
    text += std::string(flag.optional ? "::" : ":") + zsh_text(flag.value) + ":" +
            zsh_action(flag.values);
  }
  return quoted(text);
}

std::string zsh_command(const CompletedCommand& command) {
  std::string text = "    " + quoted(command.name) + ")\n      _arguments -S";
  for (const CompletedFlag& flag : command.flags) text += " \\\n        " + zsh_flag(flag);
  return text + " \\\n        " + quoted("*:operand:" + zsh_action(command.operands)) + " ;;\n";
}

}  // namespace

std::string bash_completion(const std::vector<CompletedCommand>& commands) {
  std::vector<std::string> first;
  std::string parts, bodies;
  for (const CompletedCommand& command : commands) {
    if (command.name.find(' ') == std::string::npos) first.push_back(command.name);
    if (command.parts.empty()) {
      bodies += bash_command(command);
    } else {
      parts += "    " + quoted(command.name) + ") parts=" + quoted(joined(command.parts)) + " ;;\n";
    }
  }
  first.insert(first.end(), {"--help", "--version"});
  std::string text = kBashHead;
  text += "  if (( COMP_CWORD == 1 )); then\n    _twinrun_reply < <(compgen -W " +
          quoted(joined(first)) + " -- \"$word\")\n    return\n  fi\n";
  text += "  case $command in\n" + parts + "  esac\n";
  text +=
      "  if [[ -n $parts ]]; then\n"
      "    if (( COMP_CWORD == 2 )); then\n"
      "      _twinrun_reply < <(compgen -W \"$parts\" -- \"$word\")\n"
      "      return\n"
      "    fi\n"
      "    command+=\" ${COMP_WORDS[2]}\"\n"
      "  fi\n";
  return text + "  case $command in\n" + bodies + "  esac\n}\ncomplete -F _twinrun twinrun\n";
}

std::string zsh_completion(const std::vector<CompletedCommand>& commands) {
  std::string first, parts, bodies;
  for (const CompletedCommand& command : commands) {
    if (command.name.find(' ') == std::string::npos) {
      first += "    " + quoted(zsh_text(command.name) + ":" + zsh_text(command.about)) + "\n";
    }
    if (command.parts.empty()) {
      bodies += zsh_command(command);
    } else {
      parts += "    " + quoted(command.name) + ") parts=(" + joined(command.parts) + ") ;;\n";
    }
  }
  return "#compdef twinrun\n# Completes twinrun in zsh; made by: twinrun completion zsh\n"
         "_twinrun() {\n  local -a first parts\n  local command=$words[2]\n  first=(\n" +
         first +
         "    '--help:this text' '--version:what the program was built from'\n  )\n"
         "  if (( CURRENT == 2 )); then\n    _describe command first\n    return\n  fi\n"
         "  case $command in\n" +
         parts +
         "  esac\n"
         "  if (( $#parts )); then\n"
         "    if (( CURRENT == 3 )); then\n      compadd -a parts\n      return\n    fi\n"
         "    command+=\" $words[3]\"\n    shift words\n    (( CURRENT-- ))\n  fi\n"
         "  shift words\n  (( CURRENT-- ))\n"
         "  case $command in\n" +
         bodies + "  esac\n}\n_twinrun \"$@\"\n";
}

}  // namespace twinrun::harness
