// signature.hpp — checks the signature of a root hash against certificates, with OpenSSL's libcrypto.
//
// The library is loaded when it is needed, and before the process confines itself; what it parses is hostile. A
// certificate is trusted because it is there: neither its issuer nor its dates are looked at, as the kernel does with
// its own keys. Source: PKCS7_verify(3), RFC 2315; kernel documentation dm-verity, "root_hash_sig_key_desc".
#pragma once

#include "image/signature_question.hpp"

#include <string>

#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

namespace nspawn {

class SignatureChecker {
public:
    // Throws Error when the library is not installed.
    static SignatureChecker load_library();

    // The name of the first certificate that the signature is by; empty: of none.
    [[nodiscard]] std::string find_signer(const SignatureQuestion& question) const;

private:
    [[nodiscard]] bool is_signed_by(const SignatureQuestion& question, const std::string& signature,
                                    const TrustedCertificate& certificate) const;

    decltype(&OPENSSL_init_crypto) init_ = nullptr;
    decltype(&d2i_PKCS7) parse_signature_ = nullptr;
    decltype(&PKCS7_free) free_signature_ = nullptr;
    decltype(&PKCS7_verify) verify_ = nullptr;
    decltype(&PEM_read_bio_X509) read_certificate_ = nullptr;
    decltype(&X509_free) free_certificate_ = nullptr;
    decltype(&BIO_new_mem_buf) new_buffer_ = nullptr;
    decltype(&BIO_free) free_buffer_ = nullptr;
    decltype(&OPENSSL_sk_new_null) new_stack_ = nullptr;
    decltype(&OPENSSL_sk_push) push_ = nullptr;
    decltype(&OPENSSL_sk_free) free_stack_ = nullptr;
};

} // namespace nspawn
