#include "run/stub_image.hpp"

#include "base/file.hpp"
#include "linux/mount_fd.hpp"
#include "run/stub_init/image.hpp"

#include <fmt/format.h>

#include <string_view>

#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/mount.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MFD_EXEC // Linux 6.3
#define MFD_EXEC 0x0010U
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace nspawn {

namespace {

constexpr const char* kStubName = "sd-stubinit";
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

// `execution` is MFD_EXEC or MFD_NOEXEC_SEAL; kernels that know neither have executable ones only and answer EINVAL.
Result<UniqueFd> make_memory_file(const char* name, unsigned execution) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | execution);
    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    if (fd < 0) {
        return last_error("memfd_create");
    }
    return UniqueFd(fd);
}

Result<UniqueFd> fill_and_seal(Result<UniqueFd> file, std::string_view content) {
    if (!file.ok()) {
        return file;
    }
    if (const Result<void> written = write_all(file.value().get(), content); !written.ok()) {
        return written.system_error();
    }
    if (fcntl(file.value().get(), F_ADD_SEALS, kSeals) < 0) {
        return last_error("F_ADD_SEALS");
    }
    return file;
}

// The mount is dropped with its last descriptor; the file keeps the file system alive.
Result<UniqueFd> make_file_on_own_tmpfs(std::string_view content) {
    const std::vector<MountOption> options = {{"size", "4m"}, {"nr_inodes", "4"}, {"mode", "0700"}};
    const Result<MountFd> mount = MountFd::create("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (!mount.ok()) {
        return mount.system_error();
    }
    const int directory = mount.value().get();
    {
        const Result<UniqueFd> writer = open_at(directory, kStubName, O_CREAT | O_EXCL | O_WRONLY, 0500);
        const Result<void> written =
            writer.ok() ? write_all(writer.value().get(), content) : Result<void>(writer.system_error());
        if (!written.ok()) {
            return written.system_error();
        }
    }
    if (const Result<void> sealed = mount.value().make_file_system_read_only(); !sealed.ok()) {
        return sealed.system_error();
    }
    return open_at(directory, kStubName, O_RDONLY);
}

void keep_across_exec(int fd) { check(fcntl(fd, F_SETFD, 0), "fcntl").or_throw("stub init"); }

} // namespace

Result<UniqueFd> make_stub_image() {
    const std::string_view program(nspawn_stub_init_begin,
                                   static_cast<size_t>(nspawn_stub_init_end - nspawn_stub_init_begin));
    Result<UniqueFd> file = make_memory_file(kStubName, MFD_EXEC);
    if (file.error() == EACCES) { // the sysctl vm.memfd_noexec=2: no memfd may be executed
        return make_file_on_own_tmpfs(program);
    }
    return fill_and_seal(std::move(file), program);
}

void execute_stub(int program, int error_fd, const StubInitRequest& request) {
    std::string payload_environment;
    for (const std::string& entry : request.environment) {
        payload_environment.append(entry).push_back('\0');
    }
    const UniqueFd environment_fd = fill_and_seal(make_memory_file("environment", MFD_NOEXEC_SEAL), payload_environment)
                                        .or_throw("stub init's environment");
    keep_across_exec(environment_fd.get());
    keep_across_exec(error_fd);

    std::string name = "(sd-stubinit)";
    std::string order = fmt::format("{} {} {} {}", environment_fd.get(), error_fd, request.has_console ? 1 : 0,
                                    request.stop_timeout.count());
    std::vector<char*> words = {name.data(), order.data()};
    for (const std::string& word : request.words) {
        words.push_back(const_cast<char*>(word.c_str()));
    }
    words.push_back(nullptr);
    std::string container = "container=" + request.container_service;
    std::string uuid = "container_uuid=" + request.container_uuid.plain();
    char* const own_environment[] = {container.data(), uuid.data(), nullptr};
    syscall(SYS_execveat, program, "", words.data(), own_environment, AT_EMPTY_PATH);
    throw_system_error(errno, "execveat", "starting the stub init");
}

} // namespace nspawn
