// The template language of chat templates: Jinja with the settings and functions of Hugging Face transformers. What no
// known chat template uses ends in an error "... is not supported" that names it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/jinja/error.h"
#include "specthink/jinja/value.h"

namespace specthink::jinja {

struct Statement;

class Template {
 public:
  /// `source` is valid UTF-8. Throws TemplateError with the line for malformed templates and for what is not supported,
  /// unless a condition (`if`) may keep it from being reached: then rendering fails where it is.
  explicit Template(std::string_view source);

  /// The output. Throws TemplateError with the line. Uses at most about a second and a few hundred MiB, whatever the
  /// template does.
  std::string render(const Variables& variables) const;

 private:
  std::shared_ptr<const std::vector<Statement>> block_;
};

}  // namespace specthink::jinja
