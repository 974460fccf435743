#!/usr/bin/env bats
# Talking to a service manager: readiness, status, socket activation, and what a host without systemd lacks.

load helpers

# listener COMMAND...: run the command with NOTIFY_SOCKET set; every message it sends goes to $BATS_TEST_TMPDIR/notify.
with_notify_socket() {
    timeout --kill-after=5 60 python3 - "$BATS_TEST_TMPDIR/notify" "$@" 3>&- <<'END'
import os, select, socket, subprocess, sys, tempfile, time
log, command = sys.argv[1], sys.argv[2:]
with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "socket")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(path)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env={**os.environ, "NOTIFY_SOCKET": path})
    start = time.monotonic()
    with open(log, "w") as out:
        while True:
            ended = process.poll() is not None
            while select.select([server], [], [], 0.05)[0]:
                for line in server.recv(65536).decode(errors="replace").splitlines():
                    print(f"{time.monotonic() - start:.2f} {line}", file=out, flush=True)
            if ended:
                break
    sys.exit(process.returncode)
END
}

@test "READY=1, the leader's pid and a status line are sent; the end says STOPPING=1" {
    run with_notify_socket "$NSPAWN" -q -P -D "$TREE" true
    assert_success
    run cut -d' ' -f2- "$BATS_TEST_TMPDIR/notify"
    assert_line READY=1
    assert_line --regexp '^STATUS=Container running'
    assert_line --regexp '^X_NSPAWN_LEADER_PID=[0-9]+$'
    assert_line STOPPING=1
}

@test "--notify-ready=yes: READY=1 only when PID 1 says so, and its STATUS= is passed on" {
    printf '#!/bin/sh\nsleep 1\nprobe notify STATUS=working\nexec probe notify READY=1\n' >"$TREE/usr/bin/slow"
    # PID 1 itself has to send: messages of other processes do not count.
    cat >"$TREE/usr/bin/child" <<'END'
#!/bin/sh
probe notify READY=1
sleep 1
exec probe notify STATUS=late READY=1
END
    chmod +x "$TREE"/usr/bin/{slow,child}
    run with_notify_socket "$NSPAWN" -q -P --notify-ready=yes -D "$TREE" child
    assert_success
    run awk '$2 == "READY=1" { print ($1 >= 0.9) ? "in time" : "too early" }' "$BATS_TEST_TMPDIR/notify"
    assert_output 'in time'
    run cut -d' ' -f2- "$BATS_TEST_TMPDIR/notify"
    assert_line 'STATUS=Container running: late'
}

@test "--notify-ready=yes: a payload that never says it is never ready" {
    run with_notify_socket "$NSPAWN" -q -P --notify-ready=yes -D "$TREE" true
    assert_success
    refute grep -q READY=1 "$BATS_TEST_TMPDIR/notify"
}

@test "the host's own NOTIFY_SOCKET is not the payload's" {
    run with_notify_socket "$NSPAWN" -q -P -D "$TREE" sh -c 'echo $NOTIFY_SOCKET'
    assert_output /run/host/notify
}

@test "a notify socket that is gone or in the abstract namespace is no reason to fail" {
    NOTIFY_SOCKET=/no/such/socket run inside true
    assert_success
    NOTIFY_SOCKET=@nobody-listens-here run inside true
    assert_success
}

@test "socket activation: descriptors go through with their number, LISTEN_PID is 1" {
    timeout --kill-after=5 60 python3 - "$NSPAWN" "$TREE" 3>&- <<'END'
import os, socket, subprocess, sys
program, tree = sys.argv[1:]
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
def child():
    os.dup2(server.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ["LISTEN_FDS"] = "1"
    os.environ["LISTEN_PID"] = str(os.getpid())
pid = os.fork()
if pid == 0:
    child()
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.execv(program, [program, "-q", "-P", "-D", tree, "probe", "serve"])
peer = socket.create_connection(("127.0.0.1", port))
text = peer.makefile().read()
_, status = os.waitpid(pid, 0)
assert text == "hello from process 1, LISTEN_FDS=1 LISTEN_PID=1\n", text
assert status == 0, status
END
}

@test "socket activation meant for another process is not passed on" {
    LISTEN_FDS=1 LISTEN_PID=1 run inside sh -c 'echo "<$LISTEN_FDS$LISTEN_PID>"; probe fds'
    assert_line '<>'
    refute_line --regexp '^3 '
}

@test "socket activation with several descriptors in every console mode" {
    local mode
    for mode in -P '--console=read-only' '-P -a'; do
        # shellcheck disable=SC2086
        run bash -c 'exec 3</dev/null 4</dev/zero 5<&-; export LISTEN_FDS=2 LISTEN_PID=$$; tree=$1; shift; exec "$NSPAWN" -q "$@" -D "$tree" probe fds </dev/null' _ "$TREE" $mode
        assert_success
        assert_line --partial '3 /dev/null'
        assert_line --partial '4 /dev/zero'
        refute_line --regexp '^[5-9] '
    done
}

@test "no bus, no machined, no udev: a start asks for none of them" {
    run strace -f -qq -e trace=connect,openat -o "$BATS_TEST_TMPDIR/trace" "$NSPAWN" -q -P -D "$TREE" true
    assert_success
    refute grep -E 'dbus|/run/systemd/(private|machine)|/run/udev' "$BATS_TEST_TMPDIR/trace"
}
