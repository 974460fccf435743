#!/usr/bin/env python3
"""Runs a program as on a kernel without nf_tables: no socket for NETLINK_NETFILTER can be had. PROGRAM [ARGUMENT...]"""
import ctypes
import errno
import os
import struct
import sys

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NUMBER, FIRST_ARGUMENT, THIRD_ARGUMENT = 0, 16, 32  # offsets in struct seccomp_data, lower halves
AF_NETLINK, NETLINK_NETFILTER = 16, 12


def code(operation: int, value: int, if_not: int = 0) -> bytes:
    return struct.pack("HBBI", operation, 0, if_not, value)


def main() -> None:
    socket_call = {"x86_64": 41}.get(os.uname().machine, 198)  # 198: everywhere else
    program = b"".join(
        [
            code(LOAD, NUMBER),
            code(JUMP_EQUAL, socket_call, 5),
            code(LOAD, FIRST_ARGUMENT),
            code(JUMP_EQUAL, AF_NETLINK, 3),
            code(LOAD, THIRD_ARGUMENT),
            code(JUMP_EQUAL, NETLINK_NETFILTER, 1),
            code(RETURN, ERRNO | errno.EPROTONOSUPPORT),
            code(RETURN, ALLOW),
        ]
    )
    memory = ctypes.create_string_buffer(program)
    filter_ = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(filter_), 0, 0) != 0:
        sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
