#!/usr/bin/env bats
# Looking without running: --help, --version, --dry-run, --show-config, --timing, and the words of help values.

load helpers

@test "--help and --version: on stdout, status 0, without a tree" {
    cd /
    run --separate-stderr nspawn --help
    assert_success
    assert_line --partial --directory
    assert_equal "$stderr" ""
    run --separate-stderr nspawn --version
    assert_success
    assert_line --index 0 --regexp '[0-9]+\.[0-9]+'
    run nspawn -h
    assert_success
}

@test "--help names every option that is accepted, and no other" {
    nspawn --no-pager --help >"$BATS_TEST_TMPDIR/help"
    local option
    for option in help version quiet settings no-pager directory machine ephemeral read-only volatile as-pid2 boot chdir setenv user \
        kill-signal notify-ready suppress-sync no-new-privileges capability drop-capability ambient-capability system-call-filter \
        oci-bundle resolv-conf timezone link-journal rlimit oom-score-adjust cpu-affinity personality set-credential load-credential hostname uuid selinux-context \
        selinux-apifs-context register keep-unit console pipe background dry-run json show-config timing; do
        grep -q -- "--$option\\b" "$BATS_TEST_TMPDIR/help" || fail "--$option is not in --help"
    done
}

@test "help as a value prints the valid values" {
    local option
    for option in volatile resolv-conf timezone kill-signal rlimit console capability drop-capability ambient-capability; do
        run --separate-stderr nspawn "--$option=help"
        assert_success
        [[ ${#lines[@]} -ge 3 ]] || fail "--$option=help: $output"
    done
}

@test "no output is lost when it cannot be written: a full disk is an error" {
    run bash -c '"$NSPAWN" --no-pager --help >/dev/full'
    assert_failure
}

@test "the pager: SYSTEMD_PAGER beats PAGER, cat and empty mean none, --no-pager wins" {
    cat >"$BATS_TEST_TMPDIR/pager" <<'END'
#!/bin/sh
echo "paged by $1"
cat >/dev/null
END
    chmod +x "$BATS_TEST_TMPDIR/pager"
    on_terminal() {
        timeout 20 python3 - "$@" 3>&- <<'END'
import os, pty, sys
pty.spawn(sys.argv[1:])
END
    }
    # Programs from the environment are run only for a caller who says that it may be so.
    export SYSTEMD_PAGERSECURE=0
    PAGER="$BATS_TEST_TMPDIR/pager one" SYSTEMD_PAGER="$BATS_TEST_TMPDIR/pager two" run on_terminal "$NSPAWN" --help
    assert_output --partial 'paged by two'
    PAGER="$BATS_TEST_TMPDIR/pager one" run on_terminal "$NSPAWN" --help
    assert_output --partial 'paged by one'
    PAGER="$BATS_TEST_TMPDIR/pager one" run on_terminal "$NSPAWN" --no-pager --help
    refute_output --partial 'paged by'
    SYSTEMD_PAGER= run on_terminal "$NSPAWN" --help
    assert_output --partial --directory
    SYSTEMD_PAGER=cat run on_terminal "$NSPAWN" --help
    assert_output --partial --directory
}

@test "--dry-run prints the plan and starts nothing" {
    run --separate-stderr nspawn --dry-run -D "$TREE" touch /ran
    assert_success
    refute [ -e "$TREE/ran" ]
    local word
    for word in /proc /sys /dev CAP_SYS_ADMIN PATH= touch; do assert_output --partial "$word"; done
}

@test "--dry-run --json is JSON with the same content" {
    nspawn --dry-run --json -u anna --hostname=named -D "$TREE" touch /ran >"$BATS_TEST_TMPDIR/plan"
    python3 - "$BATS_TEST_TMPDIR/plan" <<'END'
import json, sys
plan = json.load(open(sys.argv[1]))
text = json.dumps(plan)
assert plan["stages"], "no stages"
for word in ("/proc", "CAP_SYS_ADMIN", "named", "touch"):
    assert word in text, word
END
    refute [ -e "$TREE/ran" ]
}

@test "--dry-run of what would fail fails with the same line" {
    run --separate-stderr nspawn --dry-run -D /nowhere true
    assert_failure 1
    assert_one_error_line nowhere
}

@test "--dry-run -x makes no copy" {
    run nspawn --dry-run -x -D "$TREE" true
    assert_success
}

@test "--show-config names the origin of every value" {
    run nspawn --show-config --hostname=named -D "$TREE" true
    assert_success
    assert_line --regexp 'named.*command line'
}

@test "--show-config: tree and names that follow from what was said" {
    run nspawn --show-config -D "$PLACE/../place/tree" true
    assert_success
    assert_line --regexp "^--directory +$PLACE/\.\./place/tree +command line\$"
    assert_line --regexp '^--machine +tree +implied by --directory$'
    assert_line --regexp '^--hostname +tree +implied by --machine$'
    cd "$TREE"
    run nspawn --show-config --json true
    assert_success
    run python3 -c 'import json, sys
for each in json.load(sys.stdin)["settings"]:
    if each["option"] in ("--directory", "--machine"): print(each["values"][0], each["from"][0])' <<<"$output"
    assert_line "$TREE implied by the working directory"
    assert_line 'tree implied by --directory'
    run nspawn --show-config -x true
    assert_line --regexp '^--hostname +tree-[0-9a-f]{16} +implied by --machine$'
}

@test "--timing prints stages with times, on stderr, after the run" {
    run --separate-stderr nspawn -q -P --timing -D "$TREE" echo ran
    assert_success
    assert_output ran
    [[ ${#stderr_lines[@]} -ge 5 ]] || fail "$stderr"
    assert_regex "$stderr" 'at µs +took µs +where +stage'
    assert_regex "$stderr" '[0-9]+\.[0-9] +[0-9]+\.[0-9]  child +execute|[0-9]+\.[0-9] +[0-9]+\.[0-9]  supervisor +payload runs'
}

@test "the plain start stays within its budget of system calls" {
    inside true # the first start brings in the host's resolv.conf
    run strace -f -c -o "$BATS_TEST_TMPDIR/count" "$NSPAWN" -q -P -D "$TREE" /bin/true
    assert_success
    local calls
    calls=$(awk '$NF == "total" { print $4 }' "$BATS_TEST_TMPDIR/count")
    # The goal is 300; some hosts need a few more (a limit that cannot be raised is asked for first).
    [[ $calls -gt 0 && $calls -le 305 ]] || fail "$calls system calls"
}

@test "the plain start loads no library" {
    run strace -f -e trace=openat -o "$BATS_TEST_TMPDIR/trace" "$NSPAWN" -q -P -D "$TREE" /bin/true
    assert_success
    run ! grep -E '\.so' "$BATS_TEST_TMPDIR/trace"
}
