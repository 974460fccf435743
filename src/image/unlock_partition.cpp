#include "image/unlock_partition.hpp"

#include "base/error.hpp"
#include "base/id128.hpp"
#include "base/log.hpp"
#include "image/dissect_worker.hpp"
#include "image/passphrase.hpp"
#include "image/signature_question.hpp"

#include <fmt/format.h>

#include <optional>

namespace nspawn {

namespace {

constexpr int kTries = 3;
constexpr int kPassphrasePatience = 180; // seconds: one is made to be slow to try

// By somebody whose certificate this machine trusts.
bool is_signed(const ChosenPartition& choice) {
    SignatureQuestion question{.root_hash = choice.root_hash, .signature = choice.signature, .certificates = {}};
    if (question.signature.empty()) {
        return false;
    }
    question.certificates = read_trusted_certificates();
    if (question.certificates.empty()) {
        return false;
    }
    const std::string signer = find_signer(question);
    log::debug("root hash {}: {}", question.root_hash, signer.empty() ? "signed by nobody known" : "signed: " + signer);
    return !signer.empty();
}

UniqueFd try_passphrases(UnlockRequest request, const std::string& name) {
    if (const auto credential = passphrase_credential()) {
        request.passphrase = *credential;
        if (UniqueFd device = unlock_device(request, kPassphrasePatience)) {
            return device;
        }
        log::warning("the passphrase in the credential dissect.passphrase does not open {}", name);
    }
    for (int attempt = 0; attempt < kTries; ++attempt) {
        const auto passphrase =
            ask_passphrase(fmt::format("{}assphrase for {}: ", attempt == 0 ? "P" : "That does not open it. P", name));
        if (!passphrase) {
            throw Error("it is encrypted, and there is no passphrase",
                        "Start nspawn on a terminal to be asked for it, or pass the credential dissect.passphrase "
                        "(a file of that name in $CREDENTIALS_DIRECTORY).")
                .with_code(ENOKEY);
        }
        request.passphrase = *passphrase;
        if (UniqueFd device = unlock_device(request, kPassphrasePatience)) {
            return device;
        }
    }
    throw Error(fmt::format("the passphrase was wrong {} times", kTries)).with_code(EKEYREJECTED);
}

} // namespace

UniqueFd unlock_partition(const LockedPartition& partition) {
    UnlockRequest request;
    request.name = fmt::format("nspawn-{:016x}", random_u64());
    request.device = partition.device;
    request.read_only = partition.choice.read_only;
    if (partition.choice.protection == Protection::encrypted) {
        return try_passphrases(std::move(request), partition.name);
    }
    request.hash_device = partition.hash_device;
    request.root_hash = partition.choice.root_hash;
    request.signature = partition.choice.signature;
    request.need_signature = partition.need_signature && !(partition.userspace_keys && is_signed(partition.choice));
    return unlock_device(request, static_cast<int>(partition.verity_patience));
}

} // namespace nspawn
