// Writes everything that is made from the option table: the manual pages, the completion files and the fuzzers'
// dictionaries. Run by the build; fails when an option has no prose.
//
// Usage: generate_docs DOCS_DIRECTORY OUTPUT_DIRECTORY
#include "base/error.hpp"
#include "base/file.hpp"
#include "docs/completion.hpp"
#include "docs/man_page.hpp"
#include "docs/snippets.hpp"

#include <cstdio>
#include <exception>
#include <string>

#include <fcntl.h>

namespace {

void write(const std::string& path, const std::string& content) {
    const auto file = nspawn::open_at(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644).or_throw(path);
    nspawn::write_all(file.get(), content).or_throw(path);
}

void generate(const std::string& docs, const std::string& output) {
    const nspawn::docs::Snippets snippets(docs);
    write(output + "/nspawn.1", nspawn::docs::command_page(snippets));
    write(output + "/nspawn.settings.5", nspawn::docs::settings_page(snippets));
    write(output + "/nspawn.bash", nspawn::docs::bash_completion());
    write(output + "/_nspawn", nspawn::docs::zsh_completion());
    write(output + "/nspawn.fish", nspawn::docs::fish_completion());
    write(output + "/settings.dict", nspawn::docs::settings_dictionary());
    write(output + "/argv.dict", nspawn::docs::command_line_dictionary());
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: generate_docs DOCS_DIRECTORY OUTPUT_DIRECTORY\n", stderr);
        return 2;
    }
    try {
        generate(argv[1], argv[2]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "generate_docs: %s\n", error.what());
        return 1;
    }
    return 0;
}
