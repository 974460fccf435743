// terminate.cpp — what happens to an exception that nobody catches: one line and an abort.
//
// Takes the place of libstdc++'s own handler (its documentation, "Termination"), which names the exception's type and
// for that brings a demangler into every static program, with tables that each process then has to itself.

#include <cstdlib>
#include <string_view>

#include <unistd.h>

namespace __gnu_cxx { // NOLINT(bugprone-reserved-identifier): the name is libstdc++'s

void __verbose_terminate_handler(); // NOLINT(bugprone-reserved-identifier)

void __verbose_terminate_handler() { // NOLINT(bugprone-reserved-identifier)
    constexpr std::string_view kText = "internal error: an exception was not caught\n";
    [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, kText.data(), kText.size());
    std::abort();
}

} // namespace __gnu_cxx
