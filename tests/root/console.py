"""A terminal with a person at it, for the console tests: console.py SCENARIO TREE

Starts $NSPAWN on a fresh pseudo terminal, types, waits for what must appear and checks what is left of the terminal
afterwards. A scenario that fails raises, with everything the terminal showed.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

NSPAWN = os.environ["NSPAWN"]


class Terminal:
    """The far end of a pseudo terminal on which one program runs as the session's leader."""

    def __init__(self, arguments, rows=24, columns=80, environment=None, stdin=None, stdout=None):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        self.position = 0
        self.process = subprocess.Popen(
            arguments,
            stdin=self.slave if stdin is None else stdin,
            stdout=self.slave if stdout is None else stdout,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm-256color", **(environment or {})},
        )

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, data):
        os.write(self.master, data.encode() if isinstance(data, str) else data)

    def read(self, seconds):
        """Take in what the terminal shows within the time; False once nothing more can come."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return True
        try:
            chunk = os.read(self.master, 65536)
        except OSError:
            return False
        self.seen += chunk
        return bool(chunk)

    def expect(self, pattern, seconds=30):
        """Wait until the pattern shows after everything matched before; its match."""
        expression = re.compile(pattern.encode(), re.DOTALL)
        end = time.monotonic() + seconds
        while True:
            match = expression.search(self.seen, self.position)
            if match:
                self.position = match.end()
                return match
            if time.monotonic() > end or self.process.poll() is not None and not self.drain(match):
                match = expression.search(self.seen, self.position)
                if match:
                    self.position = match.end()
                    return match
                raise AssertionError(f"{pattern!r} did not show; the terminal shows:\n{self.seen.decode(errors='replace')}")
            self.read(0.1)

    def drain(self, _=None):
        while True:
            length = len(self.seen)
            self.read(0.05)
            if len(self.seen) == length:
                return False

    def wait(self, seconds=30):
        """The exit status, after all output was taken in."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > end:
                self.process.kill()
                raise AssertionError(f"did not end; the terminal shows:\n{self.seen.decode(errors='replace')}")
            self.read(0.05)
        self.drain()
        return self.process.returncode

    def check_restored(self):
        """The terminal's settings are as they were before the program started."""
        after = termios.tcgetattr(self.slave)
        assert after == self.before, f"terminal settings changed:\n{self.before}\n{after}"

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO)


def start(tree, *command, options=(), **terminal):
    return Terminal([NSPAWN, "-q", *options, "-D", tree, *command], **terminal)


def status(terminal, wanted):
    code = terminal.wait()
    assert code == wanted, f"exit status {code}, not {wanted}; the terminal shows:\n{terminal.seen.decode(errors='replace')}"
    terminal.check_restored()


def shell(tree):
    terminal = start(tree)
    terminal.expect(r"[#$] ")
    assert terminal.is_raw(), "the caller's terminal is not raw while the shell runs"
    terminal.send("echo $((6 * 7)) $$\r")
    terminal.expect(r"42 1\r\n")
    terminal.send("probe tty\r")
    terminal.expect(r"fd 0: /dev/(pts/\d+|console).*controlling terminal: yes")
    terminal.send("exit 3\r")
    status(terminal, 3)


def as_pid2(tree):
    terminal = start(tree, "probe", "tty", options=["-a"])
    terminal.expect(r"fd 0: /dev/(pts/\d+|console).*controlling terminal: yes.*session 2 foreground 2")
    status(terminal, 0)


def interrupt(tree):
    """^C goes to the foreground process in the container, not to the program."""
    terminal = start(tree, "sh", "-c", "trap 'echo got it; exit 5' INT; echo up; while :; do sleep 0.1; done")
    terminal.expect("up")
    terminal.send(b"\x03")
    terminal.expect("got it")
    status(terminal, 5)


def kill_keys(tree):
    terminal = start(tree, "sh", "-c", "echo up; sleep 1000")
    terminal.expect("up")
    terminal.send(b"\x1d\x1d\x1d")
    status(terminal, 1)


def kill_keys_slowly(tree):
    """Three times within one second, or it is nothing."""
    terminal = start(tree, "sh", "-c", "echo up; read x; echo read; exit 4")
    terminal.expect("up")
    for _ in range(4):
        terminal.send(b"\x1d")
        time.sleep(0.6)
    terminal.send("\r")
    terminal.expect("read")
    status(terminal, 4)


