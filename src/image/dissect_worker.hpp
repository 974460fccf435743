// dissect_worker.hpp — starting the program that looks into disk images (nspawn-dissect), and hearing its answer.
//
// nspawn is static and parses no image itself. The program (worker_program.hpp says where it is) gets an empty
// environment, the descriptors it needs and no others, and a time limit.
#pragma once

#include "base/unique_fd.hpp"
#include "image/disk_layout.hpp"
#include "image/signature_question.hpp"
#include "image/unlock_request.hpp"

#include <string>

namespace nspawn {

// `image`: open for reading. Throws Error with one sentence; what is wrong with the image does not name it.
DiskLayout look_into_image(int image);

// Has the partition opened that the request names, and opens the mapped device for what the request says; the device
// vanishes with the last who has it open. Invalid: the passphrase is wrong. `patience`: seconds until it has to be
// there. Throws Error with one sentence.
UniqueFd unlock_device(const UnlockRequest& request, int patience);

// The name of the certificate whose owner has signed the root hash; empty: nobody has whose certificate is in the
// question, or the signature is none.
std::string find_signer(const SignatureQuestion& question);

} // namespace nspawn
