// floor.cpp — the bar for start-up speed: the least that starting a default directory container takes.
//
// One clone3, the default mounts and device nodes, pivot, capabilities, a ready-made filter, exec; nothing is checked,
// nothing is configurable, and on any failure it gives up. Not product code: it shares nothing with nspawn on purpose.
// Sources: clone3(2), fsopen(2), mount_setattr(2), pivot_root(2), capabilities(7), seccomp(2).
//
//   floor [-f] [-u] [-n] [-c CGROUP] [-s FILTER] [-t ROUNDS] TREE COMMAND [ARGUMENT…]
//     -f  also the mounts, nodes, files and masks that the container interface asks for beyond /proc /sys /dev /run
//     -u  user namespace 0:524288:65536 with the tree id-mapped         -n  network namespace
//     -v  with -n: a veth pair into it
//     -c  be born in a new group below this cgroup2 directory           -s  file of struct sock_filter to load
//     -t  run so often, and print the median of each step in microseconds instead
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/veth.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr unsigned kNoSuid = MOUNT_ATTR_NOSUID;
constexpr unsigned kNoDev = MOUNT_ATTR_NODEV;
constexpr unsigned kNoExec = MOUNT_ATTR_NOEXEC;
constexpr unsigned kReadOnly = MOUNT_ATTR_RDONLY;
constexpr unsigned kInert = kNoSuid | kNoDev | kNoExec;
constexpr const char* kMap = "0 524288 65536";

struct Options {
    bool full = false;
    bool user_namespace = false;
    bool network_namespace = false;
    bool veth = false;
    const char* cgroup = nullptr;
    sock_fprog filter = {0, nullptr};
    int rounds = 0;
    const char* tree = nullptr;
    char** command = nullptr;
};
Options options;

// Ends of steps, by both processes, in memory that they share.
struct Steps {
    struct Step {
        const char* name;
        long long end_ns;
    };
    std::array<Step, 48> steps;
    size_t count;
};
Steps* steps = nullptr;

void step(const char* name) {
    if (steps == nullptr) {
        return;
    }
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const size_t index = __atomic_fetch_add(&steps->count, 1, __ATOMIC_RELAXED);
    if (index < steps->steps.size()) {
        steps->steps[index] = {name, now.tv_sec * 1'000'000'000LL + now.tv_nsec};
    }
}

int need(long result, const char* what) {
    if (result < 0) {
        dprintf(STDERR_FILENO, "floor: %s: %s\n", what, std::strerror(errno));
        _exit(99);
    }
    return static_cast<int>(result);
}

using FileSystemOptions = std::vector<std::pair<const char*, const char*>>; // no value: a flag

int make_file_system(const char* type, const FileSystemOptions& with, unsigned attributes) {
    const int context = need(fsopen(type, FSOPEN_CLOEXEC), type);
    for (const auto& [key, value] : with) {
        const auto command = value == nullptr ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
        need(fsconfig(context, command, key, value, 0), key);
    }
    need(fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), type);
    const int mount = need(fsmount(context, FSMOUNT_CLOEXEC, attributes), type);
    close(context);
    return mount;
}

void attach(int mount, int at, const char* target) {
    need(move_mount(mount, "", at, target, MOVE_MOUNT_F_EMPTY_PATH), target);
    close(mount);
}

int copy_of(const char* path, unsigned attributes) {
    const int mount = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (mount >= 0 && attributes != 0) {
        mount_attr change{};
        change.attr_set = attributes;
        need(mount_setattr(mount, "", AT_EMPTY_PATH, &change, sizeof change), path);
    }
    return mount;
}

void cover(const char* source, const char* target, unsigned attributes) {
    const int mount = copy_of(source, attributes);
    if (mount >= 0) {
        attach(mount, AT_FDCWD, target);
    }
}

void write_file(const char* path, const char* text, int flags) {
    const int file = need(open(path, O_WRONLY | O_CLOEXEC | flags, 0444), path);
    need(write(file, text, std::strlen(text)), path);
    close(file);
}

