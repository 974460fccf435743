# Lets an interactive zsh complete with the generated file. Usage: zsh -f complete.zsh DIRECTORY_OF_GENERATED_DOCS
zmodload zsh/zpty
failures=0
directory=$1

zpty shell zsh -f -i
# Tab completes; Ctrl-X prints what the line has become; Ctrl-U empties it.
zpty -w shell "PS1= RPS1=; unsetopt prompt_sp prompt_cr auto_list; fpath=( ${(q)directory} \$fpath )
autoload -Uz compinit && compinit -u -D
show() { print -r -- \"[[\$BUFFER]]\" }; zle -N show
bindkey '^I' complete-word '^X' show '^U' kill-whole-line; print -r 'REA''DY'"
zpty -r shell seen '*READY*'

# check LINE EXPECTED
check() {
  local seen
  zpty -wn shell $'\x15'"$1"$'\t\x18'
  zpty -r shell seen '*\[\[*\]\]*'
  seen=${${seen##*\[\[}%%\]\]*}
  if [[ $seen != "$2" ]]; then
    print -r -- "completing \"$1\": expected \"$2\", got \"$seen\""
    (( ++failures ))
  fi
}

check 'nspawn --con' 'nspawn --console='
check 'nspawn --console=pass' 'nspawn --console=passive '
check 'systemd-nspawn --volatile=st' 'systemd-nspawn --volatile=state '
check 'nspawn -D /usr --show' 'nspawn -D /usr --show-config '
check 'nspawn -D /usr /bin/sh --show' 'nspawn -D /usr /bin/sh --show'
check 'nspawn --capability=CAP_CHOWN,CAP_NET_A' 'nspawn --capability=CAP_CHOWN,CAP_NET_ADMIN,'
zpty -d shell
exit $(( failures > 0 ))
