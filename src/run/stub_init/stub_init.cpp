// stub_init.cpp — process 1 of a container that was started with --as-pid2.
//
// A program of its own, a few kilobytes without any library, so that /proc/1/exe in the container is not the host's
// nspawn and /proc/1/environ holds nothing of the caller. Starts the payload as process 2 in a session of its own,
// reaps, passes signals on, and knows the signals by which a manager asks a container to reboot or to power off
// (systemd(1), "Signals"; spec C.8). Never opens a file, and holds no descriptor once the payload was started.
//
//   argv: "(sd-stubinit)" "ENVIRONMENT_FD ERROR_FD HAS_CONSOLE STOP_SECONDS" [WORD ...]
//
// The environment descriptor holds NUL-terminated strings, the error descriptor takes one ExecFailure. Without words a
// shell is started. Everything else (ids, capabilities, filter, namespaces) was set by whoever executed this.
#include "../exec_failure.hpp"
#include "system_calls.hpp"

#include <asm/errno.h>
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/reboot.h>
#include <linux/time.h>
#include <linux/wait.h>

namespace nspawn::stub {

namespace {

// What the C library gives programs as SIGRTMIN; the kernel's own has two more, which the library keeps to itself.
constexpr int kFirstRealTimeSignal = 34;
constexpr size_t kMaxPath = 4096;
constexpr int kStandardStreams = 3;
constexpr char kDefaultSearchPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Order {
    int environment_fd = -1;
    int error_fd = -1;
    bool has_console = false;
    long stop_seconds = 0;
    char** words = nullptr; // ends with nullptr
    char** environment = nullptr;
};

enum class Ending { none, reboot, power_off };

bool read_number(const char*& text, long& number) {
    while (*text == ' ') {
        ++text;
    }
    if (*text < '0' || *text > '9') {
        return false;
    }
    number = 0;
    for (; *text >= '0' && *text <= '9' && number < 1'000'000; ++text) {
        number = number * 10 + (*text - '0');
    }
    return true;
}

bool read_order(int argc, char** argv, Order& order) {
    long environment_fd = 0;
    long error_fd = 0;
    long has_console = 0;
    const char* text = argc >= 2 ? argv[1] : "";
    if (!read_number(text, environment_fd) || !read_number(text, error_fd) || !read_number(text, has_console) ||
        !read_number(text, order.stop_seconds)) {
        return false;
    }
    order.environment_fd = static_cast<int>(environment_fd);
    order.error_fd = static_cast<int>(error_fd);
    order.has_console = has_console != 0;
    order.words = argv + 2;
    return true;
}

[[noreturn]] void fail(const Order& order, long code, const char* path) {
    ExecFailure failure;
    failure.code = static_cast<int32_t>(code);
    size_t length = 0;
    for (; length + 1 < sizeof failure.path && path[length] != '\0'; ++length) {
        failure.path[length] = path[length];
    }
    for (; length < sizeof failure.path; ++length) {
        failure.path[length] = '\0';
    }
    call(__NR_write, order.error_fd, address(&failure), sizeof failure);
    exit_with(1);
}

// The strings stay where they are mapped; only the array of pointers to them is made here.
void load_environment(Order& order) {
    const long size = call(__NR_lseek, order.environment_fd, 0, 2 /* SEEK_END */);
    if (is_error(size)) {
        fail(order, -size, "environment: lseek");
    }
    // One byte more, so that an empty file can be mapped too.
    const auto bytes = static_cast<size_t>(size);
    long error = 0;
    auto* const begin =
        static_cast<char*>(map_memory(bytes + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE, order.environment_fd, error));
    if (begin == nullptr) {
        fail(order, -error, "environment: mmap");
    }
    size_t count = 0;
    for (size_t i = 0; i < bytes; ++i) {
        count += begin[i] == '\0' ? 1 : 0;
    }
    // Zeros: the array ends with nullptr by itself.
    order.environment = static_cast<char**>(
        map_memory((count + 1) * sizeof(char*), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, error));
    if (order.environment == nullptr) {
        fail(order, -error, "environment: mmap");
    }
    size_t start = 0;
    size_t entry = 0;
    for (size_t i = 0; i < bytes; ++i) {
        if (begin[i] == '\0') {
            order.environment[entry++] = begin + start;
            start = i + 1;
        }
    }
    call(__NR_close, order.environment_fd);
}

const char* search_path(char* const* environment) {
    for (; *environment != nullptr; ++environment) {
        const char* entry = *environment;
        const char* name = "PATH=";
        while (*name != '\0' && *entry == *name) {
            ++entry;
            ++name;
        }
        if (*name == '\0') {
            return entry;
        }
    }
    return kDefaultSearchPath;
}

bool has_slash(const char* word) {
    while (*word != '\0' && *word != '/') {
        ++word;
    }
    return *word == '/';
}

bool exists(const char* path) { return !is_error(call(__NR_faccessat, AT_FDCWD, address(path), 0)); }

// execve(2); returns the errno, which tells a missing program from a program whose loader is missing.
long try_to_execute(const Order& order, const char* path, char* const* words) {
    const long code = -execute(path, words, order.environment);
    return code == ENOENT && exists(path) ? ELIBACC : code;
}

// "DIRECTORY/COMMAND" of the next directory in a search path, or false when it would be too long. Advances
// `directories`.
bool next_candidate(const char*& directories, const char* command, char (&path)[kMaxPath]) {
    size_t length = 0;
    bool fits = true;
    const auto append = [&](char c) {
        if (length + 1 < kMaxPath) {
            path[length++] = c;
        } else {
            fits = false;
        }
    };
    if (*directories == '\0' || *directories == ':') {
        append('.'); // an empty entry is the working directory, execvp(3)
    }
    for (; *directories != '\0' && *directories != ':'; ++directories) {
        append(*directories);
    }
    append('/');
    for (; *command != '\0'; ++command) {
        append(*command);
    }
    path[length] = '\0';
    return fits;
}

[[noreturn]] void execute_words(const Order& order) {
    const char* const command = order.words[0];
    if (has_slash(command)) {
        fail(order, try_to_execute(order, command, order.words), command);
    }
    if (*command == '\0') {
        fail(order, ENOENT, command);
    }
    // As execvp(3): a file that may not be executed is remembered, but one further on may do.
    long worst = ENOENT;
    for (const char* directories = search_path(order.environment);; ++directories) {
        char path[kMaxPath];
        if (next_candidate(directories, command, path)) {
            const long code = try_to_execute(order, path, order.words);
            if (code != ENOENT && code != ENOTDIR && code != EACCES) {
                fail(order, code, path);
            }
            worst = code == EACCES ? EACCES : worst;
        }
        if (*directories == '\0') {
            fail(order, worst, command);
        }
    }
}

[[noreturn]] void execute_shell(const Order& order) {
    struct Shell {
        const char* path;
        char name[8]; // the dash makes it a login shell
    };
    Shell shells[] = {{"/bin/bash", "-bash"}, {"/bin/sh", "-sh"}};
    for (Shell& shell : shells) {
        char* const words[] = {shell.name, nullptr};
        const long code = try_to_execute(order, shell.path, words);
        if (code != ENOENT && code != ENOTDIR) {
            fail(order, code, shell.path);
        }
    }
    fail(order, ENOENT, "/bin/sh");
}

[[noreturn]] void become_payload(const Order& order, const KernelSignalSet& mask) {
    call(__NR_setsid);
    if (order.has_console) {
        if (const long result = call(__NR_ioctl, 0, TIOCSCTTY, 0); is_error(result)) {
            fail(order, -result, "ioctl(TIOCSCTTY)");
        }
    }
    set_signal_mask(SIG_SETMASK, &mask, nullptr);
    if (order.words[0] == nullptr) {
        execute_shell(order);
    }
    execute_words(order);
}

Ending ending_asked_by(int signal) {
    switch (signal - kFirstRealTimeSignal) {
    case 3:  // halt
    case 4:  // power off
    case 13: // halt at once
    case 14: // power off at once
        return Ending::power_off;
    case 5:  // reboot
    case 6:  // kexec
    case 15: // reboot at once
    case 16: // kexec at once
        return Ending::reboot;
    default:
        return signal == SIGINT ? Ending::reboot : Ending::none;
    }
}

bool is_passed_on(int signal) {
    return signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT || signal == SIGUSR1 || signal == SIGUSR2;
}

// Waits for the payload's end and reaps everything else; true when the payload is among the dead.
bool reap(long payload, int& payload_status) {
    bool ended = false;
    for (;;) {
        int status = 0;
        const long process = wait_for_child(-1, &status, WNOHANG);
        if (process <= 0) {
            return ended;
        }
        if (process == payload) {
            payload_status = status;
            ended = true;
        }
    }
}

// reboot(2) in a PID namespace ends its process 1, with SIGINT for "power off" and SIGHUP for "restart"; that is how
// the supervisor learns of it. Anywhere else it would reboot the machine, hence the check.
void reboot_namespace(Ending ending) {
    if (call(__NR_getpid) == 1) {
        const long command = ending == Ending::reboot ? static_cast<long>(LINUX_REBOOT_CMD_RESTART)
                                                      : static_cast<long>(LINUX_REBOOT_CMD_POWER_OFF);
        call(__NR_reboot, static_cast<long>(LINUX_REBOOT_MAGIC1), static_cast<long>(LINUX_REBOOT_MAGIC2), command, 0);
    }
}

int exit_status_of(int status) {
    const bool exited = (status & 0x7f) == 0;
    return exited ? status >> 8 & 0xff : 255;
}

[[noreturn]] void end(Ending ending, int payload_status) {
    if (ending != Ending::none) {
        reboot_namespace(ending);
        // CAP_SYS_BOOT is missing: a power-off is what an exit is too, a reboot failed.
        exit_with(ending == Ending::power_off ? 0 : 1);
    }
    exit_with(exit_status_of(payload_status));
}

void ask_to_stop(long payload) {
    send_signal(payload, SIGTERM);
    send_signal(payload, SIGCONT); // a stopped process does not hear the others
    send_signal(payload, SIGHUP);  // what interactive shells listen to instead of SIGTERM
}

[[noreturn]] void look_after(const Order& order, long payload) {
    const KernelSignalSet all = ~KernelSignalSet{0};
    Ending ending = Ending::none;
    long deadline = 0;
    int status = 0;
    for (;;) {
        KernelTime left{};
        if (ending != Ending::none) {
            left.seconds = deadline - clock_seconds(CLOCK_MONOTONIC);
            if (left.seconds <= 0) {
                end(ending, status);
            }
        }
        const long signal = wait_for_signal(all, ending == Ending::none ? nullptr : &left);
        if (is_error(signal)) {
            continue; // EINTR, or EAGAIN: the time is up
        }
        const Ending asked = ending_asked_by(static_cast<int>(signal));
        if (signal == SIGCHLD) {
            if (reap(payload, status)) {
                end(ending, status);
            }
        } else if (asked != Ending::none) {
            if (ending == Ending::none) {
                deadline = clock_seconds(CLOCK_MONOTONIC) + order.stop_seconds;
                ask_to_stop(payload);
            }
            ending = asked;
        } else if (is_passed_on(static_cast<int>(signal))) {
            send_signal(payload, static_cast<int>(signal));
            if (signal == SIGTERM) {
                send_signal(payload, SIGCONT);
            }
        }
    }
}

} // namespace

[[noreturn]] void run(int argc, char** argv) {
    Order order;
    if (!read_order(argc, argv, order)) {
        exit_with(1);
    }
    call(__NR_fcntl, order.error_fd, F_SETFD, FD_CLOEXEC);
    call(__NR_prctl, PR_SET_NAME, address("(sd-stubinit)"), 0, 0, 0);
    load_environment(order);

    // Blocked before the payload exists, so that neither its end nor an early request is missed.
    const KernelSignalSet all = ~KernelSignalSet{0};
    KernelSignalSet mask = 0;
    set_signal_mask(SIG_SETMASK, &all, &mask);
    const long payload = fork_process(SIGCHLD);
    if (is_error(payload)) {
        fail(order, -payload, "fork");
    }
    if (payload == 0) {
        become_payload(order, mask);
    }
    // Nothing is kept open: the other end of a pipe must notice when the payload closes its own.
    for (int fd = 0; fd < kStandardStreams; ++fd) {
        call(__NR_close, fd);
    }
    call(__NR_close_range, kStandardStreams, ~0U, 0);
    look_after(order, payload);
}

} // namespace nspawn::stub