FileSystemOptions owned(FileSystemOptions with) {
    if (options.user_namespace) {
        with.insert(with.end(), {{"uid", "524288"}, {"gid", "524288"}});
    }
    return with;
}

int make_devices() {
    struct Node {
        const char* name;
        unsigned major, minor;
    };
    static constexpr std::array kNodes = {Node{"null", 1, 3},   Node{"zero", 1, 5},    Node{"full", 1, 7},
                                          Node{"random", 1, 8}, Node{"urandom", 1, 9}, Node{"tty", 5, 0}};
    static constexpr std::array kLinks = {std::pair{"fd", "/proc/self/fd"}, std::pair{"stdin", "/proc/self/fd/0"},
                                          std::pair{"stdout", "/proc/self/fd/1"},
                                          std::pair{"stderr", "/proc/self/fd/2"}, std::pair{"ptmx", "pts/ptmx"}};
    const int dev = make_file_system("tmpfs", owned({{"mode", "0755"}, {"size", "4m"}, {"nr_inodes", "64k"}}), kNoSuid);
    for (const Node& node : kNodes) {
        need(mknodat(dev, node.name, S_IFCHR | 0666, makedev(node.major, node.minor)), node.name);
    }
    for (const auto& [name, target] : kLinks) {
        need(symlinkat(target, dev, name), name);
    }
    need(mkdirat(dev, "pts", 0755), "pts");
    if (options.full) {
        for (const char* directory : {"net", "shm", "mqueue", "char"}) {
            need(mkdirat(dev, directory, 0755), directory);
        }
        need(mknodat(dev, "net/tun", S_IFCHR | 0666, makedev(10, 200)), "net/tun");
        need(mknodat(dev, "fuse", S_IFCHR | 0666, makedev(10, 229)), "fuse");
        need(symlinkat("/proc/kcore", dev, "core"), "core");
        for (const char* number : {"1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "10:200", "10:229"}) {
            need(symlinkat("../null", dev, (std::string("char/") + number).c_str()), number);
        }
    }
    return dev;
}

void mount_minimum() {
    attach(make_file_system("proc", {}, kInert), AT_FDCWD, "proc");
    step("proc");
    if (options.user_namespace && !options.network_namespace) {
        attach(need(open_tree(AT_FDCWD, "/sys", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE), "sys"), AT_FDCWD,
               "sys");
    } else {
        attach(make_file_system("sysfs", {}, kInert | kReadOnly), AT_FDCWD, "sys");
    }
    step("sys");
    if (!options.user_namespace) {
        attach(make_devices(), AT_FDCWD, "dev");
        step("dev");
    }
    attach(make_file_system("devpts", {{"newinstance", nullptr}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}},
                            kNoSuid | kNoExec),
           AT_FDCWD, "dev/pts");
    step("dev/pts");
    attach(make_file_system("tmpfs", {{"mode", "0755"}, {"size", "20%"}, {"nr_inodes", "800k"}}, kNoSuid | kNoDev),
           AT_FDCWD, "run");
    step("run");
}

void make_run_host() {
    for (const char* directory : {"run/host", "run/host/incoming", "run/host/inaccessible"}) {
        need(mkdir(directory, 0755), directory);
    }
    struct Node {
        const char* path;
        mode_t type;
    };
    for (const Node& node : {Node{"run/host/inaccessible/reg", S_IFREG}, Node{"run/host/inaccessible/fifo", S_IFIFO},
                             Node{"run/host/inaccessible/sock", S_IFSOCK}, Node{"run/host/os-release", S_IFREG}}) {
        need(mknod(node.path, node.type, 0), node.path);
    }
    need(mkdir("run/host/inaccessible/dir", 0), "inaccessible/dir");
    write_file("run/host/container-manager", "systemd-nspawn\n", O_CREAT);
    write_file("run/host/container-uuid", "01234567-89ab-4def-8123-456789abcdef\n", O_CREAT);
    cover("/etc/os-release", "run/host/os-release", kInert | kReadOnly);
    cover("run/host", "run/host", kInert | kReadOnly);
}

