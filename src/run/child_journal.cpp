// Stage of the child that prepares the tree's half of --link-journal=: /var/log/journal, and in it the container's own
// directory. The tree is hostile: directories are looked up inside the container's root, and the last one is never a
// link.

#include "base/directory.hpp"
#include "base/file.hpp"
#include "run/child_state.hpp"
#include "run/journal_link.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

Result<UniqueFd> open_directory(const char* path) { return open_in_root(AT_FDCWD, path, O_PATH | O_DIRECTORY); }

// /var/log/journal, with its parents where they are missing.
Result<UniqueFd> open_journal() {
    Result<UniqueFd> journal = open_directory(kJournalDirectory);
    if (journal.error() != ENOENT) {
        return journal;
    }
    struct Step {
        const char* parent;
        const char* name;
    };
    for (const Step& step : {Step{"/", "var"}, Step{"/var", "log"}, Step{"/var/log", "journal"}}) {
        const Result<UniqueFd> parent = open_directory(step.parent);
        if (!parent.ok()) {
            return parent.system_error();
        }
        if (mkdirat(parent.value().get(), step.name, 0755) < 0 && errno != EEXIST) {
            return last_error("mkdirat");
        }
    }
    return open_directory(kJournalDirectory);
}

bool is_empty(int directory) {
    bool empty = true;
    const Result<UniqueFd> readable = reopen(directory, O_RDONLY | O_DIRECTORY);
    if (readable.ok()) {
        (void)for_each_entry(readable.value().get(), [&](const dirent64&) { return empty = false; });
    }
    return empty;
}

// What is in the way, for a message; empty: the directory is there, and the host's is mounted on it.
std::string place_directory(const ChildState& state, int journal) {
    const JournalLink& link = state.input.journal;
    const std::string name = link.plan().id.plain();
    const std::string path = fmt::format("{}/{}", kJournalDirectory, name);
    if (mkdirat(journal, name.c_str(), 0755) < 0 && errno != EEXIST) {
        return fmt::format("{} in the container: mkdir: {}", path, error_text(errno));
    }
    const Result<UniqueFd> directory = open_at(journal, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!directory.ok()) {
        return fmt::format("{} in the container: {}", path, error_text(directory.error()));
    }
    if (is_mount_point(directory.value().get(), "")) {
        return fmt::format("{} in the container is a mount point already", path);
    }
    if (!link.mount().valid()) {
        return {};
    }
    if (!is_empty(directory.value().get())) {
        state.warn(fmt::format("{} in the container is not empty; what is in it is hidden by the host's", path));
    }
    const Result<void> mounted = link.mount().attach_onto(directory.value().get());
    return mounted.ok() ? std::string() : fmt::format("mounting on {}: {}", path, error_text(mounted.error()));
}

// Nobody insisted: said, where it is not just a tree that may not be written.
void give_up(const ChildState& state, const std::string& problem, bool read_only) {
    const JournalPlan& plan = state.input.journal.plan();
    if (!plan.is_soft()) {
        throw Error(fmt::format("--link-journal={}: {}", to_word(plan.mode), problem));
    }
    if (!read_only) {
        state.warn(fmt::format("the container's journal is not linked: {}", problem));
    }
}

} // namespace

void place_journal(ChildState& state) {
    const JournalLink& link = state.input.journal;
    if (!link.wants_journal()) {
        return;
    }
    struct stat status {};
    if (!link.wants_directory() && stat(kJournalDirectory, &status) == 0) {
        return; // the usual case
    }
    const Result<UniqueFd> journal = open_journal();
    if (!journal.ok()) {
        give_up(state, fmt::format("{} in the container: {}", kJournalDirectory, error_text(journal.error())),
                journal.error() == EROFS);
        return;
    }
    if (!link.wants_directory()) {
        return;
    }
    const std::string problem = place_directory(state, journal.value().get());
    state.journal_in_place = problem.empty();
    if (!problem.empty()) {
        give_up(state, problem, false);
    }
}

} // namespace nspawn
