#include "specthink/report/target_share.h"

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/json.h"
#include "specthink/report/run_record.h"

namespace specthink::inline report {

double read_target_share(const std::filesystem::path& result_file) {
  const Json document = parse_json(read_file(result_file), result_file.string());
  const auto find = [](const Json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() ? *found : Json();
  };
  const Json compared = find(document, name_of(RunMode::spec));  // of a file with several modes
  const Json& mode = compared.is_null() ? document : compared;
  const Json share = find(find(find(mode, "statistics"), "target_share"), "mean");
  if (!share.is_number() || share.get<double>() < 0 || share.get<double>() > 1) {
    throw UserError(
        "{}: expected a result file of speculative thinking with statistics.target_share.mean from 0 to 1, found {}; "
        "the original's files count no real share",
        result_file.string(), share.is_null() ? "none" : share.dump());
  }
  return share.get<double>();
}

}  // namespace specthink::inline report
