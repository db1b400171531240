#!/usr/bin/env bash
# A user's week, from adopting keysift in an old repository to a push that was committed past its hooks. Each
# day checks how it ends and a word of what a newcomer reads.
#
#   tests/week.sh [KEYSIFT [REPOSITORY]]    default: target/release/keysift, and a repository made on the spot
set -euo pipefail
repository=${2:-}

# shellcheck source=tests/world.sh
source "$(dirname "$0")/world.sh"
mkdir "$world/bin"
ln -s "$keysift" "$world/bin/keysift"
export PATH=$world/bin:$PATH

passed=0
# Runs a command; checks its status, and words of what it says.
expect() { # NAME STATUS WORD... -- COMMAND...
    local name=$1 want=$2 got=0 words=()
    shift 2
    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    "$@" >"$world/log" 2>&1 || got=$?
    local word
    for word in "status $want" ${words[@]+"${words[@]}"}; do
        if [ "$word" = "status $want" ] && [ "$got" -eq "$want" ]; then continue; fi
        if [ "$word" != "status $want" ] && grep -qF -- "$word" "$world/log"; then continue; fi
        echo "FAILED: $name: status $got, wanted $want; looked for: $word"
        cat "$world/log"
        exit 1
    done
    if grep -qE 'gh[p]_[0-9A-Za-z]{36}' "$world/log"; then
        echo "FAILED: $name: it shows a secret"
        exit 1
    fi
    passed=$((passed + 1))
    echo "ok: $name"
}

day() { printf '%s: %s\n' "$1" "$2"; }

leak() { printf '%s = "%s"\n' "${3:-api_token}" "$(token "$2")" >>"$1"; }

# The old repository: secrets in its files, in its past, and in a message.
old=$world/old
if [ -n "$repository" ]; then
    git clone -q "$repository" "$old"
else
    git init -q "$old"
    mkdir -p "$old/config" "$old/src"
    leak "$old/config/production.env" 1
    leak "$old/src/client.py" 2
    echo hello >"$old/README"
    git -C "$old" add .
    git -C "$old" commit -qm 'it works'
    leak "$old/config/staging.env" 3
    git -C "$old" add .
    git -C "$old" commit -qm 'staging'
    git -C "$old" rm -q config/staging.env
    git -C "$old" commit -qm "no staging after all ($(token 4))"
fi
# Of a real repository it is not known what is in it, nor that all of it can be read.
quiet='by the baseline' allow=()
[ -z "$repository" ] || quiet='no secrets found' allow=(--allow-gaps "archive,lfs,submodule")
main=$(git -C "$old" symbolic-ref --short HEAD)
git clone -q --bare "$old" "$world/server"
printf '#!/bin/sh\nexec keysift hook pre-receive\n' >"$world/server/hooks/pre-receive"
chmod +x "$world/server/hooks/pre-receive"
git clone -q "$world/server" "$world/ada"
git clone -q "$world/server" "$world/bob"
cd "$world/ada"

day Monday 'adopt'
expect 'the first look is red' 1 'What to do' 'secret' -- keysift scan --history
expect 'a baseline of all that is there' 0 'known finding' -- keysift baseline create --history --reason 'before keysift'
expect 'the tree is quiet' 0 "$quiet" -- keysift scan ${allow[@]+"${allow[@]}"}
expect 'the history is quiet' 0 "$quiet" -- keysift scan --history ${allow[@]+"${allow[@]}"}
expect 'hooks' 0 'pre-commit' -- keysift install
echo '.keysift-baseline merge=union' >>.gitattributes
git add .keysift-baseline .gitattributes
expect 'the baseline holds no secret' 0 -- git commit -qm 'Adopt keysift'
expect 'what is pushed next is clean' 0 -- git push -q origin "$main"
expect 'what is not protected yet' 1 'not protected: ci' -- keysift doctor

day Tuesday 'a colleague moves and renames files'
cd "$world/bob"
git pull -q
expect 'hooks at the colleague'"'"'s' 0 'pre-push' -- keysift install
mkdir -p deploy
if [ -z "$repository" ]; then
    git mv config/production.env deploy/live.env
    git mv src/client.py src/api_client.py
    sed -i 's/^/    /; s/$/\r/' src/api_client.py # indented anew, and with other line ends
else
    # Whatever has a finding in HEAD.
    keysift scan --no-inline --baseline /dev/null --format json --output "$world/all.json" || true
    python3 -c 'import json,sys; print("\n".join(sorted({l["path"] for f in json.load(open(sys.argv[1]))["findings"] for l in f["locations"] if l.get("place", "content") == "content"})[:3]))' \
        "$world/all.json" | while read -r path; do
        if [ -n "$path" ]; then git mv "$path" "deploy/moved-$(basename "$path")"; fi
    done