#ifdef NSPAWN_STUB_WITH_LIBC

int main(int argc, char** argv) { nspawn::stub::run(argc, argv); }

#else

// The kernel starts a program with argc and argv on the stack, execve(2).
extern "C" [[noreturn]] void nspawn_stub_start(long* stack) {
    nspawn::stub::run(static_cast<int>(stack[0]), reinterpret_cast<char**>(stack + 1));
}

#if defined(__x86_64__)
asm(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall nspawn_stub_start\n");
#elif defined(__aarch64__)
asm(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tbl nspawn_stub_start\n");
#endif

// What a compiler may call on its own for copies and clearing; the barrier keeps it from making one call itself.
extern "C" void* memset(void* target, int value, size_t count) {
    auto* bytes = static_cast<unsigned char*>(target);
    for (size_t i = 0; i < count; ++i) {
        bytes[i] = static_cast<unsigned char>(value);
        asm volatile("" ::: "memory");
    }
    return target;
}
extern "C" void* memcpy(void* target, const void* source, size_t count) {
    auto* to = static_cast<unsigned char*>(target);
    const auto* from = static_cast<const unsigned char*>(source);
    for (size_t i = 0; i < count; ++i) {
        to[i] = from[i];
        asm volatile("" ::: "memory");
    }
    return target;
}

#endif
