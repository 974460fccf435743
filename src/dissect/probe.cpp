#include "dissect/probe.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "dissect/signature_partition.hpp"
#include "image/partition_type.hpp"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <optional>

#include <blkid/blkid.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr uint64_t kUnit = 512; // of libblkid, whatever the sector size
constexpr unsigned kSectorSizes[] = {512, 4096};
constexpr size_t kLongestLabel = 144; // 36 characters of UTF-16 as UTF-8

using Probe = std::unique_ptr<blkid_struct_probe, decltype(&blkid_free_probe)>;

enum class Answer { found, nothing, ambiguous };

Probe open_probe(int image, uint64_t offset, uint64_t size) {
    Probe probe(blkid_new_probe(), blkid_free_probe);
    if (!probe || blkid_probe_set_device(probe.get(), image, static_cast<blkid_loff_t>(offset),
                                         static_cast<blkid_loff_t>(size)) != 0) {
        throw Error("it cannot be read");
    }
    blkid_probe_enable_superblocks(probe.get(), 1);
    blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE);
    return probe;
}

Answer run(const Probe& probe) {
    switch (blkid_do_safeprobe(probe.get())) {
    case 0:
        return Answer::found;
    case 1:
        return Answer::nothing;
    case -2:
        return Answer::ambiguous;
    default:
        throw Error("it cannot be read");
    }
}

std::string value_of(const Probe& probe, const char* name) {
    const char* data = nullptr;
    return blkid_probe_lookup_value(probe.get(), name, &data, nullptr) == 0 && data != nullptr ? data : "";
}

// ext2 to ext4: not unmounted cleanly without a journal to make up for it, or errors were found. Source: kernel
// documentation filesystems/ext4, super block: s_state.
bool is_dirty_ext(int image, uint64_t offset) {
    constexpr off_t kState = 1024 + 0x3a;
    std::array<uint8_t, 2> bytes{};
    if (pread(image, bytes.data(), bytes.size(), static_cast<off_t>(offset) + kState) != 2) {
        return false;
    }
    const unsigned state = bytes[0] | static_cast<unsigned>(bytes[1]) << 8;
    return (state & 1) == 0 || (state & 2) != 0;
}

void read_content(const Probe& probe, Answer answer, int image, DiskPartition& part) {
    part.ambiguous = answer == Answer::ambiguous;
    if (answer == Answer::found) {
        part.content = value_of(probe, "TYPE");
        part.dirty = part.content.starts_with("ext") && is_dirty_ext(image, part.offset);
    }
}

bool matters(const DiskPartition& part, PartitionTable table) {
    return table == PartitionTable::mbr ? part.type == "0x83" || part.type == "0xea"
                                        : partition_type(part.type).has_value() || is_generic_partition_type(part.type);
}

bool is_signature(const DiskPartition& part) {
    const auto type = partition_type(part.type);
    return type && (type->role == PartitionRole::root_verity_sig || type->role == PartitionRole::usr_verity_sig);
}

void look_into(int image, uint64_t size, PartitionTable table, DiskPartition& part) {
    const bool inside = part.size > 0 && part.offset <= size && part.size <= size - part.offset;
    if (!inside || !matters(part, table)) {
        return;
    }
    if (is_signature(part)) {
        read_signature_partition(image, part);
        return;
    }
    const Probe probe = open_probe(image, part.offset, part.size);
    read_content(probe, run(probe), image, part);
}

DiskPartition describe(blkid_partition entry, PartitionTable table) {
    DiskPartition part;
    part.number = static_cast<unsigned>(blkid_partition_get_partno(entry));
    // Sizes from the table may be anything; what does not fit into 64 bits is certainly not in the image.
    const auto bytes = [](blkid_loff_t units) {
        return units < 0 || static_cast<uint64_t>(units) > UINT64_MAX / kUnit ? UINT64_MAX
                                                                              : static_cast<uint64_t>(units) * kUnit;
    };
    part.offset = bytes(blkid_partition_get_start(entry));
    part.size = bytes(blkid_partition_get_size(entry));
    part.flags = blkid_partition_get_flags(entry);
    if (table == PartitionTable::mbr) {
        part.type = fmt::format("0x{:02x}", static_cast<unsigned>(blkid_partition_get_type(entry)));
    } else if (const char* const type = blkid_partition_get_type_string(entry)) {
        part.type = lower_case(type);
    }
    if (const char* const uuid = blkid_partition_get_uuid(entry)) {
        part.uuid = lower_case(uuid);
    }
    if (const char* const name = blkid_partition_get_name(entry)) {
        part.label = std::string(name).substr(0, kLongestLabel);
    }
    return part;
}

uint64_t little_endian(std::string_view bytes, size_t at, size_t length) {
    uint64_t value = 0;
    for (size_t i = length; i-- > 0;) {
        value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    }
    return value;
}

