// probe.cpp — looks at the world from inside a container and prints what it sees, for the root tests.
//
// One static program, so that it runs in a tree that holds nothing else. Every verb prints plain lines that a test
// compares; a verb that tries something prints "ok" or the errno's name and exits 0, since being refused is an answer.
// Never changes anything that was not asked for on its command line.
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/keyctl.h>
#include <linux/reboot.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

namespace {

using Arguments = std::vector<std::string>;

int print_outcome(const char* what, long result) {
    std::printf("%s: %s\n", what, result >= 0 ? "ok" : strerrorname_np(errno));
    return 0;
}

long number(const std::string& text) { return std::strtol(text.c_str(), nullptr, 0); }

int ids(const Arguments&) {
    uid_t ruid = 0;
    uid_t euid = 0;
    uid_t suid = 0;
    gid_t rgid = 0;
    gid_t egid = 0;
    gid_t sgid = 0;
    getresuid(&ruid, &euid, &suid);
    getresgid(&rgid, &egid, &sgid);
    std::printf("uid %u %u %u\ngid %u %u %u\ngroups", ruid, euid, suid, rgid, egid, sgid);
    gid_t groups[256];
    const int count = getgroups(256, groups);
    for (int i = 0; i < count; ++i)
        std::printf(" %u", groups[i]);
    std::printf("\npid %d\nppid %d\nsid %d\npgrp %d\n", getpid(), getppid(), getsid(0), getpgrp());
    return 0;
}

int fds(const Arguments&) {
    DIR* directory = opendir("/proc/self/fd");
    if (!directory)
        return print_outcome("/proc/self/fd", -1);
    while (const dirent* entry = readdir(directory)) {
        if (entry->d_name[0] == '.' || std::atoi(entry->d_name) == dirfd(directory))
            continue;
        char target[4096] = {};
        if (readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1) < 0)
            continue;
        std::printf("%s %s\n", entry->d_name, target);
    }
    closedir(directory);
    return 0;
}

int environment(const Arguments&) {
    for (char** entry = environ; *entry; ++entry)
        std::puts(*entry);
    return 0;
}

int limits(const Arguments&) {
    static constexpr const char* kNames[] = {"CPU",      "FSIZE",  "DATA",    "STACK", "CORE",  "RSS",
                                             "NPROC",    "NOFILE", "MEMLOCK", "AS",    "LOCKS", "SIGPENDING",
                                             "MSGQUEUE", "NICE",   "RTPRIO",  "RTTIME"};
    for (int i = 0; i < static_cast<int>(std::size(kNames)); ++i) {
        rlimit64 limit{};
        if (syscall(SYS_prlimit64, 0, i, nullptr, &limit) < 0)
            return 1;
        const auto text = [](rlim64_t value) {
            return value == RLIM64_INFINITY ? std::string("infinity") : std::to_string(value);
        };
        std::printf("%s %s:%s\n", kNames[i], text(limit.rlim_cur).c_str(), text(limit.rlim_max).c_str());
    }
    return 0;
}

struct NamedCall {
    std::string_view name;
    long number;
};

// Calls that tests name; any other is given by its number.
constexpr NamedCall kCalls[] = {
    {"acct", SYS_acct},
    {"add_key", SYS_add_key},
    {"bpf", SYS_bpf},
    {"clock_settime", SYS_clock_settime},
    {"delete_module", SYS_delete_module},
    {"fanotify_init", SYS_fanotify_init},
    {"getpid", SYS_getpid},
    {"init_module", SYS_init_module},
    {"kcmp", SYS_kcmp},
    {"kexec_load", SYS_kexec_load},
    {"keyctl", SYS_keyctl},
    {"mlockall", SYS_mlockall},
    {"mount_setattr", SYS_mount_setattr},
    {"munlockall", SYS_munlockall},
    {"nfsservctl", SYS_nfsservctl},
    {"open_by_handle_at", SYS_open_by_handle_at},
    {"perf_event_open", SYS_perf_event_open},
    {"pkey_alloc", SYS_pkey_alloc},
    {"ptrace", SYS_ptrace},
    {"quotactl", SYS_quotactl},
    {"reboot", SYS_reboot},
    {"request_key", SYS_request_key},
    {"swapoff", SYS_swapoff},
    {"swapon", SYS_swapon},
    {"sync", SYS_sync},
    {"syslog", SYS_syslog},
    {"unshare", SYS_unshare},
    {"vhangup", SYS_vhangup},
};