void mount_rest() {
    const FileSystemOptions scratch = {{"mode", "1777"}, {"size", "10%"}, {"nr_inodes", "400k"}};
    attach(make_file_system("tmpfs", scratch, kNoSuid | kNoDev), AT_FDCWD, "tmp");
    attach(make_file_system("tmpfs", scratch, kNoSuid | kNoDev), AT_FDCWD, "dev/shm");
    step("full: tmp, dev/shm");
    attach(make_file_system("mqueue", {}, kInert), AT_FDCWD, "dev/mqueue");
    step("full: dev/mqueue");
    make_run_host();
    step("full: run/host");
    for (const char* path : {"proc/sys", "proc/acpi", "proc/asound", "proc/bus", "proc/fs", "proc/irq", "proc/scsi"}) {
        cover(path, path, kInert | kReadOnly);
    }
    for (const char* path : {"proc/kallsyms", "proc/kcore", "proc/keys", "proc/sysrq-trigger", "proc/timer_list"}) {
        if (access(path, F_OK) == 0) {
            cover("run/host/inaccessible/reg", path, kInert | kReadOnly);
        }
    }
    step("full: masks in proc");
    write_file("run/boot-id", "01234567-89ab-4def-8123-456789abcdef\n", O_CREAT);
    cover("run/boot-id", "proc/sys/kernel/random/boot_id", kInert | kReadOnly);
    need(unlink("run/boot-id"), "boot-id");
    need(mkfifo("run/kmsg", 0600), "kmsg");
    cover("run/kmsg", "proc/kmsg", 0);
    need(unlink("run/kmsg"), "kmsg");
    step("full: boot_id, kmsg");
    if (!options.user_namespace) {
        attach(make_file_system("cgroup2", {}, kInert), AT_FDCWD, "sys/fs/cgroup");
        step("full: cgroup");
    }
}

void enter_root() {
    need(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    step("pivot_root");
    need(umount2(".", MNT_DETACH), "umount");
    need(chdir("/"), "chdir");
    step("detach the old root");
    if (options.full) {
        mount_attr shared{};
        shared.propagation = MS_SHARED;
        need(mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &shared, sizeof shared), "share");
        need(sethostname("floor", 5), "sethostname");
        need(setsid(), "setsid");
        step("full: share, host name, session");
    }
}

// The default set of systemd-nspawn(1) --capability=, by the numbers of linux/capability.h.
void drop_capabilities() {
    constexpr unsigned long long kKept = 0x00000000fdecafffULL;
    for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
        if ((kKept >> capability & 1) == 0) {
            prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
        }
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    need(syscall(SYS_capget, &header, data.data()), "capget");
    data[0] = {data[0].effective & static_cast<__u32>(kKept), data[0].permitted & static_cast<__u32>(kKept), 0};
    data[1] = {0, 0, 0};
    need(syscall(SYS_capset, &header, data.data()), "capset");
    step("capabilities");
}

[[noreturn]] void child(int tree, int go) {
    step("clone3");
    if (options.user_namespace) {
        char byte = 0;
        need(read(go, &byte, 1), "go");
        need(setresgid(0, 0, 0), "setresgid");
        need(setresuid(0, 0, 0), "setresuid");
        step("id maps");
    }
    umask(0);
    mount_attr slave{};
    slave.propagation = MS_SLAVE;
    need(mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof slave), "slave");
    need(move_mount(tree, "", AT_FDCWD, options.tree, MOVE_MOUNT_F_EMPTY_PATH), options.tree);
    need(fchdir(tree), "fchdir");
    step("attach the tree");
    mount_minimum();
    if (options.full) {
        mount_rest();
    }
    enter_root();
    drop_capabilities();
    if (options.filter.filter != nullptr) {
        need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &options.filter), "seccomp");
        step("filter");
    }
    umask(0022);
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    static char container[] = "container=systemd-nspawn";
    std::array<char*, 3> environment = {path, container, nullptr};
    if (options.veth && !options.user_namespace) { // it is made meanwhile
        char byte = 0;
        need(read(go, &byte, 1), "go");
    }
    execve(options.command[0], options.command, environment.data());
    need(-1, options.command[0]);
    _exit(99);
}

