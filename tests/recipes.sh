#!/usr/bin/env bash
# Runs the hooks that README.md and docs/ci.md tell people to use, taken from their text, in real repositories;
# and .pre-commit-hooks.yaml under the real pre-commit, where that is installed.
#
#   tests/recipes.sh [KEYSIFT]      default: target/release/keysift
set -euo pipefail

# shellcheck source=tests/world.sh
source "$(dirname "$0")/world.sh"

mkdir "$world/bin"
ln -s "$keysift" "$world/bin/keysift"
export PATH=$world/bin:$PATH

# The nth block of shell in a page.
block() { # PAGE N
    awk -v want="$2" '/^```sh$/ { n++; on = 1; next } /^```$/ { on = 0 } on && n == want' "$root/$1"
}

passed=0
# Runs a command; checks that it passes or is stopped, and a word of what it says.
check() { # NAME passes|stops WORD COMMAND...
    local name=$1 want=$2 word=$3 got=passes
    shift 3
    "$@" >"$world/log" 2>&1 || got=stops
    if [ "$got" != "$want" ] || ! grep -qF -- "$word" "$world/log"; then
        echo "FAILED: $name: wanted $want and \"$word\", it $got"
        cat "$world/log"
        exit 1
    fi
    passed=$((passed + 1))
    echo "ok: $name"
}

repository() { # NAME
    git init -q "$world/$1"
    echo hello >"$world/$1/README"
    git -C "$world/$1" add README
    git -C "$world/$1" commit -qm first
    cd "$world/$1"
}

leak() { echo "token = $(token "$2")" >"$1"; git add "$1"; }

hook() { # FILE: from standard input
    cat >"$1"
    chmod +x "$1"
    head -n 1 "$1" | grep -q '^#!/bin/sh' # the block was found
}

repository readme
sh -c "$(block README.md 3)" >/dev/null
leak a.env 1
check 'README: a commit with a secret' stops 'a.env:1' git commit -m no
git rm -q --cached a.env && rm a.env && echo fine >fine && git add fine
check 'README: a clean commit' passes '' git commit -m yes

git init -q --bare "$world/server"
repository plain
git remote add origin "$world/server"
sh -c "$(block docs/ci.md 1)" >/dev/null
block docs/ci.md 2 | hook "$world/server/hooks/pre-receive"
check 'push of a new, clean branch' passes '' git push origin main
leak b.env 2
check 'a commit with a secret' stops 'b.env:1' git commit -m no
git rm -q --cached b.env && rm b.env
echo "token = $(token 2)" >>README
check 'commit -a' stops 'README:2' git commit -a -m no
check 'commit PATH' stops 'README:2' git commit -m no README
git checkout -q README
git checkout -q -b side
leak side.env 3
git commit -q --no-verify -m bypassed
git checkout -q main
echo other >other && git add other
git commit -qm other >"$world/log" 2>&1
check 'a conflict-free merge' stops 'side.env:1' git merge --no-ff -m merge side
git merge --abort
git checkout -q side
git rm -q side.env
git commit -qm 'take it out' >/dev/null 2>&1
check 'a push of a secret and its removal' stops 'side.env:1' git push origin side
check 'the same, past the hook: the server refuses it' stops 'remote rejected' git push --no-verify origin side
git checkout -q main
check 'a clean push' passes '' git push origin main
git tag -a v1 -m 'a tag'
check 'a push of a tag' passes '' git push origin v1
check 'a push that deletes' passes '' git push origin :v1

if command -v pre-commit >/dev/null; then
    export PRE_COMMIT_HOME=$world/pre-commit
    git init -q "$world/hooks"
    cp "$root/.pre-commit-hooks.yaml" "$world/hooks"
    git -C "$world/hooks" add .pre-commit-hooks.yaml
    git -C "$world/hooks" commit -qm hooks
    git init -q --bare "$world/target"
    repository framework
    git remote add origin "$world/target"
    printf '%s\n' 'default_install_hook_types: [pre-commit, pre-merge-commit, pre-push]' 'repos:' "- repo: $world/hooks" \
        "  rev: $(git -C "$world/hooks" rev-parse HEAD)" '  hooks: [{id: keysift-system}]' >.pre-commit-config.yaml
    pre-commit install --install-hooks >/dev/null
    git add .
    check 'pre-commit: a clean commit' passes Passed git commit -m config
    check 'pre-commit: the first push' passes Passed git push origin main
    leak c.env 4
    check 'pre-commit: a commit with a secret' stops 'c.env:1' git commit -m no
    git rm -q --cached c.env && rm c.env
    echo "token = $(token 4)" >>README
    check 'pre-commit: commit -a' stops 'README:2' git commit -a -m no
    check 'pre-commit: commit PATH' stops 'README:2' git commit -m no README
    echo fine >fine && git add fine
    check 'pre-commit: what is not staged is not committed' passes Passed git commit -m fine
    git checkout -q README
    git checkout -q -b side
    leak side.env 5
    git commit -q --no-verify -m bypassed
    check 'pre-commit: --all-files, nothing staged' stops 'side.env:1' pre-commit run --all-files
    check 'pre-commit: --files of what is not staged' stops 'side.env:1' pre-commit run --files side.env
    check 'pre-commit: --from-ref' stops 'side.env:1' pre-commit run --from-ref main --to-ref side
    git checkout -q main
    check 'pre-commit: --all-files, clean' passes Passed pre-commit run --all-files
    check 'pre-commit: the manual stage' passes Passed pre-commit run --hook-stage manual
    echo other >other && git add other
    git commit -qm other >"$world/log" 2>&1
    check 'pre-commit: a conflict-free merge' stops 'side.env:1' git merge --no-ff -m merge side
    git merge --abort
    git checkout -q side
    git rm -q side.env
    git commit -qm 'take it out' >/dev/null 2>&1
    check 'pre-commit: a push of a secret and its removal' stops 'side.env:1' git push origin side
else
    echo 'pre-commit is not installed: its part is left out'
fi
echo "$passed hooks as the documentation says"
