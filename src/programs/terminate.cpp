// terminate.cpp — what happens to an exception that nobody catches: one line and an abort.
//
// Takes the place of libstdc++'s own handler (its documentation, "Termination"), which names the exception's type and
// for that brings a demangler into every static program, with tables that each process then has to itself.

#include <cstdlib>
#include <string_view>

#include <unistd.h>

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the names are libstdc++'s
namespace __gnu_cxx {

void __verbose_terminate_handler();

void __verbose_terminate_handler() {
    constexpr std::string_view kText = "internal error: an exception was not caught\n";
    [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, kText.data(), kText.size());
    std::abort();
}

} // namespace __gnu_cxx
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
