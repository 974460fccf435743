# What the cases share, inside the machine.
number=0

# expect STATUS PATTERN NAME COMMAND...: the command's exit status, and a line of its output; and nothing is left behind:
# left_behind, which each file of cases defines, says nothing.
expect() {
    status=$1 pattern=$2 name=$3
    shift 3
    number=$((number + 1))
    output=$("$@" 2>&1 </dev/null)
    got=$?
    sleep 0.2 # the last user of a device lets go of it in its own time
    left=$(left_behind)
    if [ "$got" = "$status" ] && echo "$output" | grep -qE -- "$pattern" && [ -z "$left" ]; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name"
        echo "# status $got, left behind: $left"
        echo "$output" | sed 's/^/# /'
        dmesg | tail -n 4 | sed 's/^/# kernel: /'
    fi
}
run() { timeout 120 nspawn -q -P "$@"; }
