#!/usr/bin/env bats
# The console on a real pseudo terminal; the scenarios are in console.py. Byte-exact pipes are in run.bats.

load helpers

on_terminal() { timeout --kill-after=5 120 python3 "$TESTS/root/console.py" "$1" "$TREE" 3>&-; }

@test "a shell on a terminal: typing, answers, raw mode, status" { on_terminal shell; }
@test "-a on a terminal: the command holds the terminal, not the stub" { on_terminal as_pid2; }
@test "^C goes to the payload" { on_terminal interrupt; }
@test "^] three times at once ends the container" { on_terminal kill_keys; }
@test "^] three times within a second, one by one" { on_terminal kill_keys_split; }
@test "^] too slowly is nothing" { on_terminal kill_keys_slowly; }
@test "size and resize" { on_terminal resize; }
@test "SIGTERM restores the terminal" { on_terminal term_restores; }
@test "power off inside restores the terminal, whatever the payload did to its own" { on_terminal payload_death_restores; }
@test "a command that is not found restores the terminal" { on_terminal exec_failure_restores; }
@test "output without a line end is ended" { on_terminal last_line; }
@test "200000 lines come through whole" { on_terminal output_flood; }
@test "64 kB of input come through whole" { on_terminal input_flood; }
@test "escape sequences and binary bytes come through" { on_terminal binary_output; }
@test "a reboot keeps the terminal" { on_terminal reboot; }
@test "--background" { on_terminal background; }
@test "--console=read-only" { on_terminal read_only; }
@test "--console=passive" { on_terminal passive; }
@test "--console=pipe on a terminal" { on_terminal pipe; }
@test "--console=autopipe" { on_terminal autopipe; }
@test "terminal in, pipe out" { on_terminal stdout_elsewhere; }
@test "the terminal goes away" { on_terminal hang_up; }
@test "stop and continue" { on_terminal stop_and_continue; }
@test "stop and foreground, in a shell with job control" { on_terminal stop_and_foreground; }
