#!/usr/bin/env bats
# Failure at every named stage of a start: an injected errno ends in one clear line that names the stage, a supervisor
# killed there takes everything with it. Neither leaves anything behind, and the next start works.
# NSPAWN_FAULT is described in src/run/stage.hpp; the names of the stages come from the plan itself.

load helpers

# An init that does as it is told: with -b the words are its arguments.
prepare() {
    rm "$TREE/usr/sbin/init"
    printf '#!/bin/sh\nexec "$@"\n' >"$TREE/usr/sbin/init"
    chmod +x "$TREE/usr/sbin/init"
}

# Every way of starting that has stages of its own.
WAYS=(
    "-q -P"
    "-q -P -a"
    "-q -P -b"
    "-q -P -x"
    "-q -P --volatile=yes"
    "-q -P --volatile=overlay --read-only"
    "-q -P -u anna --set-credential=a:b"
    "-q --console=read-only"
    "-q -P -U --set-credential=a:b"
    "-q -U -x --private-network --console=read-only"
    "-q -P -n --network-zone=faults --network-veth-extra=faults0:in0"
    "-q -P -U --network=veth,address=10.9.6.2/24"
    "-q -P --network-namespace-path=/proc/self/ns/net"
)

@test "the plan names its stages" {
    run stages_of -q -P -D "$TREE" true
    assert_success
    assert [ "${#lines[@]}" -ge 8 ]
}

@test "an error at every stage: status 1, one line with the stage's name, nothing left behind" {
    local way stage
    for way in "${WAYS[@]}"; do
        # shellcheck disable=SC2086
        while read -r stage; do
            NSPAWN_FAULT="$stage=EPERM" run --separate-stderr nspawn $way -D "$TREE" touch /ran </dev/null
            [[ $status == 1 ]] || fail "status $status for '$stage' with $way: $stderr"
            assert_one_error_line "$stage.*Operation not permitted"
            refute [ -e "$TREE/ran" ]
        done < <(stages_of $way -D "$TREE" touch /ran)
        assert_nothing_left_behind || fail "an error with $way leaves something behind"
    done
    run inside true
    assert_success
}

@test "a full disk at every stage" {
    local stage
    while read -r stage; do
        NSPAWN_FAULT="$stage=ENOSPC" run --separate-stderr nspawn -q -P -x -D "$TREE" true </dev/null
        assert_failure 1
        assert_one_error_line 'No space left'
    done < <(stages_of -q -P -x -D "$TREE" true)
}

@test "the supervisor killed at every stage: the payload dies, the next start cleans up" {
    local way stage killed
    for way in "${WAYS[@]}"; do
        # shellcheck disable=SC2086
        while read -r stage; do
            # Nothing that waits for the end of the output: an orphan would hold it open.
            killed=0
            NSPAWN_FAULT="$stage=SIGKILL-SUPERVISOR" nspawn $way -D "$TREE" sh -c 'touch /ran; sleep 1000' \
                </dev/null >/dev/null 2>&1 3>&- || killed=$?
            [[ $killed == 137 ]] || fail "status $killed for '$stage' with $way"
            await 5 no_process_is_left || fail "processes are left after '$stage' with $way: $(processes_of_test)"
            run nspawn $way -D "$TREE" true </dev/null
            [[ $status == 0 ]] || fail "the start after '$stage' with $way: status $status: $output"
        done < <(stages_of $way -D "$TREE" true)
        assert_nothing_left_behind || fail "a kill with $way leaves something behind after the next start"
    done
}

@test "the supervisor killed while the payload runs: the payload dies, the next start cleans up" {
    local way leader
    for way in "${WAYS[@]}"; do
        # shellcheck disable=SC2086
        in_background $way -D "$TREE" sh -c 'touch /up; sleep 1000 & sleep 1000'
        await 10 running_payload || fail "did not start with $way"
        kill -KILL "$SUPERVISOR"
        await 5 no_process_is_left || fail "processes are left with $way: $(processes_of_test)"
        rm -f "$TREE/up"
        # shellcheck disable=SC2086
        run nspawn $way -D "$TREE" true </dev/null
        assert_success
        assert_nothing_left_behind || fail "something is left with $way"
    done
}

running_payload() { processes_of_test | grep -q 'sleep 1000'; }

@test "random kills: two hundred starts killed after 0 to 40 ms leave nothing" {
    local n pid
    for n in {1..200}; do
        "$NSPAWN" -q -P -x -D "$TREE" sleep 1000 </dev/null >/dev/null 2>&1 3>&- &
        pid=$!
        sleep "0.0$((n % 40 / 10))$((n % 10))"
        kill -KILL "$pid"
        wait "$pid" 2>/dev/null || true
    done 2>/dev/null
    await 10 no_process_is_left || fail "processes are left: $(processes_of_test)"
    run inside -x true
    assert_success
}
