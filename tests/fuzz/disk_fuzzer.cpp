// Any bytes as a disk image, any text as the prober's answer: never a crash, never more than a moment, and never a
// choice of partitions that breaks the promises of select_partitions.hpp.
//
// Partition tables have checksums that chance does not hit, so one is written around what the fuzzer says.
#include "base/error.hpp"
#include "dissect/probe.hpp"
#include "image/select_partitions.hpp"
#include "planted_bug.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fuzzer/FuzzedDataProvider.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {

constexpr size_t kSector = 512;
constexpr size_t kMostBytes = size_t{1} << 20;
constexpr size_t kEntry = 128;

// Types as a table has them on disk: root, home, /usr, EFI, generic, root's hash tree and signature.
constexpr std::array<std::array<uint8_t, 16>, 7> kTypes = {{
    {0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d, 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09},
    {0xe1, 0xc7, 0x3a, 0x93, 0xb4, 0x2e, 0x13, 0x4f, 0xb8, 0x44, 0x0e, 0x14, 0xe2, 0xae, 0xf9, 0x15},
    {0x0c, 0x68, 0x84, 0x84, 0x21, 0x95, 0xc6, 0x48, 0x9c, 0x11, 0xb0, 0x72, 0x06, 0x56, 0xf6, 0x9e},
    {0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b},
    {0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4},
    {0xed, 0x57, 0x73, 0x2c, 0xd2, 0xeb, 0xd9, 0x46, 0xae, 0xc1, 0x23, 0xd4, 0x37, 0xec, 0x2b, 0xf5},
    {0x05, 0x2b, 0x09, 0x41, 0xc8, 0x9f, 0x23, 0x45, 0x99, 0x4f, 0x2d, 0xef, 0x04, 0x08, 0xb1, 0x76},
}};

uint32_t crc32(const uint8_t* data, size_t size) {
    uint32_t crc = ~0U;
    for (size_t i = 0; i < size; ++i) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0U);
        }
    }
    return ~crc;
}

class Image {
public:
    explicit Image(size_t size) : bytes_(size) {}

    void put(size_t offset, const void* data, size_t size) {
        if (offset < bytes_.size()) {
            std::memcpy(bytes_.data() + offset, data, std::min(size, bytes_.size() - offset));
        }
    }
    template <typename T>
    void put(size_t offset, T value) {
        put(offset, &value, sizeof value);
    }

    // A header with good checksums over whatever stands in the entries by now.
    void seal_gpt(uint32_t entries) {
        const uint64_t last = bytes_.size() / kSector - 1;
        put(kSector, "EFI PART", 8);
        put(kSector + 8, uint32_t{0x10000});
        put(kSector + 12, uint32_t{92});
        put(kSector + 24, uint64_t{1});
        put(kSector + 32, last);
        put(kSector + 40, uint64_t{3});
        put(kSector + 48, last);
        put(kSector + 72, uint64_t{2});
        put(kSector + 80, entries);
        put(kSector + 84, uint32_t{kEntry});
        const size_t size = std::min<size_t>(entries * kEntry, bytes_.size() - 2 * kSector);
        put(kSector + 88, crc32(bytes_.data() + 2 * kSector, size));
        put(kSector + 16, uint32_t{0});
        put(kSector + 16, crc32(bytes_.data() + kSector, 92));
        bytes_[510] = 0x55;
        bytes_[511] = 0xaa;
        bytes_[446 + 4] = 0xee;
        put(446 + 8, uint32_t{1});
        put(446 + 12, static_cast<uint32_t>(last));
    }

    [[nodiscard]] const std::vector<uint8_t>& bytes() const { return bytes_; }

private:
    std::vector<uint8_t> bytes_;
};

