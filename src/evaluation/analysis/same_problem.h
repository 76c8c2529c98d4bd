// The same problem as published by several people: with other notation, even other words.
#pragma once

#include <string>
#include <vector>

#include "specthink/report/problem.h"

namespace specthink::inline evaluation {

/// The problem with this text, apart from white space at its ends; else the one whose words and digits are mostly the
/// same, when no other one comes near. Null when there is none.
const Problem* find_same_problem(const std::string& text, const std::vector<Problem>& problems);

}  // namespace specthink::inline evaluation
