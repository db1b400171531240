#!/usr/bin/env bash
# The GitHub Action's installation.
#
#   install.sh key            a key for the cache: changes with the source and the machine
#   install.sh build ROOT     cargo install from the action's own source
#   install.sh release ROOT   a release archive, its SHA-256 checked
#
#   KEYSIFT_VERSION           for release: X.Y.Z, never `latest`
#   KEYSIFT_SHA256            the archive's checksum; without it the release's own SHA256SUMS counts, which
#                             proves a whole download, not who made it
set -euo pipefail

source=$(cd "$(dirname "$0")/.." && pwd)
fail() {
    printf '::error title=keysift::%s\n' "$1"
    exit 2
}
sum() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

target() {
    case $(uname -s)-$(uname -m) in
        Linux-x86_64) echo x86_64-unknown-linux-musl ;;
        Linux-aarch64) echo aarch64-unknown-linux-musl ;;
        Darwin-x86_64) echo x86_64-apple-darwin ;;
        Darwin-arm64) echo aarch64-apple-darwin ;;
        MINGW*-x86_64 | MSYS*-x86_64) echo x86_64-pc-windows-msvc ;;
        *) return 1 ;;
    esac
}

case ${1:-} in
    key)
        cd "$source"
        tree=$(find Cargo.toml Cargo.lock build.rs rules.toml src -type f | LC_ALL=C sort | tr '\n' '\0' | xargs -0 cat | sum | cut -c1-16)
        printf 'keysift-%s-%s-%s\n' "$(uname -s)" "$(uname -m)" "$tree"
        ;;
    build)
        command -v cargo >/dev/null || fail "there is no cargo to build keysift with: install Rust first, or set version"
        cargo install --locked --quiet --path "$source" --root "$2" --target-dir "${RUNNER_TEMP:-/tmp}/keysift-target"
        ;;
    release)
        version=${KEYSIFT_VERSION#v}
        case $version in
            '' | *[!0-9A-Za-z.-]*) fail "version: ${KEYSIFT_VERSION:-} is no version" ;;
            [0-9]*) ;;
            *) fail "version: name one, as in 0.1.0" ;;
        esac
        target=$(target) || fail "there is no release for $(uname -s) on $(uname -m): leave version out"
        archive=keysift-$version-$target.tar.gz
        url=${KEYSIFT_RELEASES:-https://github.com/keysift/keysift/releases/download}/v$version
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        cd "$work"
        curl --fail --silent --show-error --location --retry 3 --remote-name "$url/$archive" || fail "cannot fetch $url/$archive"
        if [ -n "${KEYSIFT_SHA256:-}" ]; then
            printf '%s  %s\n' "$KEYSIFT_SHA256" "$archive" >SUM
        else
            curl --fail --silent --show-error --location --retry 3 --remote-name "$url/SHA256SUMS" || fail "cannot fetch $url/SHA256SUMS"
            awk -v archive="$archive" '$2 == archive || $2 == "*" archive' SHA256SUMS >SUM
        fi
        [ -s SUM ] || fail "SHA256SUMS does not name $archive"
        sum --check SUM || fail "the checksum of $archive is wrong"
        tar -xzf "$archive"
        mkdir -p "$2/bin"
        cp keysift-*/keysift* "$2/bin/"
        ;;
    *)
        fail "install.sh key | build ROOT | release ROOT"
        ;;
esac
