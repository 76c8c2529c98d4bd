// Python's int and float, where an int has 64 bits: arithmetic, int(), float(), round() and repr().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace specthink::inline base::python {

using Number = std::variant<std::int64_t, double>;

enum class Operator { kAdd, kSubtract, kMultiply, kModulo, kDivide, kFloorDivide, kPower };

/// `a op b`. Throws Error for a division by zero and for an int that needs more than 64 bits.
Number calculate(Operator op, Number a, Number b);

/// int(text, base) and float(text); empty where Python raises a ValueError. Base 0 takes it from the prefix (0x...).
/// Throws Error for an int that needs more than 64 bits.
std::optional<std::int64_t> parse_int(std::string_view text, std::int64_t base);
std::optional<double> parse_float(std::string_view text);

/// int(value) of a finite number. Throws Error as above.
std::int64_t truncate(double value);

/// round(value, digits) of a number of digits from 0: the exact value, half to even.
double round(double value, std::int64_t digits);

/// The shortest digits that read back as the same number: "0.1", "1.0", "1e+16", "nan".
std::string repr(double value);

/// As json.dumps() writes it: not finite numbers are NaN, Infinity and -Infinity.
std::string json_repr(double value);

}  // namespace specthink::inline base::python
