#!/usr/bin/env python3
"""Makes the npm packages from release archives: the launcher `keysift`, and a package for each platform.

    packaging/npm/build.py --archives dist --out npm

The Linux program is static, so that one package serves glibc and musl. No package has an install script.
"""
import argparse
import json
import pathlib
import re
import shutil
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
PLATFORMS = {
    "x86_64-unknown-linux-musl": ("linux", "x64"),
    "aarch64-unknown-linux-musl": ("linux", "arm64"),
    "x86_64-apple-darwin": ("darwin", "x64"),
    "aarch64-apple-darwin": ("darwin", "arm64"),
    "x86_64-pc-windows-msvc": ("win32", "x64"),
}


def describe(name, version, description):
    return {
        "name": name,
        "version": version,
        "description": description,
        "license": "MIT OR Apache-2.0",
        "repository": {"type": "git", "url": "git+https://github.com/keysift/keysift.git"},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archives", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    manifest = (HERE.parents[1] / "Cargo.toml").read_text()
    version = re.search(r'^version = "(.+)"', manifest, re.M)[1]

    made = {}
    for target, (system, cpu) in PLATFORMS.items():
        archive = options.archives / f"keysift-{version}-{target}.tar.gz"
        if not archive.exists():
            continue
        name, folder = f"@keysift/{system}-{cpu}", options.out / f"{system}-{cpu}"
        folder.mkdir(parents=True, exist_ok=True)
        program = "keysift.exe" if system == "win32" else "keysift"
        with tarfile.open(archive) as tar:
            member = tar.extractfile(f"keysift-{version}-{target}/{program}")
            (folder / program).write_bytes(member.read())
        (folder / program).chmod(0o755)
        package = describe(name, version, f"The keysift program for {system} on {cpu}")
        package |= {"os": [system], "cpu": [cpu], "files": [program], "preferUnplugged": True}
        (folder / "package.json").write_text(json.dumps(package, indent=2) + "\n")
        made[name] = version
    if not made:
        raise SystemExit(f"error: {options.archives} holds no archive of keysift {version}")

    launcher = options.out / "keysift"
    shutil.copytree(HERE / "keysift", launcher, dirs_exist_ok=True)
    shutil.copy(HERE.parents[1] / "README.md", launcher)
    package = describe("keysift", version, "A fast secret scanner for git")
    package |= {
        "bin": {"keysift": "bin/keysift.js"},
        "files": ["bin"],
        "engines": {"node": ">=18"},
        "optionalDependencies": made,
    }
    (launcher / "package.json").write_text(json.dumps(package, indent=2) + "\n")
    print(f"keysift {version}:", ", ".join(sorted(made)))


if __name__ == "__main__":
    main()
