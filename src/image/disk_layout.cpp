#include "image/disk_layout.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nspawn {

namespace {

constexpr size_t kFields = 12;
constexpr size_t kLongestField = 16384; // a signature
constexpr std::string_view kNothing = "-";

[[noreturn]] void throw_broken() { throw Error("the program that looks into disk images answers with a broken line"); }

std::string field(std::string_view text) { return text.empty() ? std::string(kNothing) : std::string(text); }
std::string_view from_field(std::string_view text) { return text == kNothing ? std::string_view() : text; }

// Labels hold any byte.
std::string as_hex(std::string_view text) {
    std::string hex;
    for (const char c : text) {
        fmt::format_to(std::back_inserter(hex), "{:02x}", static_cast<unsigned char>(c));
    }
    return hex;
}

std::string from_hex(std::string_view hex) {
    std::string text;
    for (size_t at = 0; at < hex.size(); at += 2) {
        const auto byte = parse_unsigned(hex.substr(at, 2), 16);
        if (!byte || hex.size() - at < 2) {
            throw_broken();
        }
        text += static_cast<char>(*byte);
    }
    return text;
}

void add_record(std::string& text, std::string_view kind, const DiskPartition& part) {
    fmt::format_to(std::back_inserter(text), "{} {} {} {} {} {} {:x} {} {} {} {} {}\n", kind, part.number, part.offset,
                   part.size, field(part.type), field(part.uuid), part.flags, field(part.content),
                   part.ambiguous ? "ambiguous"
                   : part.dirty   ? "dirty"
                                  : "plain",
                   field(as_hex(part.label)), field(part.root_hash), field(part.signature));
}

// Names of types and ids: nothing that could be a path or break a line.
std::string word(std::string_view text) {
    const std::string_view value = from_field(text);
    const bool plain = std::all_of(value.begin(), value.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '+' || c == '/' || c == '=';
    });
    if (!plain) {
        throw_broken();
    }
    return std::string(value);
}

uint64_t number(std::string_view text, int base = 10) {
    const auto value = parse_unsigned(text, base);
    if (!value) {
        throw_broken();
    }
    return *value;
}

DiskPartition parse_record(std::string_view line) {
    const std::vector<std::string_view> fields = split(line, ' ');
    if (fields.size() != kFields ||
        std::any_of(fields.begin(), fields.end(), [](std::string_view f) { return f.size() > kLongestField; })) {
        throw_broken();
    }
    DiskPartition part;
    const uint64_t which = number(fields[1]);
    if (which > UINT32_MAX) {
        throw_broken();
    }
    part.number = static_cast<unsigned>(which);
    part.offset = number(fields[2]);
    part.size = number(fields[3]);
    part.type = word(fields[4]);
    part.uuid = word(fields[5]);
    part.flags = number(fields[6], 16);
    part.content = word(fields[7]);
    part.ambiguous = fields[8] == "ambiguous";
    part.dirty = fields[8] == "dirty";
    part.label = from_hex(from_field(fields[9]));
    part.root_hash = word(fields[10]);
    part.signature = word(fields[11]);
    return part;
}

PartitionTable parse_table(std::string_view name) {
    if (name == "gpt") {
        return PartitionTable::gpt;
    }
    return name == "mbr"    ? PartitionTable::mbr
           : name == "none" ? PartitionTable::none
                            : (throw_broken(), PartitionTable::none);
}

} // namespace

std::string layout_as_text(const DiskLayout& layout) {
    const std::string_view table = layout.table == PartitionTable::gpt   ? "gpt"
                                   : layout.table == PartitionTable::mbr ? "mbr"
                                                                         : "none";
    std::string text = fmt::format("table {} {}\n", table, layout.size);
    add_record(text, "whole", layout.whole);
    for (const DiskPartition& part : layout.partitions) {
        add_record(text, "partition", part);
    }
    return text + "end\n";
}

std::string layout_error_as_text(std::string_view message) { return fmt::format("error {}\n", as_hex(message)); }

DiskLayout parse_layout(std::string_view text) {
    DiskLayout layout;
    while (!text.empty()) {
        const std::string_view line = take_until(text, '\n');
        std::string_view rest = line;
        const std::string_view kind = take_until(rest, ' ');
        if (kind == "error") {
            throw Error(printable(from_hex(rest)));
        }
        if (kind == "table") {
            layout.table = parse_table(take_until(rest, ' '));
            layout.size = number(rest);
        } else if (kind == "whole") {
            layout.whole = parse_record(line);
        } else if (kind == "partition" && layout.partitions.size() < kMostPartitions) {
            layout.partitions.push_back(parse_record(line));
        } else if (kind == "end" && text.empty()) {
            return layout;
        } else {
            throw_broken();
        }
    }
    throw_broken();
}

} // namespace nspawn
