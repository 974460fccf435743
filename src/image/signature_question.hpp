// signature_question.hpp — who has signed a root hash: what nspawn asks the worker, and the certificates it trusts.
//
// Reads the certificates of this machine and turns the question and its answer into text; never looks into a signature,
// which is as hostile as the image that it came with. A file in an earlier directory hides those of the same name in
// later ones; an empty one hides them and says nothing. Source: systemd-nspawn(1) --root-hash-sig=, verity.d.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

struct TrustedCertificate {
    std::string name;    // of the file
    std::string content; // X.509 as PEM
};

struct SignatureQuestion {
    std::string root_hash; // hex, which is what has been signed
    std::string signature; // PKCS#7 in DER, as base64
    std::vector<TrustedCertificate> certificates;
};

// NAME.crt in /etc/verity.d, /run/verity.d, /usr/local/lib/verity.d and /usr/lib/verity.d. Throws Error for one that
// is there and cannot be read.
std::vector<TrustedCertificate> read_trusted_certificates();

std::string question_as_text(const SignatureQuestion& question);
std::optional<SignatureQuestion> parse_signature_question(std::string_view text);
// The name of the certificate; empty: nobody's.
std::string signature_answer_as_text(const std::string& name); // ends with a newline
std::string parse_signature_answer(std::string_view line);

} // namespace nspawn
