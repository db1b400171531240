#!/usr/bin/env bash
# What the scripts in this folder share: a world of their own, secrets made on the spot. Source it with the
# program to try as the first argument.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keysift=$(realpath "${1:-$root/target/release/keysift}")
[ -x "$keysift" ] || { echo "no program at $keysift" >&2; exit 2; }
world=$(mktemp -d)
trap 'rm -rf "$world"' EXIT
export HOME=$world GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$world/gitconfig XDG_CACHE_HOME=$world/cache LC_ALL=C.UTF-8
unset "${!GITHUB_@}" "${!EVENT_@}" "${!KEYSIFT_@}" "${!PRE_COMMIT@}" RUNNER_TEMP GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE
git config --global user.name 'A U Thor'
git config --global user.email author@example.com
git config --global init.defaultBranch main
git config --global advice.detachedHead false
git config --global protocol.file.allow always

# A fake GitHub token whose checksum is right; another seed gives another.
token() {
    python3 - "$1" <<'PY'
import random, sys, zlib
chance = random.Random(int(sys.argv[1]))
digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
body = "".join(chance.choice(digits) for _ in range(30))
rest, check = zlib.crc32(body.encode()), ""
for _ in range(6):
    check, rest = digits[rest % 62] + check, rest // 62
print("gh" + "p_" + body + check)
PY
}

commit() { # REPO FILE [SEED]
    if [ -n "${3:-}" ]; then echo "token = $(token "$3")" >"$1/$2"; else echo "line $RANDOM" >>"$1/$2"; fi
    git -C "$1" add "$2"
    git -C "$1" commit -qm "change $2"
}
