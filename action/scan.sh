#!/usr/bin/env bash
# The GitHub Action's scan: works out what the event brings, makes sure that the clone holds it, scans it,
# writes SARIF, and says on GITHUB_OUTPUT what came of it. Runs anywhere: tests/action.sh drives it.
#
#   KEYSIFT              the program (default: keysift)
#   KEYSIFT_SCAN         auto (default), range, history, tree
#   KEYSIFT_ARGS         more arguments for `keysift scan`, separated by white space
#   KEYSIFT_SARIF        where the SARIF report goes (default: $RUNNER_TEMP/keysift.sarif)
#   KEYSIFT_ANNOTATIONS  true (default): findings as annotations; false: as text
#   KEYSIFT_REMOTE       the remote to deepen from (default: origin)
#   EVENT_BASE, EVENT_HEAD           pull_request, merge_group: base and head commit
#   EVENT_BEFORE, EVENT_AFTER        push: what the ref was and is
#   EVENT_REF, EVENT_DEFAULT_BRANCH  the pushed ref, the repository's default branch
#
# Ends with keysift's own status: 0 clean, 1 findings, 2 error, 3 not everything was covered.
set -euo pipefail

keysift=${KEYSIFT:-keysift}
remote=${KEYSIFT_REMOTE:-origin}
sarif=${KEYSIFT_SARIF:-${RUNNER_TEMP:-${TMPDIR:-/tmp}}/keysift.sarif}
event=${GITHUB_EVENT_NAME:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

output() { # NAME VALUE
    if [ -n "${GITHUB_OUTPUT:-}" ]; then printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; fi
}

note() { # LEVEL TEXT
    printf '::%s title=keysift::%s\n' "$1" "$2"
}

finish() { # STATUS [FINDINGS]
    output exit-status "$1"
    output findings "${2:-}"
    exit "$1"
}

fail() { # TEXT
    note error "$1"
    finish 2
}

is_zero() { case $1 in *[!0]*) return 1 ;; '') return 1 ;; *) return 0 ;; esac; }

has() { git cat-file -e "$1^{commit}" 2>/dev/null; }

is_shallow() { [ "$(git rev-parse --is-shallow-repository)" = true ]; }

fetch() { git fetch --quiet --no-tags "$remote" "$@" 2>"$work/fetch"; }

# Makes sure that a commit is there.
need() { # COMMIT
    local depth=()
    if is_shallow; then depth=(--depth=1); fi
    has "$1" || fetch ${depth[@]+"${depth[@]}"} "$1" || true
    has "$1"
}

# Whether the commits of a range lie open: none of them ends at a shallow boundary.
is_open() { # ARGS of rev-list
    is_shallow || return 0
    git rev-list "$@" | sort >"$work/range"
    sort "$(git rev-parse --git-path shallow)" | comm -12 - "$work/range" >"$work/ends"
    [ ! -s "$work/ends" ]
}

# Deepens the clone until a range lies open.
deepen() { # COMMIT or ^COMMIT ...
    local by
    for by in 100 1000 10000; do
        is_open "$@" && return 0
        echo "The clone is too shallow: fetching $by more commits"
        # By name: the heads of pull requests are on no branch of the remote.
        fetch --deepen="$by" "${@#^}" || break
    done
    is_open "$@" && return 0
    fetch --unshallow "${@#^}" || true
    is_open "$@"
}

too_shallow() {
    [ ! -s "$work/fetch" ] || sed 's/^/git fetch: /' "$work/fetch"
    fail "the clone does not hold what is to be scanned, and it could not be fetched; check out with fetch-depth: 0 (and persist-credentials: true)"
}

# What the default branch does not have: for new branches, and where what was before is gone.
beyond_default() { # COMMIT
    local default=${EVENT_DEFAULT_BRANCH:-}
    if [ -z "$default" ] || [ "${EVENT_REF:-}" = "refs/heads/$default" ]; then
        revs=("$1")
        return
    fi
    local depth=()
    if is_shallow; then depth=(--depth=1); fi
    fetch ${depth[@]+"${depth[@]}"} "+refs/heads/$default:refs/remotes/$remote/$default" || true
    if has "refs/remotes/$remote/$default"; then
        revs=("^$(git rev-parse "refs/remotes/$remote/$default")" "$1")
    else
        revs=("$1")
    fi
}

