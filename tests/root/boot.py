"""Boots the Debian tree on a pseudo terminal and uses it as a person would: boot.py SCENARIO TREE"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from console import NSPAWN, Terminal, status  # noqa: E402

BOOT_SECONDS = 120


def boot(tree, *options, **terminal):
    return Terminal([NSPAWN, *options, "-b", "-D", tree], **terminal)


def log_in(terminal):
    terminal.expect(r"login: ", BOOT_SECONDS)
    terminal.send("root\r")
    terminal.expect(r"# ", 60)


def run(terminal, command, pattern, seconds=60):
    """Type the command; the pattern must come in its output (not in the echo of what was typed)."""
    terminal.send(command + "\r")
    terminal.expect(r"\n")
    return terminal.expect(pattern, seconds)


def power_off(terminal):
    terminal.send("systemctl poweroff\r")
    status(terminal, 0)


def login_reboot_poweroff(tree):
    terminal = boot(tree)
    log_in(terminal)
    run(terminal, "cat /proc/1/comm; systemd-detect-virt", r"systemd\r\n.*systemd-nspawn\r\n")
    run(terminal, "systemctl is-system-running --wait", r"(running|degraded)\r\n", 120)
    run(terminal, "hostname; tty; stty size", r"debian.*\r\n/dev/(pts/\d+|console)\r\n24 80\r\n")
    run(terminal, "touch /var/kept; sync; echo done-$?", "done-0")
    terminal.send("reboot\r")
    log_in(terminal)
    run(terminal, "ls /var/kept; uptime -s >/dev/null; echo after-$?", r"/var/kept\r\nafter-0")
    power_off(terminal)


def orderly_stop(tree):
    terminal = boot(tree)
    terminal.expect(r"login: ", BOOT_SECONDS)
    terminal.process.send_signal(signal.SIGTERM)
    terminal.expect(r"(System Halt|Halting system|Power-Off|Powering off)", 90)
    status(terminal, 0)


def kill_keys(tree):
    terminal = boot(tree)
    terminal.expect(r"login: ", BOOT_SECONDS)
    terminal.send(b"\x1d\x1d\x1d")
    status(terminal, 1)


def listing(tree):
    return subprocess.run(["find", tree, "-printf", r"%P %y %m %u %s %T@\n"], check=True, capture_output=True).stdout


def ephemeral(tree):
    before = listing(tree)
    terminal = boot(tree, "-x")
    log_in(terminal)
    run(terminal, "touch /root/marker; echo done-$?", "done-0")
    terminal.send("reboot\r")
    log_in(terminal)
    run(terminal, "ls /root/marker; echo still-$?", "still-0")
    power_off(terminal)
    assert listing(tree) == before, "the tree was changed"


def volatile(tree):
    before = listing(tree)
    for mode in ("overlay", "state", "yes"):
        terminal = boot(tree, f"--volatile={mode}")
        # Without an /etc there is no root that could log in, and Debian's first boot asks who it is to be: that it has come
        # to talk to the console is what counts.
        terminal.expect(r"Press any key to proceed" if mode == "yes" else r"login: ", BOOT_SECONDS)
        terminal.process.send_signal(signal.SIGTERM)
        status(terminal, 0)
    assert listing(tree) == before, "the tree was changed"


def notify_ready(tree):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "notify")
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(path)
        server.settimeout(0.1)
        terminal = boot(tree, "--notify-ready=yes", environment={"NOTIFY_SOCKET": path})
        messages, end = [], time.monotonic() + BOOT_SECONDS
        while "READY=1" not in messages and time.monotonic() < end:
            terminal.read(0)
            try:
                messages += server.recv(65536).decode().splitlines()
            except TimeoutError:
                pass
        assert "READY=1" in messages, messages
        assert any(line.startswith("STATUS=Container running: ") for line in messages), messages
        # Ready means that PID 1 has reached its default target: the prompt is there or about to come.
        terminal.expect(r"login: ", 30)
        terminal.process.send_signal(signal.SIGTERM)
        status(terminal, 0)


def no_failed_units(tree):
    terminal = boot(tree)
    log_in(terminal)
    run(terminal, "systemctl is-system-running --wait; echo waited", "waited", 120)
    run(terminal, "systemctl --failed --no-legend --plain --no-pager | wc -l", r"\b0\r\n")
    power_off(terminal)


def shell(tree):
    terminal = Terminal([NSPAWN, "-q", "-D", tree])
    terminal.expect(r"# ")
    run(terminal, "echo $0 $BASH_VERSION", r"-bash 5\.")
    run(terminal, "getent passwd root", r"root:.*:/root:/bin/bash")
    run(terminal, "dpkg --audit; apt-get --version | head -n 1; echo status-$?", r"apt .*status-0")
    terminal.send("exit\r")
    status(terminal, 0)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
