#!/usr/bin/env python3
"""Starts a program on a terminal of its own, lets it ask for a passphrase, and looks at the terminal meanwhile.

    passphrase.py COMMAND...

The terminal has to be silent while it asks, and as before afterwards; what is typed must not show. Ctrl-C gives up.
"""

import os
import pty
import select
import signal
import sys
import termios
import time


def echoes(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def read_until(terminal, text, output):
    end = time.monotonic() + 20
    while text not in output:
        ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
        try:
            part = os.read(terminal, 4096) if ready else b""
        except OSError:
            part = b""
        if not part:
            raise SystemExit(f"'{text.decode()}' did not come: {output.decode(errors='replace')}")
        output += part
    return output


def ask(command, answer, expected):
    terminal, slave = pty.openpty()  # ours stays open, so that the settings can be looked at to the end
    child = os.fork()
    if child == 0:
        os.setsid()
        for stream in range(3):
            os.dup2(slave, stream)
        os.execv(command[0], command)
    try:
        output = read_until(terminal, b"assphrase for ", b"")
        output = read_until(terminal, b": ", output[output.index(b"assphrase for "):])
        assert not echoes(slave), "the terminal shows what is typed"
        os.write(terminal, answer)
        output = read_until(terminal, expected, output)
        assert answer.strip() not in output, output
        _, status = os.waitpid(child, 0)
        child = 0
        assert os.waitstatus_to_exitcode(status) == 1, status
        assert echoes(slave), "the terminal stays silent"
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(slave)
        os.close(terminal)


def main():
    command = sys.argv[1:]
    # What comes then depends on the kernel: without device-mapper the first try ends it.
    has_mapper = "device-mapper" in open("/proc/misc").read()
    if has_mapper:
        ask(command, b"wrong\n", b"That does not open it.")
    else:
        ask(command, b"typed-secret\n", b"device-mapper")
    ask(command, b"\x03", b"there is no passphrase")


main()
