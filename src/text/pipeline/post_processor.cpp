#include "text/pipeline/post_processor.h"

#include <limits>

namespace specthink::inline text {
namespace {

TokenId read_id(const JsonView& view) {
  const Json& id = view.value();
  if (!id.is_number_unsigned() || id.get<std::uint64_t>() > std::numeric_limits<TokenId>::max()) {
    view.fail("expected a token id, found {}", id.dump());
  }
  return id.get<TokenId>();
}

// ["[CLS]", 101]
TokenId read_pair(const JsonView& view) {
  const auto parts = view.elements();
  if (parts.size() != 2) view.fail("expected a token and its id, found {} values", parts.size());
  return read_id(parts[1]);
}

SpecialFrame read_template(const JsonView& view) {
  SpecialFrame frame;
  bool seen_text = false;
  for (const JsonView& item : view.at("single").elements()) {
    if (item.find("Sequence")) {
      if (seen_text) item.fail("the text stands twice in the template");
      seen_text = true;
      continue;
    }
    const JsonView name = item.at("SpecialToken").at("id");
    TokenIds& side = seen_text ? frame.after : frame.before;
    for (const JsonView& id : view.at("special_tokens").at(name.string()).at("ids").elements()) {
      side.push_back(read_id(id));
    }
  }
  return frame;
}

}  // namespace

SpecialFrame read_post_processor(const std::optional<JsonView>& view) {
  if (!view) return {};
  const JsonView type = view->at("type");
  const std::string& name = type.string();
  if (name == "ByteLevel") return {};
  if (name == "TemplateProcessing") return read_template(*view);
  if (name == "BertProcessing" || name == "RobertaProcessing") {
    return {{read_pair(view->at("cls"))}, {read_pair(view->at("sep"))}};
  }
  if (name != "Sequence") {
    type.fail(
        "expected TemplateProcessing, ByteLevel, BertProcessing, RobertaProcessing or Sequence, found '{}', which is "
        "not supported",
        name);
  }
  SpecialFrame frame;
  for (const JsonView& step : view->at("processors").elements()) {
    const SpecialFrame outer = read_post_processor(step);
    frame.before.insert(frame.before.begin(), outer.before.begin(), outer.before.end());
    frame.after.insert(frame.after.end(), outer.after.begin(), outer.after.end());
  }
  return frame;
}

}  // namespace specthink::inline text
