// Credentials: what is said about them; reading them waits until everything else is known to be right.
#include "base/path.hpp"
#include "config/apply.hpp"
#include "config/credential.hpp"

#include <fmt/format.h>

#include <climits>

namespace nspawn::apply {

namespace {

struct Parts {
    std::string_view id;
    std::string_view rest;
};

Parts split_credential(std::string_view text, std::string_view form) {
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
        throw Error(fmt::format("expected {}", form));
    }
    return {text.substr(0, colon), text.substr(colon + 1)};
}

void add(Draft& draft, CredentialRequest request) {
    if (!is_credential_name(request.id)) {
        throw Error("not a credential's name (up to 255 printable ASCII characters without blanks, '/' and ':')");
    }
    for (const CredentialRequest& present : draft.credentials) {
        if (present.id == request.id) {
            throw Error(fmt::format("the credential \"{}\" is given twice", request.id));
        }
    }
    draft.credentials.push_back(std::move(request));
}

} // namespace

void set_credential(Draft& draft, const Value& value) {
    const Parts parts = split_credential(value.text, "ID:VALUE");
    auto content = unescape_c(parts.rest);
    if (!content) {
        throw Error("an escape behind '\\' is unknown or cut short (a plain backslash is written \\\\)");
    }
    if (content->size() > kLargestCredential) {
        throw Error(fmt::format("a credential has at most {} bytes", kLargestCredential));
    }
    add(draft, {.id = std::string(parts.id), .content = std::move(*content), .source = {}});
}

void load_credential(Draft& draft, const Value& value) {
    const Parts parts = split_credential(value.text, "ID:PATH");
    if (!is_absolute(parts.rest) && !is_credential_name(parts.rest)) {
        throw Error("the source is neither an absolute path nor the name of one of our own credentials");
    }
    if (parts.rest.size() >= PATH_MAX) {
        throw Error(fmt::format("a path has at most {} bytes", PATH_MAX - 1));
    }
    add(draft, {.id = std::string(parts.id), .content = {}, .source = std::string(parts.rest)});
}

} // namespace nspawn::apply
