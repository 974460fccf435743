#include "dissect/signature.hpp"

#include "base/base64.hpp"
#include "dissect/optional_library.hpp"

#include <climits>
#include <memory>

namespace nspawn {

namespace {

constexpr const char* kLibrary = "libcrypto.so.3";

template <typename Object, typename Free>
std::unique_ptr<Object, Free> owned(Object* object, Free free) {
    return {object, free};
}

} // namespace

SignatureChecker SignatureChecker::load_library() {
    const OptionalLibrary library(kLibrary, "checking a signature needs", "OpenSSL");
    SignatureChecker checker;
    library.find("OPENSSL_init_crypto", checker.init_);
    library.find("d2i_PKCS7", checker.parse_signature_);
    library.find("PKCS7_free", checker.free_signature_);
    library.find("PKCS7_verify", checker.verify_);
    library.find("PEM_read_bio_X509", checker.read_certificate_);
    library.find("X509_free", checker.free_certificate_);
    library.find("BIO_new_mem_buf", checker.new_buffer_);
    library.find("BIO_free", checker.free_buffer_);
    library.find("OPENSSL_sk_new_null", checker.new_stack_);
    library.find("OPENSSL_sk_push", checker.push_);
    library.find("OPENSSL_sk_free", checker.free_stack_);
    return checker;
}

bool SignatureChecker::is_signed_by(const SignatureQuestion& question, const std::string& signature,
                                    const TrustedCertificate& trusted) const {
    const auto buffer_of = [&](const std::string& bytes) {
        return owned(new_buffer_(bytes.data(), static_cast<int>(bytes.size())), free_buffer_);
    };
    const auto file = buffer_of(trusted.content);
    const auto certificate = owned(read_certificate_(file.get(), nullptr, nullptr, nullptr), free_certificate_);
    const auto* at = reinterpret_cast<const unsigned char*>(signature.data());
    const auto parsed = owned(parse_signature_(nullptr, &at, static_cast<long>(signature.size())), free_signature_);
    const auto signers = owned(new_stack_(), free_stack_);
    if (!certificate || !parsed || !signers || push_(signers.get(), certificate.get()) == 0) {
        return false;
    }
    const auto content = buffer_of(question.root_hash);
    constexpr int kByThisOneAlone = PKCS7_NOINTERN | PKCS7_NOVERIFY | PKCS7_BINARY | PKCS7_NO_DUAL_CONTENT;
    return verify_(parsed.get(), reinterpret_cast<STACK_OF(X509)*>(signers.get()), nullptr, content.get(), nullptr,
                   kByThisOneAlone) == 1;
}

std::string SignatureChecker::find_signer(const SignatureQuestion& question) const {
    init_(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr); // nothing of this machine's taste in algorithms
    const std::string signature = from_base64(question.signature).value_or("");
    for (const TrustedCertificate& certificate : question.certificates) {
        if (certificate.content.size() < INT_MAX && is_signed_by(question, signature, certificate)) {
            return certificate.name;
        }
    }
    return {};
}

} // namespace nspawn
