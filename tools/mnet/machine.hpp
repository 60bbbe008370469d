// What a figure was measured on: without it, it says nothing.
#pragma once
#include <string>
#include <vector>

namespace mnet::tool {

/// Processor, kernel, compiler and build, for the head of a table.
std::vector<std::string> machine_lines();

}  // namespace mnet::tool