long call_number(const std::string& text) {
    for (const NamedCall& call : kCalls)
        if (call.name == text)
            return call.number;
    return number(text);
}

// syscall ABI CALL [ARG...]: ABI is native, x32 (the x32 bit set) or i386 (int 0x80 from this 64-bit program).
int system_call(const Arguments& arguments) {
    long a[6] = {};
    for (size_t i = 2; i < arguments.size() && i < 8; ++i)
        a[i - 2] = number(arguments[i]);
    long nr = call_number(arguments.at(1));
    long result = -1;
    if (arguments[0] == "i386") {
#ifdef __x86_64__
        long answer = nr;
        asm volatile("int $0x80"
                     : "+a"(answer)
                     : "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
                     : "memory", "r8", "r9", "r10", "r11");
        const auto narrow = static_cast<int32_t>(answer);
        result = narrow;
        if (narrow < 0 && narrow > -4096) {
            errno = -narrow;
            result = -1;
        }
#else
        errno = ENOEXEC;
#endif
    } else {
        if (arguments[0] == "x32")
            nr |= 0x40000000;
        result = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    return print_outcome(arguments[1].c_str(), result);
}

int make_socket(const Arguments& arguments) {
    const int family = static_cast<int>(number(arguments.at(0)));
    const int type = static_cast<int>(number(arguments.at(1)));
    const int protocol = static_cast<int>(number(arguments.at(2)));
    return print_outcome("socket", socket(family, type, protocol));
}

// open PATH FLAGS: r, w, rw, a (append), c (create); "x" writes one zero byte as well.
int open_file(const Arguments& arguments) {
    const std::string& mode = arguments.at(1);
    const bool writes = mode.find_first_of("wac") != std::string::npos;
    int flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    flags |= !writes ? O_RDONLY : mode.find('r') == std::string::npos ? O_WRONLY : O_RDWR;
    if (mode.find('a') != std::string::npos)
        flags |= O_APPEND;
    if (mode.find('c') != std::string::npos)
        flags |= O_CREAT;
    const int fd = open(arguments[0].c_str(), flags, 0600);
    long result = fd;
    if (fd >= 0 && mode.find('x') != std::string::npos)
        result = write(fd, "", 1);
    if (fd >= 0 && mode.find('g') != std::string::npos) {
        char byte = 0;
        result = read(fd, &byte, 1);
    }
    return print_outcome(arguments[0].c_str(), result);
}

int describe(const Arguments& arguments) {
    for (const std::string& path : arguments) {
        struct stat status {};
        if (lstat(path.c_str(), &status) < 0) {
            std::printf("%s %s\n", path.c_str(), strerrorname_np(errno));
            continue;
        }
        const char* type = S_ISREG(status.st_mode)    ? "file"
                           : S_ISDIR(status.st_mode)  ? "dir"
                           : S_ISLNK(status.st_mode)  ? "link"
                           : S_ISCHR(status.st_mode)  ? "char"
                           : S_ISBLK(status.st_mode)  ? "block"
                           : S_ISFIFO(status.st_mode) ? "fifo"
                                                      : "socket";
        std::printf("%s %s %04o %u:%u", path.c_str(), type, status.st_mode & 07777, status.st_uid, status.st_gid);
        if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
            std::printf(" %u:%u", major(status.st_rdev), minor(status.st_rdev));
        char target[4096] = {};
        if (S_ISLNK(status.st_mode) && readlink(path.c_str(), target, sizeof target - 1) > 0)
            std::printf(" -> %s", target);
        std::putchar('\n');
    }
    return 0;
}

// mknod PATH b|c MAJOR MINOR FLAGS: make the node, then open it with FLAGS as "open" does.
int make_node(const Arguments& arguments) {
    const mode_t type = arguments.at(1) == "b" ? S_IFBLK : S_IFCHR;
    const dev_t device =
        makedev(static_cast<unsigned>(number(arguments.at(2))), static_cast<unsigned>(number(arguments.at(3))));
    const int made = mknod(arguments[0].c_str(), type | 0600, device);
    print_outcome("mknod", made);
    return made < 0 ? 0 : open_file({arguments[0], arguments.at(4)});
}

int terminal(const Arguments&) {
    for (int fd = 0; fd <= 2; ++fd) {
        const char* name = isatty(fd) ? ttyname(fd) : nullptr;
        std::printf("fd %d: %s\n", fd, isatty(fd) ? (name ? name : "a terminal without a name") : "no terminal");
    }
    const int own = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    std::printf("controlling terminal: %s\n", own >= 0 ? "yes" : strerrorname_np(errno));
    if (own >= 0)
        std::printf("session %d foreground %d\n", static_cast<int>(tcgetsid(own)), static_cast<int>(tcgetpgrp(own)));
    return 0;
}

// winsize [COUNT]: print the size now, and again after each of COUNT changes.
int window_size(const Arguments& arguments) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    long left = arguments.empty() ? 0 : number(arguments[0]);
    for (;;) {
        winsize size{};
        if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
            return print_outcome("TIOCGWINSZ", -1);
        std::printf("size %ux%u\n", size.ws_row, size.ws_col);
        std::fflush(stdout);
        if (left-- <= 0)
            return 0;
        int signal = 0;
        sigwait(&set, &signal);
    }
}

