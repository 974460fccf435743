// Says which addresses of a program a run of it executes, itself and the children it makes, up to their exec: for
// tools/text_order/write. One line for each address when it is first reached, as an offset from where the program lies.
// Single steps, so it takes a minute; static position independent programs only.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <unordered_set>

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

struct Range {
    uint64_t first = 0;
    uint64_t end = 0;
};

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(EXIT_FAILURE);
}

// Where the program lies: its mappings are the first ones, one after the other.
Range program_range(pid_t pid) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE* const maps = std::fopen(path, "re");
    if (maps == nullptr) {
        fail(path);
    }
    Range all;
    char line[4096];
    while (std::fgets(line, sizeof line, maps) != nullptr) {
        Range one;
        if (std::sscanf(line, "%" SCNx64 "-%" SCNx64, &one.first, &one.end) != 2 ||
            (all.end != 0 && one.first != all.end)) {
            break;
        }
        all.first = all.end == 0 ? one.first : all.first;
        all.end = one.end;
    }
    std::fclose(maps);
    return all;
}

class Tracer {
public:
    explicit Tracer(pid_t program) : program_(program_range(program)) { running_[program] = true; }

    void follow() {
        while (alive() > 0) {
            int status = 0;
            const pid_t pid = waitpid(-1, &status, __WALL);
            if (pid < 0) {
                fail("waitpid");
            }
            running_[pid] = WIFSTOPPED(status) && step(pid, status);
        }
    }

private:
    [[nodiscard]] size_t alive() const {
        size_t count = 0;
        for (const auto& [pid, running] : running_) {
            count += running ? 1 : 0;
        }
        return count;
    }

    // False: it is another program from now on.
    bool step(pid_t pid, int status) {
        const int event = status >> 16;
        const int signal = WSTOPSIG(status);
        if (event == PTRACE_EVENT_EXEC) {
            ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
            return false;
        }
        if (event == 0 && signal == SIGTRAP) {
            note(pid);
        }
        const bool ours = event != 0 || signal == SIGTRAP || signal == SIGSTOP;
        ptrace(PTRACE_SINGLESTEP, pid, nullptr, ours ? 0 : signal);
        return true;
    }

    void note(pid_t pid) {
        user_regs_struct registers{};
        ptrace(PTRACE_GETREGS, pid, nullptr, &registers);
        const uint64_t address = registers.rip;
        if (address >= program_.first && address < program_.end && seen_.insert(address).second) {
            std::printf("%" PRIx64 "\n", address - program_.first);
        }
    }

    Range program_;
    std::map<pid_t, bool> running_;
    std::unordered_set<uint64_t> seen_;
};

} // namespace

int main(int, char** words) {
    const pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execv(words[1], words + 1);
        fail(words[1]);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status)) {
        fail("fork");
    }
    ptrace(PTRACE_SETOPTIONS, child, nullptr,
           PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
    Tracer tracer(child);
    ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
    tracer.follow();
    return EXIT_SUCCESS;
}