fi
git add -A
expect 'moves are no news' 0 -- git commit --allow-empty -qm 'Tidy up'
expect 'nor for a scan' 0 'no secrets found' -- keysift scan ${allow[@]+"${allow[@]}"}
expect 'the baseline follows' 0 'known in all' -- keysift baseline update --history
git add -A
expect 'and is committed' 0 -- git commit --allow-empty -qm 'Let the baseline follow'
expect 'and pushed' 0 -- git push -q origin "$main"

day Wednesday 'a new secret arrives on a known line'
cd "$world/ada"
git pull -q
known=deploy/live.env
if [ -n "$repository" ]; then
    known=deploy/known.env
    mkdir -p deploy
    leak "$known" 1
    git add "$known"
    keysift baseline update --staged >/dev/null
    git add .keysift-baseline
    git commit -qm 'a known one'
fi
sed -i "s/\$/ $(token 5)/" "$known"
expect 'it stops the commit' 1 "$known:1" 'keysift stopped this commit' 'keysift:allow' -- git commit -qam 'rotate'
git checkout -q -- "$known"
leak .env 6
git add -f .env
expect 'so does a new file' 1 '.env:1' 'nothing is committed yet' -- git commit -qm 'local settings'
git rm -q --cached -f .env
rm .env
expect 'and a message' 1 'commit message:1' -- git commit --allow-empty -qm "use $(token 7)"

day Thursday 'a rebase, and a merge of two baselines'
git checkout -q -b feature
leak feature.env 8 feature_token
git add feature.env
expect 'a test account is accepted, with a reason' 0 'added' -- keysift baseline update --staged --reason 'test account' --by ada
git add .keysift-baseline
expect 'then it may be committed' 0 -- git commit -qm 'A feature'
git checkout -q "$main"
leak other.env 9 other_token
git add other.env
keysift baseline update --staged --reason 'another test account' >/dev/null
git add .keysift-baseline
git commit -qm 'Meanwhile'
git checkout -q feature
git branch -q before-rebase
expect 'the branch is rebased' 0 -- git rebase -q "$main"
expect 'and known as before' 0 'no secrets found' -- keysift scan --history "$main..feature"
git checkout -q "$main"
expect 'two edited baselines merge by themselves' 0 -- git merge -q --no-ff -m 'Merge the feature' before-rebase
expect 'and both hold' 0 'no secrets found' -- keysift scan ${allow[@]+"${allow[@]}"}
git branch -q -D feature before-rebase
expect 'the server does not take the change'"'"'s own word' 1 'stopped this push' 'entries to the baseline' \
    -- git push -q --no-verify origin "$main"
git push -q --no-verify "$world/old" "HEAD:refs/heads/accepted" # somebody with the right to do so looks at it
git -C "$world/server" fetch -q "$world/old" "accepted:$main"
git fetch -q
expect 'until somebody has accepted it' 0 -- git push -q origin "$main"

day Friday 'a pull request that tries to switch the gate off'
git checkout -q -b sly
leak sly.env 10
echo '*' >.keysiftignore
git add -f sly.env .keysiftignore
git commit -q --no-verify -m 'Ignore noise'
expect 'by its own rules it would be clean' 0 'hides every file' -- keysift scan --history "$main..sly"
# shellcheck disable=SC2016 # The report has these backticks.
expect 'by those of the target it is not' 1 'sly.env:1' 'adds `*` to the ignore file' \
    -- keysift scan --history "$main..sly" --policy-from "$main"
export GITLAB_CI=true CI_MERGE_REQUEST_TARGET_BRANCH_NAME=$main
expect 'a merge request finds its target by itself' 1 'sly.env:1' -- keysift scan --history "$main..sly"
unset GITLAB_CI CI_MERGE_REQUEST_TARGET_BRANCH_NAME
expect 'unless the reviewer allows it' 0 'allowed' -- keysift scan --history "$main..sly" --policy-from "$main" --allow-policy-changes

day Saturday 'a push that was committed with --no-verify'
expect 'the own hook stops it' 1 'stopped this push' 'sly.env:1' -- git push origin sly:night
git rm -q sly.env .keysiftignore
git commit -q --no-verify -m 'never mind'
expect 'taken out again is not out of the history' 1 'sly.env:1' 'git rebase -i' -- git push origin sly:night
expect 'past that hook, the server refuses' 1 'remote: keysift stopped this push' 'remote rejected' -- git push --no-verify origin sly:night
git reset -q --hard "$main"
expect 'without it all is well' 0 -- git push -q origin sly:night

day Sunday 'what is left'
expect 'entries that nothing needs are dropped' 0 'left' -- keysift baseline prune --history
expect 'and all is quiet' 0 'no secrets found' -- keysift scan ${allow[@]+"${allow[@]}"}
echo "$passed steps, each ended as it should"
