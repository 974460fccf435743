#include "dissect/signature_partition.hpp"

#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kLongestContent = 64 * 1024;
constexpr size_t kLongestSignature = 12 * 1024;

bool consists_of(std::string_view text, std::string_view characters) {
    return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

std::string member(const nlohmann::json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

} // namespace

void read_signature_partition(int image, DiskPartition& part) {
    std::string content(std::min<uint64_t>(part.size, kLongestContent), '\0');
    const ssize_t got = pread(image, content.data(), content.size(), static_cast<off_t>(part.offset));
    content.resize(got > 0 ? static_cast<size_t>(got) : 0);
    content.resize(std::min(content.find('\0'), content.size()));
    const nlohmann::json object = nlohmann::json::parse(content, nullptr, false);
    if (!object.is_object()) {
        return;
    }
    std::string hash = lower_case(member(object, "rootHash"));
    std::string signature = member(object, "signature");
    std::erase_if(signature, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
    if (consists_of(hash, "0123456789abcdef") && hash.size() % 2 == 0 && hash.size() <= 128 &&
        signature.size() <= kLongestSignature &&
        consists_of(signature, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")) {
        part.root_hash = std::move(hash);
        part.signature = std::move(signature);
    }
}

} // namespace nspawn
