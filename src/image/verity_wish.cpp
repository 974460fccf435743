#include "image/verity_wish.hpp"

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/path.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <array>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

namespace nspawn {

namespace {

constexpr size_t kLongestHash = 128;
constexpr size_t kLongestSignature = 8192;

struct Source {
    PartitionRole role;
    const char* attribute;
    const char* suffix;
};
constexpr Source kSources[] = {{PartitionRole::root, "user.verity.roothash", ".roothash"},
                               {PartitionRole::usr, "user.verity.usrhash", ".usrhash"}};

std::string path_without_raw(const std::string& path) {
    return path.ends_with(".raw") ? path.substr(0, path.size() - 4) : path;
}

// As it stands in a file or attribute, checked: what is no hash would silently protect nothing.
std::string checked_hash(std::string_view text, const std::string& where) {
    std::string hash = lower_case(trim(text));
    if (hash.size() < 32 || hash.size() > kLongestHash || hash.size() % 2 != 0 ||
        hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
        throw Error(fmt::format("{} holds no root hash", where));
    }
    return hash;
}

std::string hash_from_attribute(int image, const char* name, const std::string& path) {
    std::array<char, 256> buffer{};
    const ssize_t size = fgetxattr(image, name, buffer.data(), buffer.size());
    return size > 0 ? checked_hash({buffer.data(), static_cast<size_t>(size)},
                                   fmt::format("the attribute {} of {}", name, path))
                    : std::string();
}

std::optional<std::string> read_beside(const std::string& path, size_t limit) {
    Result<std::string> content = read_file(AT_FDCWD, path.c_str(), limit);
    if (content.error() == ENOENT) {
        return std::nullopt;
    }
    return std::move(content).or_throw(path);
}

void find_hash(VerityWish& wish, int image, const std::string& path) {
    for (const Source& source : kSources) {
        std::string hash = hash_from_attribute(image, source.attribute, path);
        const std::string file = path_without_raw(path) + source.suffix;
        if (hash.empty()) {
            if (const auto text = read_beside(file, kLongestHash + 16)) {
                hash = checked_hash(*text, file);
            }
        }
        if (!hash.empty()) {
            wish.role = source.role;
            wish.root_hash = std::move(hash);
            return;
        }
    }
}

std::string find_signature(const Config& config, const ImageSwitches& switches, const VerityWish& wish,
                           const std::string& path) {
    constexpr std::string_view kInline = "base64:";
    const std::string& option = config.root_hash_sig;
    if (option.starts_with(kInline)) {
        return option.substr(kInline.size());
    }
    if (!option.empty()) {
        return to_base64(read_file(AT_FDCWD, option.c_str(), kLongestSignature).or_throw("--root-hash-sig=" + option));
    }
    if (!switches.verity_sidecar) {
        return {};
    }
    const char* const suffix = wish.role == PartitionRole::usr ? ".usrhash.p7s" : ".roothash.p7s";
    const auto content = read_beside(path_without_raw(path) + suffix, kLongestSignature);
    return content ? to_base64(*content) : std::string();
}

UniqueFd open_data(const std::string& path, bool given) {
    const std::string doing = given ? "--verity-data=" + path : path;
    const Result<UniqueFd> found = open_at(AT_FDCWD, path.c_str(), O_PATH);
    if (!given && found.error() == ENOENT) {
        return {};
    }
    struct stat status {};
    if (!found.ok() || fstat(found.value().get(), &status) < 0) {
        throw Error(fmt::format("{}: {}", doing, error_text(found.ok() ? errno : found.error())));
    }
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
        throw Error(fmt::format("{} is neither a file nor a block device", doing));
    }
    return reopen(found.value().get(), O_RDONLY | O_NONBLOCK).or_throw(doing);
}

} // namespace

VerityAttachments find_verity(const Config& config, const ImageSwitches& switches, int image, const std::string& path) {
    VerityAttachments found;
    found.wish.use_embedded = switches.verity_embedded;
    found.wish.root_hash = config.root_hash;
    const bool sidecar = switches.verity_sidecar && !is_within(path, "/dev");
    if (found.wish.root_hash.empty() && sidecar) {
        find_hash(found.wish, image, path);
    }
    if (found.wish.root_hash.empty()) {
        if (!config.root_hash_sig.empty() || !config.verity_data.empty()) {
            throw Error("--root-hash-sig= and --verity-data= are of no use without a root hash",
                        "Give it with --root-hash=, or put it beside the image as NAME.roothash.");
        }
        return found;
    }
    if (switches.verity_signature) {
        found.wish.signature = find_signature(config, switches, found.wish, path);
    }
    if (!config.verity_data.empty()) {
        found.data = open_data(config.verity_data, true);
    } else if (sidecar) {
        found.data = open_data(path_without_raw(path) + ".verity", false);
    }
    found.wish.separate_data = found.data.valid();
    return found;
}

} // namespace nspawn