# Sets `revs` to what the event brings; status 1 if it brings no range.
range() {
    if [ -n "${EVENT_BASE:-}" ] && [ -n "${EVENT_HEAD:-}" ]; then
        # What the head has and the base has not, merged branches included: merge base to head.
        need "$EVENT_BASE" || too_shallow
        need "$EVENT_HEAD" || too_shallow
        revs=("^$EVENT_BASE" "$EVENT_HEAD")
    elif [ "$event" = push ] && [ -n "${EVENT_AFTER:-}" ]; then
        if is_zero "$EVENT_AFTER"; then
            note notice "a ref was deleted: there is nothing to scan"
            finish 0 0
        fi
        need "$EVENT_AFTER" || too_shallow
        if is_zero "${EVENT_BEFORE:-0}"; then
            beyond_default "$EVENT_AFTER"
        elif need "$EVENT_BEFORE"; then
            revs=("^$EVENT_BEFORE" "$EVENT_AFTER")
        else
            note notice "$EVENT_BEFORE is gone (a forced push): scanning what the default branch does not have"
            beyond_default "$EVENT_AFTER"
        fi
    else
        return 1
    fi
}

git rev-parse --git-dir >"$work/git-dir" 2>&1 || {
    cat "$work/git-dir"
    fail "this is no git repository, or git refuses it: run actions/checkout first"
}

revs=()
case ${KEYSIFT_SCAN:-auto} in
    auto) if range; then mode=range; else mode=history; fi ;;
    range) range || fail "scan: range works for pull_request, merge_group and push, not for ${event:-no event}"; mode=range ;;
    history | tree) mode=$KEYSIFT_SCAN ;;
    *) fail "scan: ${KEYSIFT_SCAN} is unknown; there are auto, range, history, tree" ;;
esac

read -r -d '' -a more <<<"${KEYSIFT_ARGS:-}" || true
what=(scan --no-progress ${more[@]+"${more[@]}"})
case $mode in
    range)
        deepen "${revs[@]}" || too_shallow
        what+=(--history "${revs[@]}")
        echo "Scanning $(git rev-list --count "${revs[@]}") commits: ${revs[*]}"
        ;;
    history)
        if is_shallow; then
            echo "The clone is shallow: fetching the whole history"
            # If this fails keysift reports the gap and ends with status 3.
            fetch --unshallow "+refs/heads/*:refs/remotes/$remote/*" || sed 's/^/git fetch: /' "$work/fetch"
        fi
        what+=(--history)
        echo "Scanning the whole history"
        ;;
    tree) echo "Scanning the working tree" ;;
esac

# A change does not set its own findings aside: what does so counts as the base has it.
if [ -n "${EVENT_BASE:-}" ] && [[ " ${KEYSIFT_ARGS:-} " != *" --policy-from"* ]]; then
    need "$EVENT_BASE" || too_shallow
    what+=(--policy-from "$EVENT_BASE")
fi

status=0
rm -f "$sarif"
"$keysift" "${what[@]}" --format sarif --output "$sarif" || status=$?
case $status in
    0 | 1 | 3) ;;
    *) fail "keysift ended with status $status" ;;
esac
[ -s "$sarif" ] || fail "keysift wrote no report to $sarif"
output sarif-path "$sarif"

# Once more for the eyes: the same input gives the same findings.
"$keysift" "${what[@]}" --format jsonl --output "$work/findings" || [ $? -eq $status ]
found=$(($(wc -l <"$work/findings") - 1))
format=text
if [ "${KEYSIFT_ANNOTATIONS:-true}" = true ] && [ "$status" -ne 0 ]; then format=github; fi
"$keysift" "${what[@]}" --format "$format" --color never || [ $? -eq $status ]

if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    case $status in
        0 | 1) coverage='Everything asked for was covered.' ;;
        *) coverage='**Not everything asked for was covered**; the log says what was not.' ;;
    esac
    if [ "$status" -eq 1 ] && tail -n 1 "$work/findings" | grep -q '"incomplete"'; then
        coverage='**Not everything asked for was covered**; the log says what was not.'
    fi
    printf '### keysift\n\n%s found in the scan of the %s. %s\n' \
        "$([ "$found" -eq 1 ] && echo '1 secret' || echo "$found secrets")" "$mode" "$coverage" >>"$GITHUB_STEP_SUMMARY"
fi
finish "$status" "$found"
