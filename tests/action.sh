#!/usr/bin/env bash
# Runs the GitHub Action's scan in real repositories, under the environment that GitHub gives it.
#
#   tests/action.sh [KEYSIFT]      default: target/release/keysift
set -euo pipefail

# shellcheck source=tests/world.sh
source "$(dirname "$0")/world.sh"

passed=0
# Runs the action in a clone; checks status, findings and a word of the log.
expect() { # NAME STATUS FINDINGS WORD CLONE [NAME=VALUE]...
    local name=$1 status=$2 findings=$3 word=$4 clone=$5 got=0
    shift 5
    : >"$world/output"
    : >"$world/summary"
    rm -f "$world/keysift.sarif"
    (cd "$clone" && env KEYSIFT="$keysift" RUNNER_TEMP="$world" GITHUB_OUTPUT="$world/output" \
        GITHUB_STEP_SUMMARY="$world/summary" GITHUB_ACTIONS=true CI=true "$@" \
        "$root/action/scan.sh") >"$world/log" 2>&1 || got=$?
    if [ "$got" -ne "$status" ] || ! grep -qx "exit-status=$status" "$world/output" ||
        ! grep -qx "findings=$findings" "$world/output" || ! grep -qF -- "$word" "$world/log"; then
        echo "FAILED: $name: wanted status $status, $findings findings, \"$word\"; got status $got"
        cat "$world/output" "$world/log"
        exit 1
    fi
    if [ "$status" -ne 2 ] && grep -q '^sarif-path=' "$world/output"; then
        python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["version"] == "2.1.0"' "$world/keysift.sarif"
        grep -q '^### keysift' "$world/summary"
    fi
    if grep -rqE 'gh[p]_[0-9A-Za-z]{36}' "$world/log" "$world/output" "$world/summary" "$world/keysift.sarif" 2>/dev/null; then
        echo "FAILED: $name: a secret is in what the action wrote"
        exit 1
    fi
    passed=$((passed + 1))
    echo "ok: $name"
}

# The remote: an old secret on main, a branch that comes with one, merged branches, much history.
origin=$world/origin
git init -q "$origin"
for n in 1 2 3; do commit "$origin" "a$n"; done
commit "$origin" old.env 1
base=$(git -C "$origin" rev-parse HEAD)
git -C "$origin" checkout -q -b clean
for _ in $(seq 130); do commit "$origin" long; done
clean=$(git -C "$origin" rev-parse HEAD)
git -C "$origin" checkout -q -b feature "$base"
commit "$origin" b
git -C "$origin" checkout -q -b side
commit "$origin" side.env 2
git -C "$origin" checkout -q feature
commit "$origin" c
git -C "$origin" merge -q --no-ff -m 'merge side' side
git -C "$origin" rm -q side.env
git -C "$origin" commit -qm 'take it out'
feature=$(git -C "$origin" rev-parse HEAD)
git -C "$origin" branch -q -D side
git -C "$origin" checkout -q main
commit "$origin" later.env 3
main=$(git -C "$origin" rev-parse HEAD)
git -C "$origin" checkout -q -b sly
echo '*' >"$origin/.keysiftignore"
git -C "$origin" add .keysiftignore
commit "$origin" sly.env 4
sly=$(git -C "$origin" rev-parse HEAD)
git -C "$origin" checkout -q main
url=file://$origin

clone() { # NAME [ARGS]
    git clone -q "${@:2}" "$url" "$world/$1" 2>/dev/null
    echo "$world/$1"
}
checkout() { # NAME COMMIT: as actions/checkout does it: one commit, on no branch
    git init -q "$world/$1"
    git -C "$world/$1" remote add origin "$url"
    git -C "$world/$1" fetch -q --depth=1 origin "$2"
    git -C "$world/$1" checkout -q FETCH_HEAD
    echo "$world/$1"
}
full=$(clone full)
zero=0000000000000000000000000000000000000000
pull=(GITHUB_EVENT_NAME=pull_request "EVENT_BASE=$main")
push=(GITHUB_EVENT_NAME=push EVENT_DEFAULT_BRANCH=main)

expect 'pull request, whole clone: the merged and removed secret, not those of main' \
    1 1 'side.env' "$full" "${pull[@]}" "EVENT_HEAD=$feature"
expect 'the same, as text' 1 1 'no longer in HEAD' "$full" "${pull[@]}" "EVENT_HEAD=$feature" KEYSIFT_ANNOTATIONS=false
expect 'the same, findings do not end it' 0 1 'side.env' "$full" "${pull[@]}" "EVENT_HEAD=$feature" KEYSIFT_ARGS=--exit-zero
expect 'pull request, one commit fetched: deepened' \
    1 1 'fetching 100 more' "$(checkout pr "$feature")" "${pull[@]}" "EVENT_HEAD=$feature"
expect 'clean pull request of 130 commits, one commit fetched: deepened twice' \
    0 0 'fetching 1000 more' "$(checkout pr-long "$clean")" "${pull[@]}" "EVENT_HEAD=$clean"