// The tree's id map comes from a user namespace, and that needs a process to exist in.
int make_user_namespace() {
    std::array<int, 2> end{};
    need(pipe2(end.data(), O_CLOEXEC), "pipe");
    const pid_t holder = need(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), "clone");
    if (holder == 0) {
        char byte = 0;
        close(end[1]);
        _exit(read(end[0], &byte, 1) < 0 ? 1 : 0);
    }
    const std::string directory = "/proc/" + std::to_string(holder);
    write_file((directory + "/uid_map").c_str(), kMap, 0);
    write_file((directory + "/gid_map").c_str(), kMap, 0);
    const int result = need(open((directory + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC), "ns/user");
    close(end[0]);
    close(end[1]);
    waitpid(holder, nullptr, 0);
    return result;
}

int open_root() {
    const int tree =
        need(open_tree(AT_FDCWD, options.tree, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE), options.tree);
    if (options.user_namespace) {
        mount_attr map{};
        map.attr_set = MOUNT_ATTR_IDMAP;
        map.userns_fd = static_cast<__u64>(make_user_namespace());
        need(mount_setattr(tree, "", AT_EMPTY_PATH, &map, sizeof map), "id map");
        close(static_cast<int>(map.userns_fd));
        attach(make_devices(), tree, "dev"); // nodes cannot be made inside
    }
    step("open the tree");
    return tree;
}

// A pair of virtual interfaces, its other end in the namespace of that process: one message, and the answer to it.
void make_pair_of_links(int pid) {
    alignas(NLMSG_ALIGNTO) std::array<char, 512> buffer{};
    auto* const message = reinterpret_cast<nlmsghdr*>(buffer.data());
    message->nlmsg_len = NLMSG_LENGTH(sizeof(ifinfomsg));
    message->nlmsg_type = RTM_NEWLINK;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    const auto add = [&](unsigned short type, const void* data, size_t size) {
        auto* const attribute = reinterpret_cast<rtattr*>(buffer.data() + NLMSG_ALIGN(message->nlmsg_len));
        attribute->rta_type = type;
        attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
        std::memcpy(RTA_DATA(attribute), data, size);
        message->nlmsg_len = static_cast<__u32>(NLMSG_ALIGN(message->nlmsg_len) + RTA_ALIGN(attribute->rta_len));
        return attribute;
    };
    const auto close_nest = [&](rtattr* nest) {
        nest->rta_len = static_cast<unsigned short>(buffer.data() + message->nlmsg_len - reinterpret_cast<char*>(nest));
    };
    const std::string name = "floor" + std::to_string(getpid());
    add(IFLA_IFNAME, name.c_str(), name.size() + 1);
    rtattr* const info = add(IFLA_LINKINFO, "", 0);
    add(IFLA_INFO_KIND, "veth", sizeof "veth");
    rtattr* const data = add(IFLA_INFO_DATA, "", 0);
    const ifinfomsg none{};
    rtattr* const peer = add(VETH_INFO_PEER, &none, sizeof none);
    add(IFLA_IFNAME, "host0", sizeof "host0");
    add(IFLA_NET_NS_PID, &pid, sizeof pid);
    close_nest(peer);
    close_nest(data);
    close_nest(info);
    const int link_socket = need(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "netlink");
    need(static_cast<int>(send(link_socket, message, message->nlmsg_len, 0)), "send");
    need(static_cast<int>(recv(link_socket, buffer.data(), buffer.size(), 0)), "recv");
    errno = -static_cast<nlmsgerr*>(NLMSG_DATA(message))->error;
    need(errno == 0 ? 0 : -1, "veth");
    close(link_socket);
}

