"""Reads the system call filters of a running process and answers what they say to a call.

The kernel hands them out to a tracer with CAP_SYS_ADMIN (PTRACE_SECCOMP_GET_FILTER), so what is compared is what really
holds, not what was asked for. Source: ptrace(2), seccomp(2), linux/filter.h.
"""

import ctypes
import os
import re
import struct

PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
PTRACE_DETACH = 17
PTRACE_SECCOMP_GET_FILTER = 0x420C

ARCHITECTURES = {"x86_64": 0xC000003E, "i386": 0x40000003}
HEADERS = {"x86_64": "unistd_64.h", "i386": "unistd_32.h"}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request, pid, address=0, data=0):
    result = _libc.ptrace(request, pid, address, data)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def read_filters(pid):
    """The process's filter programs, each a list of (code, jt, jf, k)."""
    _ptrace(PTRACE_SEIZE, pid)
    _ptrace(PTRACE_INTERRUPT, pid)
    os.waitpid(pid, 0x40000000)  # __WALL
    try:
        programs = []
        while True:
            try:
                length = _ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(programs), 0)
            except OSError as error:
                if error.errno == 2:
                    return programs
                raise
            buffer = ctypes.create_string_buffer(8 * length)
            _ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(programs), ctypes.addressof(buffer))
            programs.append([struct.unpack_from("=HBBI", buffer, 8 * i) for i in range(length)])
    finally:
        _ptrace(PTRACE_DETACH, pid)


def evaluate(program, number, architecture, arguments=(0, 0, 0, 0, 0, 0)):
    """What one program returns for the call: classic BPF over struct seccomp_data."""
    data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, architecture, 0, *arguments)
    accumulator = index = at = 0
    memory = [0] * 16
    while True:
        code, jump_true, jump_false, k = program[at]
        at += 1
        kind = code & 7
        if kind == 0:  # ld
            accumulator = struct.unpack_from("=I", data, k)[0] if code & 0xE0 == 0x20 else (memory[k] if code & 0xE0 == 0x60 else k)
        elif kind == 1:  # ldx
            index = memory[k] if code & 0xE0 == 0x60 else k
        elif kind == 2:
            memory[k] = accumulator
        elif kind == 3:
            memory[k] = index
        elif kind == 4:
            operand = index if code & 8 else k
            operation = code & 0xF0
            accumulator = {
                0x00: accumulator + operand, 0x10: accumulator - operand, 0x20: accumulator * operand,
                0x40: accumulator | operand, 0x50: accumulator & operand, 0x60: accumulator << (operand & 31),
                0x70: accumulator >> (operand & 31), 0x80: -accumulator, 0xA0: accumulator ^ operand,
            }[operation] & 0xFFFFFFFF
        elif kind == 5:
            operand = index if code & 8 else k
            operation = code & 0xF0
            if operation == 0:
                at += k
            else:
                taken = {
                    0x10: accumulator == operand, 0x20: accumulator > operand,
                    0x30: accumulator >= operand, 0x40: bool(accumulator & operand),
                }[operation]
                at += jump_true if taken else jump_false
        elif kind == 6:
            return accumulator if code & 0x18 == 0x10 else k
        else:
            if code & 0xF8 == 0x80:
                accumulator = index
            else:
                index = accumulator


_STRENGTH = {0x80000000: 0, 0x00000000: 1, 0x00030000: 2, 0x00050000: 3, 0x7FC00000: 4, 0x7FF00000: 5, 0x7FFC0000: 6, 0x7FFF0000: 7}


def verdict(programs, number, architecture, arguments=(0, 0, 0, 0, 0, 0)):
    """What all programs together say, as text: allow, errno N, kill…"""
    answers = [evaluate(program, number, architecture, arguments) for program in programs]
    strongest = min(answers, key=lambda answer: _STRENGTH[answer & 0xFFFF0000], default=0x7FFF0000)
    action = strongest & 0xFFFF0000
    if action == 0x7FFF0000:
        return "allow"
    if action == 0x00050000:
        return f"errno {strongest & 0xFFFF}"
    return f"action {strongest:#x}"


def call_names(architecture):
    """Number to name from the kernel's own header."""
    path = f"/usr/include/x86_64-linux-gnu/asm/{HEADERS[architecture]}"
    with open(path, encoding="ascii") as file:
        return {int(number): name for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", file.read(), re.MULTILINE)}


def table(programs):
    """Every call of both ABIs, numbers beyond the table and x32 numbers: {"x86_64 openat": "allow", …}."""
    result = {}
    for architecture, token in ARCHITECTURES.items():
        names = call_names(architecture)
        for number in range(600):
            name = names.get(number, f"#{number}")
            result[f"{architecture} {name}"] = verdict(programs, number, token)
    for number in (0, 250, 257, 321, 512, 547):
        result[f"x32 #{number}"] = verdict(programs, number | 0x40000000, ARCHITECTURES["x86_64"])
    # Arguments that the filters look at: audit netlink sockets, O_SYNC opens.
    for family, kind, protocol in ((16, 3, 9), (16, 3, 0), (2, 1, 0), (16, 3 | 0o2000000, 9), (16 | 1 << 32, 3, 9 | 1 << 32)):
        result[f"x86_64 socket({family:#x},{kind:#x},{protocol:#x})"] = verdict(
            programs, 41, ARCHITECTURES["x86_64"], (family, kind, protocol, 0, 0, 0))
    for flags in (0, 0o4010000, 0o10000, 0o101):
        result[f"x86_64 openat(flags {flags:#o})"] = verdict(programs, 257, ARCHITECTURES["x86_64"], (0, 0, flags, 0, 0, 0))
    return result
