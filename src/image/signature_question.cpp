#include "image/signature_question.hpp"

#include "base/base64.hpp"
#include "base/directory.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/path.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include <fcntl.h>

namespace nspawn {

namespace {

constexpr const char* kPlaces[] = {"/etc/verity.d", "/run/verity.d", "/usr/local/lib/verity.d", "/usr/lib/verity.d"};
constexpr std::string_view kSuffix = ".crt";
constexpr size_t kLongestCertificate = 64 * 1024;
constexpr size_t kMostCertificates = 256;

std::vector<std::string> names_in(int directory, const char* path) {
    std::vector<std::string> names;
    for_each_entry(directory, [&](const dirent64& entry) {
        const std::string_view name(static_cast<const char*>(entry.d_name));
        if (name.ends_with(kSuffix) && !name.starts_with('.')) {
            names.emplace_back(name);
        }
        return true;
    }).or_throw(path);
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace

std::vector<TrustedCertificate> read_trusted_certificates() {
    std::vector<TrustedCertificate> certificates;
    std::set<std::string> seen;
    for (const char* const place : kPlaces) {
        const Result<UniqueFd> directory = open_at(AT_FDCWD, place, O_RDONLY | O_DIRECTORY);
        if (directory.error() == ENOENT) {
            continue;
        }
        if (!directory.ok()) {
            throw_system_error(directory.error(), "open", place);
        }
        for (const std::string& name : names_in(directory.value().get(), place)) {
            if (!seen.insert(name).second) {
                continue;
            }
            const Result<std::string> content = read_file(directory.value().get(), name.c_str(), kLongestCertificate);
            if (!content.ok()) {
                throw Error(fmt::format("{}: {}", join(place, printable(name)), error_text(content.error())));
            }
            if (seen.size() > kMostCertificates) {
                throw Error(fmt::format("{}: more than {} certificates", place, kMostCertificates));
            }
            if (!trim(content.value()).empty()) {
                certificates.push_back({name, content.value()});
            }
        }
    }
    return certificates;
}

// Lines of words in base64: the hash and the signature, then a name and a certificate each.
std::string question_as_text(const SignatureQuestion& question) {
    std::string text = fmt::format("{} {}\n", to_base64(question.root_hash), question.signature);
    for (const TrustedCertificate& certificate : question.certificates) {
        text += fmt::format("{} {}\n", to_base64(certificate.name), to_base64(certificate.content));
    }
    return text;
}

std::optional<SignatureQuestion> parse_signature_question(std::string_view text) {
    SignatureQuestion question;
    std::string_view line = take_until(text, '\n');
    const auto hash = from_base64(take_until(line, ' '));
    if (!hash || hash->empty() || !from_base64(line)) {
        return std::nullopt;
    }
    question.root_hash = *hash;
    question.signature = line;
    while (!text.empty()) {
        line = take_until(text, '\n');
        auto name = from_base64(take_until(line, ' '));
        auto content = from_base64(line);
        if (!name || !content) {
            return std::nullopt;
        }
        question.certificates.push_back({std::move(*name), std::move(*content)});
    }
    return question;
}

std::string signature_answer_as_text(const std::string& name) {
    return name.empty() ? "unsigned\n" : "signed " + to_base64(name) + "\n";
}

std::string parse_signature_answer(std::string_view line) {
    return take_until(line, ' ') == "signed" ? from_base64(line).value_or("") : "";
}

} // namespace nspawn
