// nspawn-dissect — looks into a disk image for nspawn, which is static and starts this when it meets an image.
//
// "probe": standard input is the image, open for reading; the answer on standard output is the text of disk_layout.hpp.
// "unlock": a line of unlock_request.hpp on standard input is answered on standard output. The mapped device stays
// until standard input ends: by then whoever asked has it open. "verify": the text of signature_question.hpp is
// answered.

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "dissect/confine.hpp"
#include "dissect/probe.hpp"
#include "dissect/signature.hpp"
#include "dissect/unlock.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string_view>

#include <unistd.h>

namespace nspawn {
namespace {

std::string probe() {
    try {
        confine_reader();
        return layout_as_text(probe_image(STDIN_FILENO));
    } catch (const Error& error) {
        return layout_error_as_text(error.message());
    }
}

std::string read_line() {
    constexpr size_t kLongestLine = 65536;
    std::string line;
    char c = 0;
    while (line.size() < kLongestLine && read(STDIN_FILENO, &c, 1) == 1 && c != '\n') {
        line += c;
    }
    return line;
}

std::string verify() {
    constexpr size_t kLongestQuestion = size_t{32} << 20;
    const SignatureChecker checker = SignatureChecker::load_library();
    confine_reader();
    const std::string text = read_all(STDIN_FILENO, kLongestQuestion).or_throw("standard input");
    const std::optional<SignatureQuestion> question = parse_signature_question(text);
    if (!question) {
        throw Error("no question");
    }
    return signature_answer_as_text(checker.find_signer(*question));
}

void wait_for_end() {
    std::array<char, 16> ignored{};
    while (read(STDIN_FILENO, ignored.data(), ignored.size()) > 0) {
    }
}

// A failed answer is heard by nobody any more; the device goes all the same.
void answer(const UnlockAnswer& what) { (void)write_all(STDOUT_FILENO, answer_as_text(what)); }

void unlock() {
    signal(SIGPIPE, SIG_IGN); // the device has to be taken down whoever listens
    const std::optional<UnlockRequest> request = parse_unlock_request(read_line());
    if (!request) {
        throw Error("no request");
    }
    try {
        confine_opener();
        UnlockAnswer outcome;
        const MappedDevice device = MappedDevice::open(*request, outcome);
        answer(outcome);
        wait_for_end();
    } catch (const Error& error) {
        answer({UnlockOutcome::failed, error.hint().empty() ? error.message() : error.message() + "\n" + error.hint()});
    }
}

} // namespace
} // namespace nspawn

int main(int argc, char** argv) {
    const std::string_view verb = argc == 2 ? argv[1] : "";
    try {
        if (verb == "probe") {
            nspawn::write_all(STDOUT_FILENO, nspawn::probe()).or_throw("standard output");
            return EXIT_SUCCESS;
        }
        if (verb == "verify") {
            nspawn::write_all(STDOUT_FILENO, nspawn::verify()).or_throw("standard output");
            return EXIT_SUCCESS;
        }
        if (verb == "unlock") {
            nspawn::unlock();
            return EXIT_SUCCESS;
        }
    } catch (const std::exception&) {
        return EXIT_FAILURE; // no answer: nspawn says so
    }
    return EXIT_FAILURE;
}