int run_once() {
    step("start");
    const int tree = open_root();
    std::string group;
    int group_fd = -1;
    clone_args arguments{};
    int pidfd = -1;
    arguments.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_PIDFD;
    arguments.flags |= (options.user_namespace ? CLONE_NEWUSER : 0) | (options.network_namespace ? CLONE_NEWNET : 0);
    arguments.exit_signal = SIGCHLD;
    arguments.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
    if (options.cgroup != nullptr) {
        group = std::string(options.cgroup) + "/floor-" + std::to_string(getpid());
        need(mkdir(group.c_str(), 0755), group.c_str());
        group_fd = need(open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), group.c_str());
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = static_cast<__u64>(group_fd);
        step("make the cgroup");
    }
    std::array<int, 2> go = {-1, -1};
    if (options.user_namespace || options.veth) {
        need(pipe2(go.data(), O_CLOEXEC), "pipe");
    }
    const int pid = need(syscall(SYS_clone3, &arguments, sizeof arguments), "clone3");
    if (pid == 0) {
        child(tree, go[0]);
    }
    if (options.user_namespace) {
        const std::string directory = "/proc/" + std::to_string(pid);
        write_file((directory + "/uid_map").c_str(), kMap, 0);
        write_file((directory + "/gid_map").c_str(), kMap, 0);
    }
    if (options.veth) {
        make_pair_of_links(pid);
    }
    if (go[1] >= 0) {
        need(write(go[1], "x", 1), "go");
        close(go[0]);
        close(go[1]);
    }
    close(tree);
    siginfo_t end{};
    need(waitid(P_PIDFD, static_cast<id_t>(pidfd), &end, WEXITED), "waitid");
    close(pidfd);
    step("exec, run, exit");
    if (options.cgroup != nullptr) {
        close(group_fd);
        need(rmdir(group.c_str()), group.c_str());
        step("remove the cgroup");
    }
    return end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
}

double median(std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

int report_steps() {
    void* shared = mmap(nullptr, sizeof(Steps), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    steps = static_cast<Steps*>(shared);
    std::vector<std::vector<double>> times;
    for (int round = 0; round < options.rounds; ++round) {
        steps->count = 0;
        if (const int status = run_once(); status != 0) {
            return status;
        }
        times.resize(steps->count);
        for (size_t i = 1; i < steps->count; ++i) {
            times[i].push_back(static_cast<double>(steps->steps[i].end_ns - steps->steps[i - 1].end_ns) / 1000);
        }
        times[0].push_back(static_cast<double>(steps->steps[steps->count - 1].end_ns - steps->steps[0].end_ns) / 1000);
    }
    for (size_t i = 1; i < times.size(); ++i) {
        std::printf("%9.1f  %s\n", median(times[i]), steps->steps[i].name);
    }
    std::printf("%9.1f  in all\n", median(times[0]));
    return 0;
}

sock_fprog read_filter(const char* path) {
    const int file = need(open(path, O_RDONLY | O_CLOEXEC), path);
    struct stat status {};
    need(fstat(file, &status), path);
    void* content = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    return {static_cast<unsigned short>(static_cast<size_t>(status.st_size) / sizeof(sock_filter)),
            static_cast<sock_filter*>(content)};
}

} // namespace

int main(int argc, char** argv) {
    int option = 0;
    while ((option = getopt(argc, argv, "+func:s:t:v")) != -1) {
        switch (option) {
        case 'f':
            options.full = true;
            break;
        case 'u':
            options.user_namespace = true;
            break;
        case 'n':
            options.network_namespace = true;
            break;
        case 'v':
            options.veth = true;
            break;
        case 'c':
            options.cgroup = optarg;
            break;
        case 's':
            options.filter = read_filter(optarg);
            break;
        case 't':
            options.rounds = std::atoi(optarg);
            break;
        default:
            return 2;
        }
    }
    if (argc - optind < 2) {
        std::fprintf(stderr, "floor: a tree and a command are needed\n");
        return 2;
    }
    options.tree = argv[optind];
    options.command = argv + optind + 1;
    return options.rounds > 0 ? report_steps() : run_once();
}