// inject TEXT: push the text into the input of whatever terminal fds 0 to 2 and /dev/tty are (CVE-2017-5226).
int inject(const Arguments& arguments) {
    const auto try_fd = [&](const char* name, int fd, unsigned long request) {
        long result = 0;
        for (const char& byte : arguments.at(0)) {
            result = ioctl(fd, request, &byte);
            if (result < 0)
                break;
        }
        print_outcome(name, result);
    };
    try_fd("stdin", STDIN_FILENO, TIOCSTI);
    try_fd("stdout", STDOUT_FILENO, TIOCSTI);
    try_fd("stderr", STDERR_FILENO, TIOCSTI);
    // The kernel looks at the low 32 bits only; a filter that compares 64 lets this one through (CVE-2019-10063).
    try_fd("high bits", STDIN_FILENO, static_cast<unsigned long>(TIOCSTI) | (1UL << 32U));
    const int own = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (own >= 0)
        try_fd("/dev/tty", own, TIOCSTI);
    return 0;
}

int session_keyring(const Arguments&) {
    const long serial = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
    if (serial < 0)
        return print_outcome("session keyring", serial);
    char text[256] = {};
    syscall(SYS_keyctl, KEYCTL_DESCRIBE, serial, text, sizeof text - 1);
    std::printf("session keyring: %ld %s\n", serial, text);
    return 0;
}

int reboot_machine(const Arguments& arguments) {
    const std::string& how = arguments.at(0);
    const unsigned command = how == "restart"    ? LINUX_REBOOT_CMD_RESTART
                             : how == "poweroff" ? LINUX_REBOOT_CMD_POWER_OFF
                                                 : LINUX_REBOOT_CMD_HALT;
    return print_outcome("reboot", syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, nullptr));
}

// die SIGNAL: die of a fault, which kills even a PID 1: only SIGSEGV, SIGILL, SIGTRAP are faults here.
int die(const Arguments& arguments) {
    const rlimit no_core{};
    setrlimit(RLIMIT_CORE, &no_core);
    if (arguments.at(0) == "SIGSEGV")
        *reinterpret_cast<volatile int*>(uintptr_t{8}) = 1;
    __builtin_trap();
}

int notify(const Arguments& arguments) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (!path) {
        std::puts("notify: no NOTIFY_SOCKET");
        return 1;
    }
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    std::string message;
    for (const std::string& line : arguments)
        message += line + "\n";
    return print_outcome("notify",
                         sendto(fd, message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&address),
                                static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path) + 1)));
}

int greet_one(int listener) {
    const int connection = accept(listener, nullptr, nullptr);
    if (connection < 0)
        return print_outcome("accept", connection);
    dprintf(connection, "hello from process %d, LISTEN_FDS=%s LISTEN_PID=%s\n", getpid(), std::getenv("LISTEN_FDS"),
            std::getenv("LISTEN_PID"));
    close(connection);
    return 0;
}

