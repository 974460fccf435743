#!/bin/bash
# Sources the generated bash completion and completes with it. Usage: complete.bash DIRECTORY_OF_GENERATED_DOCS
source "$1/nspawn.bash" || exit 1
failures=0

# check EXPECTED WORD...: the completions of the last word, separated by blanks. "--name=value" is three words.
check() {
    local expected=$1
    shift
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _nspawn 2>/dev/null # compopt complains, since no completion is running
    if [[ "${COMPREPLY[*]}" != "$expected" ]]; then
        printf 'completing "%s": expected "%s", got "%s"\n' "$*" "$expected" "${COMPREPLY[*]}"
        failures=$((failures + 1))
    fi
}

check '--console=' nspawn --con
check 'passive' nspawn --console = pass
check 'no yes override trusted' nspawn --settings =
check 'state' nspawn --volatile = s
check 'no yes' nspawn --register ''
check 'root' nspawn -u roo
check 'root' nspawn --user = roo
check '/usr' nspawn -D /usr
check '/usr' nspawn -xbD /usr
check 'CAP_CHOWN,CAP_NET_ADMIN' nspawn --capability = CAP_CHOWN,CAP_NET_A
check '--volatile' nspawn -D /tree --console = pipe --vol
check '' nspawn -D /tree /bin/sh --vol
check '' nspawn -- --vol
check '' nspawn --no-such-option
complete -p nspawn systemd-nspawn >/dev/null || failures=$((failures + 1))
exit $((failures > 0))
