#include "base/siphash.hpp"

#include <bit>

namespace nspawn {

namespace {

// Little-endian, of at most eight bytes.
uint64_t read_word(const char* bytes, size_t count) {
    uint64_t word = 0;
    for (size_t i = 0; i < count; ++i) {
        word |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
    }
    return word;
}

class State {
public:
    State(uint64_t low, uint64_t high)
        : v0_(low ^ 0x736f6d6570736575), v1_(high ^ 0x646f72616e646f6d), v2_(low ^ 0x6c7967656e657261),
          v3_(high ^ 0x7465646279746573) {}

    void add(uint64_t word) {
        v3_ ^= word;
        rounds(2);
        v0_ ^= word;
    }

    uint64_t finish() {
        v2_ ^= 0xff;
        rounds(4);
        return v0_ ^ v1_ ^ v2_ ^ v3_;
    }

private:
    void rounds(int count) {
        for (; count > 0; --count) {
            v0_ += v1_;
            v2_ += v3_;
            v1_ = std::rotl(v1_, 13) ^ v0_;
            v3_ = std::rotl(v3_, 16) ^ v2_;
            v0_ = std::rotl(v0_, 32);
            v2_ += v1_;
            v0_ += v3_;
            v1_ = std::rotl(v1_, 17) ^ v2_;
            v3_ = std::rotl(v3_, 21) ^ v0_;
            v2_ = std::rotl(v2_, 32);
        }
    }

    uint64_t v0_, v1_, v2_, v3_;
};

} // namespace

uint64_t siphash24(std::string_view data, const SipHashKey& key) {
    const char* key_bytes = reinterpret_cast<const char*>(key.data());
    State state(read_word(key_bytes, 8), read_word(key_bytes + 8, 8));
    const uint64_t length = uint64_t{data.size()} << 56;
    for (; data.size() >= 8; data.remove_prefix(8)) {
        state.add(read_word(data.data(), 8));
    }
    state.add(read_word(data.data(), data.size()) | length);
    return state.finish();
}

} // namespace nspawn