def kill_keys_split(tree):
    terminal = start(tree, "sh", "-c", "echo up; sleep 1000")
    terminal.expect("up")
    for _ in range(3):
        terminal.send(b"\x1d")
        time.sleep(0.1)
    status(terminal, 1)


def resize(tree):
    terminal = start(tree, "probe", "winsize", "2", rows=40, columns=132)
    terminal.expect("size 40x132")
    terminal.resize(17, 61)
    terminal.expect("size 17x61")
    terminal.resize(50, 200)
    terminal.expect("size 50x200")
    status(terminal, 0)


def term_restores(tree):
    terminal = start(tree, "sh", "-c", "echo up; sleep 1000")
    terminal.expect("up")
    assert terminal.is_raw()
    terminal.process.send_signal(signal.SIGTERM)
    status(terminal, 1)


def payload_death_restores(tree):
    terminal = start(tree, "sh", "-c", "stty raw -echo; echo up; probe reboot poweroff")
    terminal.expect("up")
    status(terminal, 0)


def exec_failure_restores(tree):
    terminal = start(tree, "/no/such/program")
    terminal.expect("no/such/program")
    status(terminal, 1)


def last_line(tree):
    """What the program says after output without a line end starts on a line of its own."""
    terminal = start(tree, "printf", "no line end")
    terminal.expect("no line end\r?\n")
    status(terminal, 0)