void put_content(Image& image, size_t offset, unsigned kind) {
    switch (kind) {
    case 0: { // squashfs
        image.put(offset, "hsqs", 4);
        image.put(offset + 28, uint16_t{4});
        break;
    }
    case 1: // ext
        image.put(offset + 1024 + 0x38, uint16_t{0xef53});
        break;
    case 2: // LUKS
        image.put(offset, "LUKS\xba\xbe\0\1", 8);
        break;
    case 3: { // a signature
        const char text[] = R"({"rootHash":"00112233445566778899aabbccddeeff","signature":"AAAA"})";
        image.put(offset, text, sizeof text);
        break;
    }
    default:
        break;
    }
}

void put_gpt(Image& image, FuzzedDataProvider& input) {
    const auto entries = input.ConsumeIntegralInRange<uint32_t>(0, 300);
    for (uint32_t i = 0; i < std::min(entries, 8U); ++i) {
        const size_t at = 2 * kSector + i * kEntry;
        const auto first = input.ConsumeIntegralInRange<uint64_t>(0, 2048);
        const auto length = input.ConsumeIntegralInRange<uint64_t>(0, 64);
        image.put(at, input.PickValueInArray(kTypes).data(), 16);
        image.put(at + 16, input.ConsumeIntegral<uint64_t>());
        image.put(at + 32, first);
        image.put(at + 40, input.ConsumeBool() ? first + length : input.ConsumeIntegral<uint64_t>());
        image.put(at + 48, input.ConsumeIntegral<uint64_t>() & 0xf800000000000007U);
        put_content(image, first * kSector, input.ConsumeIntegralInRange(0U, 5U));
    }
    image.seal_gpt(entries);
}

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

void check_choice(const nspawn::DiskLayout& layout, const std::vector<nspawn::ChosenPartition>& chosen) {
    require(!chosen.empty());
    std::vector<std::pair<uint64_t, uint64_t>> places;
    for (const nspawn::ChosenPartition& choice : chosen) {
        require(!choice.part.content.empty() && !choice.part.ambiguous);
        require((choice.protection >= nspawn::Protection::verity) == !choice.root_hash.empty());
        places.emplace_back(choice.part.offset, choice.part.size);
    }
    std::sort(places.begin(), places.end());
    uint64_t end = 0;
    for (const auto& [offset, size] : places) {
        require(offset >= end && size > 0 && size <= layout.size && offset <= layout.size - size);
        end = offset + size;
    }
}

void check_layout(const nspawn::DiskLayout& layout, std::string_view data) {
    const std::string text = nspawn::layout_as_text(layout);
    require(nspawn::layout_as_text(nspawn::parse_layout(text)) == text);
    try {
        const auto chosen =
            nspawn::select_partitions(layout, nspawn::ImagePolicy::for_containers(), nspawn::VerityWish());
        check_choice(layout, chosen);
        nspawn::fuzz::planted_bug(!chosen.empty(), data);
    } catch (const nspawn::Error&) {
        // not to be used
    }
}

nspawn::DiskLayout probe(const std::vector<uint8_t>& bytes) {
    struct Memory {
        int fd = memfd_create("image", MFD_CLOEXEC);
        ~Memory() { close(fd); }
    } memory;
    require(memory.fd >= 0 && write(memory.fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    return nspawn::probe_image(memory.fd);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    FuzzedDataProvider input(data, size);
    try {
        if (input.ConsumeIntegralInRange(0, 7) == 0) {
            check_layout(nspawn::parse_layout(input.ConsumeRemainingBytesAsString()), all);
            return 0;
        }
        Image image(input.ConsumeIntegralInRange<size_t>(4 * kSector, kMostBytes));
        if (input.ConsumeBool()) {
            put_gpt(image, input);
        }
        while (input.remaining_bytes() > 0) {
            const auto offset = input.ConsumeIntegralInRange<size_t>(0, image.bytes().size());
            const std::string patch = input.ConsumeRandomLengthString(1024);
            image.put(offset, patch.data(), patch.size());
        }
        check_layout(probe(image.bytes()), all);
    } catch (const nspawn::Error&) {
        // no image
    }
    return 0;
}
