// partition_type.hpp — what a GPT partition is for, told by its type.
//
// A table and nothing else. Source: UAPI group's Discoverable Partitions Specification.
#pragma once

#include "config/image_policy.hpp"

#include <optional>
#include <string_view>

namespace nspawn {

struct PartitionType {
    PartitionRole role;
    std::string_view architecture; // "x86-64"; empty: the same for all
};

// `uuid` in lower case, with dashes. Nothing: a type that has no place in a running system, or the generic one.
std::optional<PartitionType> partition_type(std::string_view uuid);
// "Linux data": says nothing about what it is for.
bool is_generic_partition_type(std::string_view uuid);

// One that partition types and file names know.
bool is_architecture(std::string_view name);
// 0: what this machine runs, or for all; 1: what it runs too; 2: what it does not run by itself. As partition types and
// file names spell architectures.
unsigned architecture_distance(std::string_view architecture);

} // namespace nspawn