def output_flood(tree):
    """Everything that was written before the end is shown, at any speed."""
    terminal = start(tree, "sh", "-c", "seq 1 200000; echo the-end", options=["--background="])
    terminal.expect("the-end", 60)
    status(terminal, 0)
    text = terminal.seen.replace(b"\r", b"").decode(errors="replace")
    text = re.sub(r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b\[[0-9;]*[A-Za-z]", "", text)  # the window title stands before the first line
    numbers = [line for line in text.split("\n") if line.isdigit()]
    assert numbers == [str(n) for n in range(1, 200001)], f"{len(numbers)} of 200000 lines came"


def input_flood(tree):
    """64 kB typed at once arrive whole and in order."""
    terminal = start(tree, "sh", "-c", "stty raw -echo; echo up; head -c 65536 | md5sum")
    terminal.expect("up")
    import hashlib

    data = bytes(32 + n % 90 for n in range(65536))
    for offset in range(0, len(data), 1024):
        terminal.send(data[offset : offset + 1024])
    terminal.expect(hashlib.md5(data).hexdigest())
    status(terminal, 0)


def binary_output(tree):
    """Escape sequences and bytes above 127 pass the console unchanged."""
    terminal = start(tree, "sh", "-c", r"stty -opost; printf 'A\033[31mred\033[0m\303\274\377Z'", options=["--background="])
    terminal.expect("Z")
    assert b"A\033[31mred\033[0m\xc3\xbc\xffZ" in terminal.seen, terminal.seen
    status(terminal, 0)


def reboot(tree):
    """A reboot inside keeps the terminal in hand."""
    terminal = start(tree, "sh", "-c", "if [ -e /again ]; then echo second; read x; echo $x; exit 6; fi; touch /again; probe reboot restart")
    terminal.expect("second")
    assert terminal.is_raw()
    terminal.send("typed\r")
    terminal.expect("typed\r\ntyped")
    status(terminal, 6)


def background(tree):
    """--background tints, and the end takes the tint back; --background= leaves the terminal alone."""
    terminal = start(tree, "echo", "text", options=["--background=44"])
    terminal.expect("text")
    status(terminal, 0)
    assert b"\x1b[44m" in terminal.seen, terminal.seen
    assert terminal.seen.rstrip().endswith(b"m") or b"\x1b[0m" in terminal.seen, terminal.seen
    terminal = start(tree, "echo", "text", options=["--background="])
    terminal.expect("text")
    status(terminal, 0)
    assert b"\x1b[4" not in terminal.seen, terminal.seen


def read_only(tree):
    """--console=read-only shows output and takes no input; the terminal is not made raw."""
    terminal = start(tree, "sh", "-c", "echo up; if read -t 2 x; then echo heard $x; else echo silent; fi", options=["--console=read-only"])
    terminal.expect("up")
    terminal.send("hello\r")
    terminal.expect("silent")
    status(terminal, 0)


def passive(tree):
    """--console=passive: a terminal inside, nothing of it outside."""
    terminal = start(tree, "sh", "-c", "echo hidden; probe tty >/seen", options=["--console=passive"])
    status(terminal, 0)
    assert b"hidden" not in terminal.seen, terminal.seen
    with open(os.path.join(tree, "seen"), encoding="utf-8") as file:
        assert "controlling terminal: yes" in file.read()


def pipe(tree):
    """--console=pipe on a terminal warns that the payload holds the caller's own terminal."""
    terminal = Terminal([NSPAWN, "-P", "-D", tree, "sh", "-c", "echo text"])
    terminal.expect("text")
    status(terminal, 0)


def autopipe(tree):
    terminal = start(tree, "probe", "tty", options=["--console=autopipe"])
    terminal.expect("controlling terminal: yes")
    status(terminal, 0)
    output = subprocess.run(
        [NSPAWN, "-q", "--console=autopipe", "-D", tree, "probe", "tty"], stdin=subprocess.DEVNULL, capture_output=True, check=True
    ).stdout
    assert b"fd 1: no terminal" in output, output


def stdout_elsewhere(tree):
    """A terminal for input but a pipe for output: not interactive, so output only."""
    terminal = start(tree, "sh", "-c", "echo text", stdout=subprocess.PIPE)
    output = terminal.process.stdout.read()
    assert b"text" in output, output
    status(terminal, 0)


def hang_up(tree):
    """The terminal goes away: the container ends, nothing hangs."""
    terminal = start(tree, "sh", "-c", "echo up; sleep 1000")
    terminal.expect("up")
    os.close(terminal.master)
    os.close(terminal.slave)
    try:
        terminal.process.wait(20)
    except subprocess.TimeoutExpired:
        terminal.process.send_signal(signal.SIGTERM)
        terminal.process.wait(20)
        raise AssertionError("still runs after its terminal was closed")


def stop_and_continue(tree):
    """SIGSTOP and SIGCONT to the program: the console goes on."""
    terminal = start(tree, "sh", "-c", "echo up; read x; echo got $x; exit 2")
    terminal.expect("up")
    terminal.process.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    terminal.process.send_signal(signal.SIGCONT)
    terminal.send("line\r")
    terminal.expect("got line")
    status(terminal, 2)


def stop_and_foreground(tree):
    """Stopped under a shell with job control, which takes the terminal back in its own mode, and then "fg"."""
    terminal = Terminal(["bash", "--norc", "--noprofile", "--noediting", "-i"], environment={"PS1": "prompt> "})
    terminal.expect("prompt> ")
    cooked = termios.tcgetattr(terminal.slave)
    terminal.send(f"{NSPAWN} -q -D {tree} sh -c 'echo sta\"\"rted; read x; echo got $x; stty size'\n")
    terminal.expect("started")
    assert terminal.is_raw()
    with open(f"/proc/{terminal.process.pid}/task/{terminal.process.pid}/children", encoding="ascii") as children:
        supervisor = int(children.read().split()[0])
    os.kill(supervisor, signal.SIGSTOP)
    terminal.expect("Stopped.*prompt> ")
    assert termios.tcgetattr(terminal.slave) == cooked, "the shell did not take the terminal back"
    os.kill(supervisor, signal.SIGCONT)  # in the background: the terminal is the shell's
    time.sleep(0.3)
    with open(f"/proc/{supervisor}/status", encoding="ascii") as state:
        assert "State:\tS" in state.read(), "the program was stopped by setting the terminal from the background"
    os.kill(supervisor, signal.SIGSTOP)
    time.sleep(0.2)
    assert termios.tcgetattr(terminal.slave) == cooked, "the mode was changed from the background"
    terminal.resize(31, 101)
    terminal.send("fg\n")
    end = time.monotonic() + 20
    while not terminal.is_raw():
        assert time.monotonic() < end, "the terminal is not raw again"
        terminal.read(0.05)
    terminal.send("line\r")
    terminal.expect("got line\r\n31 101\r\n.*prompt> ")
    assert termios.tcgetattr(terminal.slave) == cooked, "the terminal was not restored at the end"
    terminal.send("exit 0\n")
    assert terminal.wait() == 0


def main():
    scenarios = {name: value for name, value in globals().items() if callable(value) and not name.startswith("_")}
    scenarios[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