expect 'a pull request that ignores its own secret' 1 1 'sly.env' "$(checkout sly "$sly")" "${pull[@]}" "EVENT_HEAD=$sly"
# shellcheck disable=SC2016 # The report has these backticks.
expect 'what it does to the policy is said' 1 1 'adds `*` to the ignore file' "$(checkout sly-text "$sly")" "${pull[@]}" "EVENT_HEAD=$sly" KEYSIFT_ANNOTATIONS=false
expect 'the same, of its tree' 1 3 'sly.env' "$(checkout sly-tree "$sly")" "${pull[@]}" "EVENT_HEAD=$sly" KEYSIFT_SCAN=tree
expect 'the same, allowed' 0 0 '' "$(checkout sly-allowed "$sly")" "${pull[@]}" "EVENT_HEAD=$sly" KEYSIFT_ARGS=--allow-policy-changes
away=$(checkout away "$feature")
git -C "$away" remote set-url origin "file://$world/gone"
expect 'pull request, nothing can be fetched: an error that says what to do' \
    2 '' 'fetch-depth: 0' "$away" "${pull[@]}" "EVENT_HEAD=$feature"
expect 'push' 1 1 'later.env' "$full" "${push[@]}" "EVENT_BEFORE=$base" "EVENT_AFTER=$main" EVENT_REF=refs/heads/main
expect 'push, one commit fetched' \
    1 1 'later.env' "$(checkout push "$main")" "${push[@]}" "EVENT_BEFORE=$base" "EVENT_AFTER=$main" EVENT_REF=refs/heads/main
expect 'push of a new branch' 1 1 'side.env' "$full" "${push[@]}" "EVENT_BEFORE=$zero" "EVENT_AFTER=$feature" EVENT_REF=refs/heads/feature
expect 'push of a new branch, one commit fetched' \
    1 1 'side.env' "$(checkout new "$feature")" "${push[@]}" "EVENT_BEFORE=$zero" "EVENT_AFTER=$feature" EVENT_REF=refs/heads/feature
expect 'push of a new branch, zeros of SHA-256' \
    1 1 'side.env' "$full" "${push[@]}" "EVENT_BEFORE=${zero}000000000000000000000000" "EVENT_AFTER=$feature" EVENT_REF=refs/heads/feature
expect 'first push of the default branch: all of it' \
    1 2 'old.env' "$(checkout first "$main")" "${push[@]}" "EVENT_BEFORE=$zero" "EVENT_AFTER=$main" EVENT_REF=refs/heads/main
expect 'forced push: what was before is gone' \
    0 0 'is gone' "$full" "${push[@]}" EVENT_BEFORE=1111111111111111111111111111111111111111 "EVENT_AFTER=$clean" EVENT_REF=refs/heads/clean
expect 'deleted branch' 0 0 'nothing to scan' "$full" "${push[@]}" "EVENT_BEFORE=$feature" "EVENT_AFTER=$zero" EVENT_REF=refs/heads/x
expect 'schedule: the whole history, every branch' 1 4 'whole history' "$full" GITHUB_EVENT_NAME=schedule
expect 'schedule, shallow: fetched first' 1 4 'whole history' "$(clone shallow --depth=1)" GITHUB_EVENT_NAME=schedule
lost=$(clone lost --depth=1 --branch clean)
git -C "$lost" remote set-url origin "file://$world/gone"
expect 'schedule, shallow, nothing can be fetched: not green' 3 0 'shallow' "$lost" GITHUB_EVENT_NAME=schedule KEYSIFT_ARGS='--skip-rule github-classic-pat --skip-rule generic-credential'
expect 'tree' 1 2 'later.env' "$full" GITHUB_EVENT_NAME=push KEYSIFT_SCAN=tree
expect 'range without a range' 2 '' 'scan: range works for' "$full" GITHUB_EVENT_NAME=schedule KEYSIFT_SCAN=range
expect 'an unknown scan' 2 '' 'unknown' "$full" KEYSIFT_SCAN=everything
expect 'a wrong argument' 2 '' 'ended with status 2' "$full" GITHUB_EVENT_NAME=schedule KEYSIFT_ARGS=--no-such-flag
mkdir "$world/folder"
expect 'no repository' 2 '' 'actions/checkout' "$world/folder" GITHUB_EVENT_NAME=push GIT_CEILING_DIRECTORIES="$world"

key=$("$root/action/install.sh" key)
[[ $key =~ ^keysift-[A-Za-z0-9_.-]+-[0-9a-f]{16}$ ]] || { echo "FAILED: key $key"; exit 1; }
KEYSIFT_VERSION=latest "$root/action/install.sh" release "$world/no" >"$world/log" && { echo 'FAILED: took latest'; exit 1; }
# A release made here, taken over file://: right, and with a wrong checksum.
case $(uname -s)-$(uname -m) in
    Linux-x86_64) target=x86_64-unknown-linux-musl ;;
    Linux-aarch64) target=aarch64-unknown-linux-musl ;;
    *) target= ;;
esac
if [ -n "$target" ]; then
    mkdir -p "$world/releases/v9.9.9/keysift-9.9.9-$target"
    cp "$keysift" "$world/releases/v9.9.9/keysift-9.9.9-$target/keysift"
    (cd "$world/releases/v9.9.9" && tar -czf "keysift-9.9.9-$target.tar.gz" "keysift-9.9.9-$target" && sha256sum ./*.tar.gz | sed 's, \./, ,' >SHA256SUMS)
    export KEYSIFT_VERSION=9.9.9 KEYSIFT_RELEASES=file://$world/releases
    "$root/action/install.sh" release "$world/got" >/dev/null && "$world/got/bin/keysift" --version >/dev/null
    if KEYSIFT_SHA256=$(printf '0%.0s' {1..64}) "$root/action/install.sh" release "$world/no" >"$world/log" 2>&1; then
        echo 'FAILED: took an archive with a wrong checksum'
        exit 1
    fi
    grep -q 'checksum' "$world/log"
fi
echo "$passed scans and the installation as expected"
