// How the table of filters is divided.
#pragma once

#include <string_view>

#include "text/jinja_function.h"

namespace specthink::jinja {

const Function* find_sequence_filter(std::string_view name);

}  // namespace specthink::jinja