// serve: accept one connection on fd 3 (socket activation) and greet it.
int serve(const Arguments&) { return greet_one(3); }

// listen PATH: the same on a socket of its own there.
int listen_at(const Arguments& arguments) {
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::strncpy(address.sun_path, arguments.at(0).c_str(), sizeof address.sun_path - 1);
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 || listen(listener, 1) < 0)
        return print_outcome("listen", -1);
    std::puts("listening");
    std::fflush(stdout);
    return greet_one(listener);
}

// wait-signal STATUS: as PID 1, print "waiting", then the first signal that arrives, and exit with STATUS.
int wait_signal(const Arguments& arguments) {
    sigset_t set;
    sigfillset(&set);
    sigdelset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    std::puts("waiting");
    std::fflush(stdout);
    siginfo_t info{};
    const int signal = sigwaitinfo(&set, &info);
    if (signal >= SIGRTMIN)
        std::printf("signal RTMIN+%d\n", signal - SIGRTMIN);
    else
        std::printf("signal %s\n", sigabbrev_np(signal));
    std::fflush(stdout);
    return static_cast<int>(number(arguments.at(0)));
}

int persona(const Arguments&) {
    utsname name{};
    uname(&name);
    std::printf("personality %x\nmachine %s\nnodename %s\ndomain %s\n", personality(0xffffffff), name.machine,
                name.nodename, name.domainname);
    return 0;
}

int affinity(const Arguments&) {
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &set))
            std::printf("cpu %d\n", cpu);
    return 0;
}

int dumpable(const Arguments&) {
    std::printf("dumpable %d\n", prctl(PR_GET_DUMPABLE));
    return 0;
}

// mount SOURCE TARGET TYPE FLAGS: one mount(2), FLAGS a number.
int try_mount(const Arguments& arguments) {
    return print_outcome("mount", mount(arguments.at(0).c_str(), arguments.at(1).c_str(), arguments.at(2).c_str(),
                                        static_cast<unsigned long>(number(arguments.at(3))), nullptr));
}

// exchange A B: gives each the name of the other, again and again until it is killed.
int exchange(const Arguments& arguments) {
    while (renameat2(AT_FDCWD, arguments.at(0).c_str(), AT_FDCWD, arguments.at(1).c_str(), RENAME_EXCHANGE) == 0) {
    }
    return print_outcome("exchange", -1);
}

struct Verb {
    std::string_view name;
    size_t arguments;
    int (*run)(const Arguments&);
};

constexpr Verb kVerbs[] = {
    {"ids", 0, ids},
    {"fds", 0, fds},
    {"env", 0, environment},
    {"limits", 0, limits},
    {"syscall", 2, system_call},
    {"socket", 3, make_socket},
    {"open", 2, open_file},
    {"stat", 1, describe},
    {"mknod", 5, make_node},
    {"tty", 0, terminal},
    {"winsize", 0, window_size},
    {"inject", 1, inject},
    {"keyring", 0, session_keyring},
    {"reboot", 1, reboot_machine},
    {"die", 1, die},
    {"notify", 1, notify},
    {"serve", 0, serve},
    {"listen", 1, listen_at},
    {"wait-signal", 1, wait_signal},
    {"persona", 0, persona},
    {"affinity", 0, affinity},
    {"dumpable", 0, dumpable},
    {"mount", 4, try_mount},
    {"exchange", 2, exchange},
};

} // namespace

int main(int argc, char** argv) {
    const std::string_view name = argc > 1 ? argv[1] : "";
    const Arguments arguments(argv + (argc > 1 ? 2 : 1), argv + argc);
    for (const Verb& verb : kVerbs)
        if (verb.name == name && arguments.size() >= verb.arguments)
            return verb.run(arguments);
    std::fputs("usage: probe VERB [ARGUMENT...], verbs:", stderr);
    for (const Verb& verb : kVerbs)
        std::fprintf(stderr, " %.*s", static_cast<int>(verb.name.size()), verb.name.data());
    std::fputc('\n', stderr);
    return 2;
}
