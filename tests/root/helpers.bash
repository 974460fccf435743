# helpers.bash — what every root test shares: a tree of its own, a way to run the program, and the proof that nothing
# is left behind. Load it first and let it do setup and teardown:
#     load helpers
# Environment, set by ctest: NSPAWN (the program), PROBE (tests/tools/probe), NSPAWN_SOURCE (the checkout), NSS_MODULE (the
# module of the name service).
# Files: $TREE, in $PLACE, which holds nothing else; anything else a test makes goes to $BATS_TEST_TMPDIR itself.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert

: "${NSPAWN:?the program to test}" "${PROBE:?the probe program}" "${NSPAWN_SOURCE:?the checkout}"
TESTS=$NSPAWN_SOURCE/tests

# One pristine tiny tree for the file; each test gets a copy as $TREE.
setup_file() {
    "$TESTS/tools/make-tiny-tree" "$PROBE" "$BATS_FILE_TMPDIR/tiny"
    if declare -F prepare_file >/dev/null; then prepare_file; fi
}

setup() {
    ((EUID == 0)) || skip "needs root"
    PLACE=$BATS_TEST_TMPDIR/place
    TREE=$PLACE/tree
    mkdir "$PLACE"
    cp -a --reflink=auto -- "$BATS_FILE_TMPDIR/tiny" "$TREE"
    if declare -F prepare >/dev/null; then prepare; fi
    remember_host
}

teardown() {
    local status=0
    if declare -F cleanup >/dev/null; then cleanup; fi
    if [[ -n ${HOST_BEFORE-} ]]; then assert_nothing_left_behind || status=1; fi
    return "$status"
}

# --- running -------------------------------------------------------------------------------------------------------

# The program, bounded in time so that a hang is a failure and not a lost evening.
nspawn() {
    timeout --foreground --kill-after=5 "${NSPAWN_TEST_TIMEOUT:-60}" "$NSPAWN" "$@"
}

# A command in $TREE with pipes for stdio: the plain case of most tests. Options go before the command.
inside() {
    nspawn -q -P -D "$TREE" "$@" </dev/null
}

# Start the program in the background; its pid is then in $SUPERVISOR, its output in $BATS_TEST_TMPDIR/{out,err}.
in_background() {
    rm -f "$BATS_TEST_TMPDIR"/{pid,status,out,err}
    {
        "$NSPAWN" "$@" &
        echo $! >"$BATS_TEST_TMPDIR/pid"
        code=0
        wait $! || code=$?
        echo "$code" >"$BATS_TEST_TMPDIR/status"
    } </dev/null >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    await 5 test -s "$BATS_TEST_TMPDIR/pid"
    SUPERVISOR=$(<"$BATS_TEST_TMPDIR/pid")
}

# Wait until the background run has printed a line that matches.
await_output() {
    await 20 grep -q -- "$1" "$BATS_TEST_TMPDIR/out" || {
        cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err"
        fail "no line '$1' came"
    }
}

# Wait for the background run: its output and exit status as if it had been run now.
await_exit() {
    await 20 test -s "$BATS_TEST_TMPDIR/status" || {
        kill -KILL "$SUPERVISOR"
        fail "the supervisor did not end"
    }
    cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err"
    return "$(<"$BATS_TEST_TMPDIR/status")"
}

# await SECONDS COMMAND...: repeat the command until it succeeds.
await() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

# True when a process is gone or a zombie: only the shell's wait is missing.
has_ended() {
    local state
    state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 0
    [[ -z $state || $state == Z ]]
}

# The container's PID 1, as the host counts: the child of the supervisor that is PID 1 of its own namespace.
leader_of() {
    local child
    for child in $(cat "/proc/$1/task/$1/children"); do
        if [[ $(sed -n 's/^NSpid:.*\t\([0-9]*\)$/\1/p' "/proc/$child/status" 2>/dev/null) == 1 ]]; then
            echo "$child"
            return 0
        fi
    done
    return 1
}

# What went wrong is one line that starts with the program's name; an indented hint may follow it. For the error output
# of `run --separate-stderr`; the optional pattern is for the first line.
assert_one_error_line() {
    local line
    [[ ${stderr_lines[0]-} == nspawn:* ]] || fail "no line of the program: $stderr"
    for line in "${stderr_lines[@]:1}"; do
        [[ $line == "  "* ]] || fail "more than one line: $stderr"
    done
    if (($#)); then [[ ${stderr_lines[0]} =~ $1 ]] || fail "'${stderr_lines[0]}' does not match '$1'"; fi
}

# The names of all stages of such a start, one a line.
stages_of() {
    nspawn --dry-run --json "$@" | python3 -c '
import json, sys
for stage in json.load(sys.stdin)["stages"]:
    print(stage if isinstance(stage, str) else stage["name"])'
}

# --- what is there before and after -------------------------------------------------------------------------------

host_state() { /usr/bin/python3 "$TESTS/root/host_state.py" "$NSPAWN" "$PLACE" "$TREE"; }

# The processes of the program and of the tree that run now, one a line.
processes_of_test() { /usr/bin/python3 "$TESTS/root/host_state.py" --processes "$NSPAWN" "$TREE"; }

no_process_is_left() { [[ -z $(processes_of_test) ]]; }

remember_host() { HOST_BEFORE=$(host_state); }

# The host is as it was before the test. What the kernel tears down in its own time gets three seconds.
assert_nothing_left_behind() {
    local try now
    for try in {1..30}; do
        now=$(host_state)
        [[ $now == "$HOST_BEFORE" ]] && return 0
        sleep 0.1
    done
    echo "left behind (< before, > after):"
    diff <(echo "$HOST_BEFORE") <(echo "$now")
    return 1
}

# For a test that itself puts files beside the tree: they belong to "before".
accept_host_state() { remember_host; }

# --- what this machine can do --------------------------------------------------------------------------------------

# The Debian tree (made once per machine), or the test fails: a skip would hide that the boot was never tried.
debian_tree() { "$TESTS/tools/make-debian-tree"; }

# A copy of the Debian tree at $1 whose root logs in without a password and which has no identity of its own.
copy_debian_tree() {
    cp -a --reflink=auto -- "$(debian_tree)" "$1"
    rm -f -- "$1/etc/machine-id" "$1/etc/hostname"
    : >"$1/etc/machine-id"
    sed -i 's/^root:[^:]*:/root::/' "$1/etc/shadow"
}

require_i386() {
    [[ $("$PROBE" syscall i386 20) == "20: ok" ]] || skip "this kernel runs no 32-bit system calls"
}

# Raising a hard limit takes this capability; without it what cannot be had is clamped.
may_raise_limits() { ((16#$(sed -n 's/^CapEff:\t//p' /proc/self/status) >> 24 & 1)); }

cgroup_mode() {
    if [[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]]; then
        echo v2
    elif [[ $(stat -f -c %T /sys/fs/cgroup/unified 2>/dev/null) == cgroup2fs ]]; then
        echo hybrid
    else
        echo v1
    fi
}
