// What most files without tensors include and what takes long to parse, precompiled once for all of them
// (src/CMakeLists.txt). No file includes this one: each names what it uses, so that everything also builds with
// CMAKE_DISABLE_PRECOMPILE_HEADERS.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <vector>
