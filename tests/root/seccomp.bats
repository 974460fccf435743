#!/usr/bin/env bats
# The system call filter from inside: known but not allowed is EPERM, unknown is ENOSYS, options open and close calls,
# every native ABI is covered.

load helpers

# Refused by the filter: EPERM although the payload has all capabilities and the arguments would give another answer.
assert_refused() { # CALL [OPTION...]
    local call=$1
    shift
    run inside "$@" probe syscall native "$call" -1 -1 -1 -1 -1
    assert_output "$call: EPERM"
}

assert_allowed() { # CALL [OPTION...]
    local call=$1
    shift
    run inside "$@" probe syscall native "$call" -1 -1 -1 -1 -1
    assert_success
    refute_output "$call: EPERM"
    # A kernel without the call answers ENOSYS by itself.
    if [[ $("$PROBE" syscall native "$call" -1 -1 -1 -1 -1) != *ENOSYS ]]; then refute_output "$call: ENOSYS"; fi
}

@test "known but never allowed calls: EPERM, with every capability there is" {
    local call
    for call in keyctl add_key request_key bpf fanotify_init kexec_load open_by_handle_at quotactl perf_event_open swapon swapoff \
        pkey_alloc; do
        assert_refused "$call" --capability=all
    done
}

@test "calls the table does not know: ENOSYS, not EPERM" {
    local number
    for number in 700 999 4095 100000; do
        run inside probe syscall native "$number"
        assert_output "$number: ENOSYS"
    done
}

@test "capabilities open their calls" {
    assert_refused clock_settime
    assert_allowed clock_settime --capability=CAP_SYS_TIME
    assert_refused mlockall
    assert_allowed mlockall --capability=CAP_IPC_LOCK
    assert_refused init_module
    assert_allowed init_module --capability=CAP_SYS_MODULE
    assert_refused acct
    assert_allowed acct --capability=CAP_SYS_PACCT
    assert_refused syslog
    assert_allowed syslog --capability=CAP_SYSLOG
    assert_allowed ptrace
    assert_refused ptrace --drop-capability=CAP_SYS_PTRACE
    assert_refused reboot --drop-capability=CAP_SYS_BOOT
}

@test "--system-call-filter: allow a call, a group; deny a call, a group; deny wins" {
    assert_allowed keyctl --system-call-filter=keyctl
    assert_allowed add_key --system-call-filter=@keyring
    assert_allowed request_key --system-call-filter='bpf @keyring'
    assert_refused unshare --system-call-filter=~unshare
    assert_refused kcmp --system-call-filter='~kcmp unshare'
    assert_refused keyctl --system-call-filter=@keyring --system-call-filter=~keyctl
    assert_refused keyctl --system-call-filter=~keyctl --system-call-filter=@keyring
}

@test "the audit netlink socket is refused, other netlink sockets work" {
    run inside probe socket 16 3 9
    assert_output --regexp 'socket: (EAFNOSUPPORT|EPERM|EPROTONOSUPPORT)'
    run inside probe socket 16 3 0
    assert_output 'socket: ok'
    run inside probe socket 16 3 15
    assert_output 'socket: ok'
}

@test "32-bit calls on a 64-bit machine go through the same filter" {
    require_i386
    run inside probe syscall i386 20 # getpid
    assert_output '20: ok'
    run inside --capability=all probe syscall i386 288 # keyctl
    assert_output '288: EPERM'
    run inside --capability=all probe syscall i386 357 # bpf
    assert_output '357: EPERM'
    run inside probe syscall i386 999
    assert_output '999: ENOSYS'
}

@test "x32 calls are no way around it" {
    [[ $(uname -m) == x86_64 ]] || skip "x32 is an ABI of x86-64"
    run inside --capability=all probe syscall x32 250 # keyctl
    assert_output --regexp '250: (EPERM|ENOSYS)'
    run inside --capability=all probe syscall x32 321 # bpf
    assert_output --regexp '321: (EPERM|ENOSYS)'
}

@test "the payload runs with a filter; SYSTEMD_SECCOMP=0 turns it off" {
    run inside grep Seccomp: /proc/self/status
    assert_output 'Seccomp:	2'
    SYSTEMD_SECCOMP=0 run inside grep Seccomp: /proc/self/status
    assert_output 'Seccomp:	0'
}

@test "--suppress-sync: sync calls succeed without doing it, O_SYNC opens are refused" {
    run inside --suppress-sync=yes sh -c 'probe syscall native sync; probe syscall native 74 999' # fsync of a bad fd
    assert_line 'sync: ok'
    if [[ $(uname -m) == x86_64 ]]; then assert_line '74: ok'; fi
    run inside --suppress-sync=yes dd if=/dev/zero of=/file bs=1 count=1 oflag=sync
    assert_failure
    run inside --suppress-sync=no dd if=/dev/zero of=/file bs=1 count=1 conv=fsync
    assert_success
}

@test "a user other than root is filtered as well" {
    run inside -u anna probe syscall native keyctl -1
    assert_output 'keyctl: EPERM'
}

@test "the stub init is filtered as well" {
    run inside -a grep Seccomp: /proc/1/status
    assert_output 'Seccomp:	2'
}
