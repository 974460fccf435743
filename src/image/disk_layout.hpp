// disk_layout.hpp — what a disk image holds, as a prober without privileges has found it; and the text it says it in.
//
// Plain data. The text is one record a line, fields separated by blanks, and ends with "end"; it comes from a process
// that has looked at hostile bytes, so that reading it takes nothing for granted. Never looks at an image itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

enum class PartitionTable { none, mbr, gpt };

// GPT attribute bits, Discoverable Partitions Specification.
inline constexpr uint64_t kPartitionNoAuto = uint64_t{1} << 63;
inline constexpr uint64_t kPartitionReadOnly = uint64_t{1} << 60;
inline constexpr uint64_t kPartitionGrow = uint64_t{1} << 59;
inline constexpr uint64_t kMbrActive = 0x80;

struct DiskPartition {
    unsigned number = 0; // from 1
    uint64_t offset = 0; // bytes
    uint64_t size = 0;
    std::string type;       // UUID in lower case, or for an MBR "0x83"
    std::string uuid;       // lower case; empty: none
    uint64_t flags = 0;     // of the table
    std::string content;    // "ext4", "crypto_LUKS", …; empty: nothing that is known
    bool ambiguous = false; // signatures of several file systems: nobody can say which one it is
    bool dirty = false;     // the file system says that it has to be checked
    std::string label;
    std::string root_hash; // of a signature partition, hex
    std::string signature; // of a signature partition, base64
};

struct DiskLayout {
    PartitionTable table = PartitionTable::none;
    uint64_t size = 0;   // of the image
    DiskPartition whole; // without a table: the file system
    std::vector<DiskPartition> partitions;
};

// More than this many are not looked at: a loop device has no more minor numbers, and a real disk has a dozen.
inline constexpr size_t kMostPartitions = 256;
inline constexpr size_t kLongestLayoutText = size_t{256} * 1024;

std::string layout_as_text(const DiskLayout& layout);
// Throws Error when the text is not of that form; what "error" records say is thrown too.
DiskLayout parse_layout(std::string_view text);
// The record for an image that cannot be used; instead of all others.
std::string layout_error_as_text(std::string_view message);

} // namespace nspawn