// `length` bytes, zeros where the image ends.
std::string read_at(int image, uint64_t offset, size_t length) {
    std::string bytes(length, '\0');
    if (offset <= INT64_MAX) {
        (void)pread(image, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    }
    return bytes;
}

// The entries in use of a GPT whose header is in this sector; 0: there is none. Source: UEFI specification, 5.3.
size_t count_gpt_entries(int image, unsigned sector_size, uint64_t header_sector) {
    constexpr size_t kHeader = 92;
    constexpr uint64_t kMostEntries = 4096;
    constexpr uint64_t kLongestEntry = 4096;
    constexpr size_t kType = 16; // bytes; all zero: not in use
    const std::string header = read_at(image, header_sector * sector_size, kHeader);
    const uint64_t first = little_endian(header, 72, 8);
    const uint64_t count = little_endian(header, 80, 4);
    const uint64_t size = little_endian(header, 84, 4);
    if (!header.starts_with("EFI PART") || count > kMostEntries || size < kType || size > kLongestEntry ||
        first > UINT64_MAX / sector_size / 2) {
        return 0;
    }
    const std::string entries = read_at(image, first * sector_size, count * size);
    size_t used = 0;
    for (uint64_t i = 0; i < count; ++i) {
        const std::string_view type = std::string_view(entries).substr(i * size, kType);
        used += type.find_first_not_of('\0') == std::string_view::npos ? 0 : 1;
    }
    return used;
}

// The library leaves out entries that lie outside of the area which the header names, as the kernel does; something of
// the image would be missing without a word.
void require_all_entries(int image, unsigned sector_size, uint64_t image_size, size_t known) {
    size_t used = count_gpt_entries(image, sector_size, 1);
    if (used == 0) {
        used = count_gpt_entries(image, sector_size, image_size / sector_size - 1);
    }
    if (used > known) {
        throw Error(
            fmt::format("{} of the {} entries of its partition table lie outside of the disk", used - known, used));
    }
}

void read_partitions(const Probe& probe, int image, unsigned sector_size, DiskLayout& layout) {
    const std::string type = value_of(probe, "PTTYPE");
    layout.table = type == "gpt" ? PartitionTable::gpt : PartitionTable::mbr;
    if (type != "gpt" && type != "dos") {
        throw Error(fmt::format("its partition table is of the kind '{}', not GPT or MBR", printable(type)));
    }
    blkid_partlist list = blkid_probe_get_partitions(probe.get());
    const int count = list == nullptr ? -1 : blkid_partlist_numof_partitions(list);
    if (count < 0) {
        throw Error("its partition table cannot be read");
    }
    if (static_cast<size_t>(count) > kMostPartitions) {
        throw Error(
            fmt::format("it has {} partitions, more than the {} that a disk can have here", count, kMostPartitions));
    }
    if (layout.table == PartitionTable::gpt) {
        require_all_entries(image, sector_size, layout.size, static_cast<size_t>(count));
    }
    for (int i = 0; i < count; ++i) {
        DiskPartition part = describe(blkid_partlist_get_partition(list, i), layout.table);
        look_into(image, layout.size, layout.table, part);
        layout.partitions.push_back(std::move(part));
    }
}

// Nothing: neither a file system nor a partition table, if its sectors are of this size; or an MBR that only says that
// there should be a GPT.
std::optional<DiskLayout> probe_with(int image, unsigned sector_size, bool& broken_gpt) {
    const Probe probe = open_probe(image, 0, 0);
    blkid_probe_set_sectorsize(probe.get(), sector_size);
    blkid_probe_enable_partitions(probe.get(), 1);
    blkid_probe_set_partitions_flags(probe.get(), BLKID_PARTS_ENTRY_DETAILS);
    DiskLayout layout;
    layout.size = static_cast<uint64_t>(blkid_probe_get_size(probe.get()));
    layout.whole.size = layout.size;
    const Answer answer = run(probe);
    broken_gpt = answer == Answer::found && value_of(probe, "PTTYPE") == "PMBR";
    if (answer == Answer::nothing || broken_gpt) {
        return std::nullopt;
    }
    read_content(probe, answer, image, layout.whole);
    if (answer == Answer::found && !value_of(probe, "PTTYPE").empty() && layout.whole.content.empty()) {
        read_partitions(probe, image, sector_size, layout);
    }
    return layout;
}

} // namespace

DiskLayout probe_image(int image) {
    bool broken_gpt = false;
    for (const unsigned sector_size : kSectorSizes) {
        if (std::optional<DiskLayout> layout = probe_with(image, sector_size, broken_gpt)) {
            return std::move(*layout);
        }
    }
    if (broken_gpt) {
        throw Error("its GPT partition table is broken or cut off, at its beginning and at its end");
    }
    throw Error("there is neither a file system nor a partition table in it");
}

} // namespace nspawn
