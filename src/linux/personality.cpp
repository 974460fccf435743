#include "linux/personality.hpp"

#include <cstdint>
#include <cstring>
#include <iterator>

#include <elf.h>
#include <sys/personality.h>

namespace nspawn {

namespace {

#if defined(__x86_64__)
constexpr Personality kPersonalities[] = {{"x86-64", PER_LINUX}, {"x86", PER_LINUX32}};
constexpr uint16_t kElf32Machine = EM_386;
#elif defined(__i386__)
constexpr Personality kPersonalities[] = {{"x86", PER_LINUX}};
constexpr uint16_t kElf32Machine = EM_NONE;
#elif defined(__aarch64__) && defined(__AARCH64EB__)
constexpr Personality kPersonalities[] = {{"arm64-be", PER_LINUX}, {"arm-be", PER_LINUX32}};
constexpr uint16_t kElf32Machine = EM_ARM;
#elif defined(__aarch64__)
constexpr Personality kPersonalities[] = {{"arm64", PER_LINUX}, {"arm", PER_LINUX32}};
constexpr uint16_t kElf32Machine = EM_ARM;
#elif defined(__arm__)
constexpr Personality kPersonalities[] = {{"arm", PER_LINUX}};
constexpr uint16_t kElf32Machine = EM_NONE;
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
constexpr Personality kPersonalities[] = {{"ppc64-le", PER_LINUX}, {"ppc-le", PER_LINUX32}};
constexpr uint16_t kElf32Machine = EM_PPC;
#elif defined(__powerpc64__)
constexpr Personality kPersonalities[] = {{"ppc64", PER_LINUX}, {"ppc", PER_LINUX32}};
constexpr uint16_t kElf32Machine = EM_PPC;
#elif defined(__s390x__)
constexpr Personality kPersonalities[] = {{"s390x", PER_LINUX}, {"s390", PER_LINUX32}};
constexpr uint16_t kElf32Machine = EM_S390;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr Personality kPersonalities[] = {{"riscv64", PER_LINUX}};
constexpr uint16_t kElf32Machine = EM_NONE;
#elif defined(__loongarch__)
constexpr Personality kPersonalities[] = {{"loongarch64", PER_LINUX}};
constexpr uint16_t kElf32Machine = EM_NONE;
#else
#error "personality.cpp: name this architecture as systemd.exec(5) Personality= does"
#endif

constexpr unsigned char kOwnByteOrder = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

// This "domain" changes nothing and answers the present one.
constexpr unsigned long kOnlyAsk = 0xffffffff;

} // namespace

std::span<const Personality> personalities() { return kPersonalities; }

std::optional<Personality> find_personality(std::string_view name) {
    for (const Personality& personality : kPersonalities) {
        if (personality.name == name) {
            return personality;
        }
    }
    return std::nullopt;
}

std::string personality_list() {
    std::string list;
    for (const Personality& personality : kPersonalities) {
        list.append(list.empty() ? "" : ", ").append(personality.name);
    }
    return list;
}

bool is_elf32_of_this_family(std::string_view header) {
    if (kElf32Machine == EM_NONE || header.size() < kElfHeaderBytes ||
        std::memcmp(header.data(), ELFMAG, SELFMAG) != 0) {
        return false;
    }
    uint16_t machine = 0;
    static_assert(offsetof(Elf32_Ehdr, e_machine) + sizeof machine == kElfHeaderBytes);
    std::memcpy(&machine, header.data() + offsetof(Elf32_Ehdr, e_machine), sizeof machine);
    return header[EI_CLASS] == ELFCLASS32 && static_cast<unsigned char>(header[EI_DATA]) == kOwnByteOrder &&
           machine == kElf32Machine;
}

std::optional<Personality> personality_of_elf32() {
    if (std::size(kPersonalities) < 2) {
        return std::nullopt;
    }
    return personalities().back();
}

Result<void> set_personality(unsigned long value) {
    const int present = personality(kOnlyAsk);
    if (present < 0) {
        return last_error("personality");
    }
    const unsigned long wanted = (static_cast<unsigned>(present) & ~static_cast<unsigned long>(PER_MASK)) | value;
    if (wanted == static_cast<unsigned>(present)) {
        return {};
    }
    return check(personality(wanted), "personality");
}

} // namespace nspawn
