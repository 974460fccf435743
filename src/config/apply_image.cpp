// Disk images and what protects them.
#include "base/path.hpp"
#include "config/apply.hpp"

#include <fmt/format.h>

#include <climits>

namespace nspawn::apply {

namespace {

constexpr size_t kShortestHash = 32; // hex digits: half of it names a partition
constexpr size_t kLongestHash = 128; // SHA-512
constexpr size_t kLongestSignature = 16384;

std::string absolute_path(Draft& draft, const Value& value) {
    if (value.text.empty()) {
        return {};
    }
    if (value.text.size() >= PATH_MAX) {
        throw Error(fmt::format("a path has at most {} bytes", PATH_MAX - 1));
    }
    return simplified(is_absolute(value.text) ? std::string(value.text)
                                              : join(draft.caller.start_of_paths(), value.text));
}

} // namespace

void image(Draft& draft, const Value& value) { draft.config.image = absolute_path(draft, value); }

void image_policy(Draft& draft, const Value& value) { draft.config.image_policy = ImagePolicy::parse(value.text); }

void root_hash(Draft& draft, const Value& value) {
    const std::string hash = lower_case(value.text);
    if (!hash.empty() && (hash.find_first_not_of("0123456789abcdef") != std::string::npos || hash.size() % 2 != 0 ||
                          hash.size() < kShortestHash || hash.size() > kLongestHash)) {
        throw Error(fmt::format("not a root hash ({} to {} hexadecimal digits, an even number of them)", kShortestHash,
                                kLongestHash));
    }
    draft.config.root_hash = hash;
}

void root_hash_sig(Draft& draft, const Value& value) {
    constexpr std::string_view kInline = "base64:";
    if (!value.text.starts_with(kInline)) {
        if (!value.text.empty() && !is_absolute(value.text)) {
            throw Error("neither an absolute path nor base64:…");
        }
        draft.config.root_hash_sig = value.text;
        return;
    }
    const std::string_view encoded = value.text.substr(kInline.size());
    if (encoded.empty() || encoded.size() > kLongestSignature || encoded.size() % 4 != 0 ||
        encoded.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") !=
            std::string_view::npos) {
        throw Error("what follows base64: is no signature in base64");
    }
    draft.config.root_hash_sig = value.text;
}

void verity_data(Draft& draft, const Value& value) { draft.config.verity_data = absolute_path(draft, value); }

} // namespace nspawn::apply
