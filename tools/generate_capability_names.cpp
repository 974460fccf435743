// generate_capability_names — writes the names of all capabilities libcap knows, as C++ string literals in the
// kernel's order, to standard output. Run by the build; nspawn then has the names without linking libcap, whose
// constructor would cost six system calls at every start.
#include <cctype>
#include <cstdio>

#include <sys/capability.h>

int main() {
    for (cap_value_t number = 0;; ++number) {
        char* name = cap_to_name(number);
        // libcap answers the number itself for one it has no name for.
        if (name == nullptr || std::isdigit(static_cast<unsigned char>(*name)) != 0) {
            cap_free(name);
            return number == 0 || std::fflush(stdout) != 0 ? 1 : 0;
        }
        std::fputs("    \"", stdout);
        for (const char* c = name; *c != '\0'; ++c) {
            std::fputc(std::toupper(static_cast<unsigned char>(*c)), stdout);
        }
        std::fputs("\",\n", stdout);
        cap_free(name);
    }
}
