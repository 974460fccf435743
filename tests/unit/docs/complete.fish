# Sources the generated fish completion and completes with it. Usage: fish complete.fish DIRECTORY_OF_GENERATED_DOCS
source $argv[1]/nspawn.fish; or exit 1
set --global failures 0

# check LINE EXPECTED...: the completions of the line's end, without their descriptions.
function check
    set --local got (complete --do-complete "$argv[1]" | string replace --regex '\t.*' '')
    if test "$got" != "$argv[2..]"
        echo "completing \"$argv[1]\": expected \"$argv[2..]\", got \"$got\""
        set failures (math $failures + 1)
    end
end

check 'nspawn --con' --console
check 'nspawn --console=pass' --console=passive
check 'nspawn --console pass' passive
check 'nspawn --volatile=s' --volatile=state
check 'nspawn -u roo' root
check 'nspawn --capability=CAP_CHOWN,CAP_NET_A' --capability=CAP_CHOWN,CAP_NET_ADMIN
check 'nspawn -D /tree --console pipe --show' --show-config
check 'nspawn -xbD /tree --show' --show-config
check 'nspawn -D /tree /bin/sh --show'
test $failures -eq 0
