"""The competitors: for each program the command line that comes closest to what nspawn does by default."""
import json
import pathlib
import shutil
import subprocess
from dataclasses import dataclass

from .host import Workshop
from .timing import Competitor

# The default set of systemd-nspawn(1) --capability=, with the numbers of linux/capability.h.
DEFAULT_CAPABILITIES = {
    "CHOWN": 0, "DAC_OVERRIDE": 1, "DAC_READ_SEARCH": 2, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7,
    "SETPCAP": 8, "LINUX_IMMUTABLE": 9, "NET_BIND_SERVICE": 10, "NET_BROADCAST": 11, "NET_RAW": 13, "IPC_OWNER": 15,
    "SYS_CHROOT": 18, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "SYS_BOOT": 22, "SYS_NICE": 23, "SYS_RESOURCE": 24,
    "SYS_TTY_CONFIG": 26, "MKNOD": 27, "LEASE": 28, "AUDIT_WRITE": 29, "AUDIT_CONTROL": 30, "SETFCAP": 31,
}
READ_ONLY = ["/proc/sys", "/proc/acpi", "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/scsi"]
MASKED = ["/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/sysrq-trigger", "/proc/timer_list"]
FILTER_FD = 9


def capabilities() -> list[str]:
    """Those of the default set that we have ourselves: crun fails for the others."""
    ours = next(int(line.split()[1], 16) for line in open("/proc/self/status") if line.startswith("CapPrm"))
    return [f"CAP_{name}" for name, number in DEFAULT_CAPABILITIES.items() if ours >> number & 1]


@dataclass
class Peers:
    """Where each program is; an absent one has the reason in `absent`."""
    nspawn: str | None
    floor: str | None
    bwrap: str | None
    crun: str | None
    original: str | None
    absent: dict[str, str]

    @classmethod
    def find(cls, nspawn: pathlib.Path, floor: pathlib.Path | None) -> "Peers":
        absent = {}

        def installed(program: str, package: str) -> str | None:
            path = shutil.which(program)
            if path is None:
                absent[program] = f"not installed (package {package})"
            return path

        if not nspawn.exists():
            absent["nspawn"] = f"{nspawn} is not built"
        if floor is None:
            absent["floor"] = "not built"
        return cls(str(nspawn) if nspawn.exists() else None, str(floor) if floor else None,
                   installed("bwrap", "bubblewrap"), installed("crun", "crun"),
                   installed("systemd-nspawn", "systemd-container"), absent)

    def versions(self) -> list[str]:
        lines = []
        for path in filter(None, (self.nspawn, self.original, self.bwrap, self.crun)):
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
            lines.append(said[0] if said else path)
        return lines


def nspawn(peers: Peers, shop: Workshop, words: list[str], *options: str) -> Competitor | None:
    if peers.nspawn is None:
        return None
    argv = [peers.nspawn, "-q", "-P", *options, "-D", str(shop.tree), *words]
    return Competitor("nspawn", lambda number: argv)


def with_machine_names(competitor: Competitor) -> Competitor:
    """The same with a name of its own for each run."""
    program, *rest = competitor.argv(0)
    return Competitor(competitor.name, lambda number: [program, "-M", f"bench{number}", *rest])


def floor(peers: Peers, shop: Workshop, words: list[str], filter_file: pathlib.Path | None = None,
          options: tuple[str, ...] = ()) -> Competitor | None:
    if peers.floor is None:
        return None
    filter_file = filter_file or shop.path / "filter.bpf"
    load = ["-s", str(filter_file)] if filter_file.exists() else []
    argv = [peers.floor, "-f", *options, *load, str(shop.tree), *words]
    return Competitor("floor", lambda number: argv)


def original(peers: Peers, shop: Workshop, words: list[str], *options: str) -> Competitor | None:
    if peers.original is None:
        return None
    argv = [peers.original, "-q", "-P", "--register=no", "--keep-unit", *options, "-D", str(shop.tree), *words]
    return Competitor("systemd-nspawn", lambda number: argv)


def bwrap(peers: Peers, shop: Workshop, words: list[str], read_only: bool = False) -> Competitor | None:
    """No cgroup, no /run/host, its own few masks in /proc; otherwise the same mounts, namespaces, filter, capabilities."""
    if peers.bwrap is None:
        return None
    argv = [peers.bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup", "--as-pid-1",
            "--new-session", "--hostname", "tree", "--ro-bind" if read_only else "--bind", str(shop.tree), "/",
            "--proc", "/proc", "--dev", "/dev", "--mqueue", "/dev/mqueue", "--ro-bind", "/sys", "/sys",
            "--tmpfs", "/run", "--tmpfs", "/tmp", "--clearenv", "--setenv", "container", "bwrap",
            "--setenv", "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "--cap-drop", "ALL"]
    for capability in capabilities():
        argv += ["--cap-add", capability]
    inputs = {}
    filter_file = shop.path / "filter.bpf"
    if filter_file.exists():
        argv += ["--seccomp", str(FILTER_FD)]
        inputs[FILTER_FD] = str(filter_file)
    argv += words
    return Competitor("bwrap", lambda number: argv, inputs)


def crun(peers: Peers, shop: Workshop, words: list[str]) -> Competitor | None:
    """Without a filter: it would have libseccomp compile one at every start, and be much slower. Without a cgroup."""
    if peers.crun is None:
        return None
    bundle = shop.path / "bundle"
    bundle.mkdir(exist_ok=True)
    (bundle / "config.json").write_text(json.dumps(crun_config(shop, words)))
    argv = [peers.crun, "--root", str(shop.path / "crun"), "--cgroup-manager=disabled", "run", "--bundle", str(bundle)]
    return Competitor("crun", lambda number: [*argv, f"bench-{number}"])


def crun_config(shop: Workshop, words: list[str]) -> dict:
    inert = ["nosuid", "noexec", "nodev"]

    def mount(kind: str, target: str, *options: str) -> dict:
        return {"destination": target, "type": kind, "source": kind, "options": list(options)}

    return {
        "ociVersion": "1.0.0",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "args": words, "cwd": "/", "noNewPrivileges": False,
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container=crun"],
            "capabilities": {part: capabilities() for part in ("bounding", "effective", "permitted")},
        },
        "root": {"path": str(shop.tree), "readonly": False},
        "hostname": "tree",
        "mounts": [
            mount("proc", "/proc", *inert),
            mount("sysfs", "/sys", *inert, "ro"),
            mount("tmpfs", "/dev", "nosuid", "strictatime", "mode=755", "size=4m"),
            mount("devpts", "/dev/pts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
            mount("tmpfs", "/dev/shm", "nosuid", "nodev", "mode=1777", "size=10%"),
            mount("mqueue", "/dev/mqueue", *inert),
            mount("tmpfs", "/run", "nosuid", "nodev", "mode=755", "size=20%"),
            mount("tmpfs", "/tmp", "nosuid", "nodev", "mode=1777", "size=10%"),
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "cgroup")],
            "maskedPaths": MASKED, "readonlyPaths": READ_ONLY,
        },
    }
