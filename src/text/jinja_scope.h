// Variables while a template runs.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja_ast.h"

namespace specthink::jinja {

using Variables = std::vector<std::pair<std::string, Value>>;

/// Variables of a loop's iteration, a macro's call or the template, and where to look further. Shared with the macros
/// defined in it, which see later assignments too.
struct Scope {
  const Value* find(const std::string& name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->parent.get()) {
      for (const auto& [key, value] : scope->variables) {
        if (key == name) return &value;
      }
    }
    return nullptr;
  }

  void set(const std::string& name, Value value) {
    for (auto& [key, old] : variables) {
      if (key == name) {
        old = std::move(value);
        return;
      }
    }
    variables.emplace_back(name, std::move(value));
  }

  std::shared_ptr<const Scope> parent;
  Variables variables;
};

/// A macro as a value: what it does, and where it was defined.
struct Macro {
  const MacroDefinition* definition;
  std::shared_ptr<Scope> scope;
};

}  // namespace specthink::jinja
