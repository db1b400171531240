#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets into corpus/: real files of every format, small, and without anything that
looks like a secret. What a fuzzer adds beside them has names in hex and stays out of git."""
import base64, bz2, gzip, io, lzma, os, pathlib, random, shutil, subprocess, tarfile, tempfile, zipfile

here = pathlib.Path(__file__).parent
random.seed(1)


def seed(target, name, content):
    folder = here / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(content if isinstance(content, bytes) else content.encode())


def git(folder, *args, **more):
    env = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1",
               GIT_AUTHOR_NAME="A", GIT_AUTHOR_EMAIL="a@example.com", GIT_AUTHOR_DATE="@1 +0000",
               GIT_COMMITTER_NAME="A", GIT_COMMITTER_EMAIL="a@example.com", GIT_COMMITTER_DATE="@1 +0000")
    return subprocess.run(["git", *args], cwd=folder, env=env, check=True, capture_output=True, **more).stdout


text = "".join(f"line {n} of a text with token = value{n}\n" for n in range(40))
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder)
    git(path, "init", "-q", "-b", "main")
    (path / "d").mkdir()
    for n in range(4):
        (path / "a.txt").write_text(text.replace("line 7", f"line S{n}"))
        (path / "d" / "b.txt").write_text(text[: 500 + 40 * n])
        git(path, "add", ".")
        git(path, "commit", "-q", "-m", f"change {n}")
    for version in "234":
        git(path, "update-index", "--index-version", version)
        seed("index_file", f"version-{version}", (path / ".git/index").read_bytes())
    for kind in ([], ["--delta-base-offset"]):
        ids = git(path, "rev-list", "--objects", "--all")
        for old in path.glob("p-*"):
            old.unlink()
        git(path, "pack-objects", "-q", *kind, "p", input=ids)
        index, pack = next(path.glob("p-*.idx")).read_bytes(), next(path.glob("p-*.pack")).read_bytes()
        seed("pack", "ofs" if kind else "ref", len(index).to_bytes(2, "big") + index + pack)

line = b"token = nothing\n" * 20
entry = lambda kind, other, payload: bytes([kind, other]) + len(payload).to_bytes(2, "big") + payload
chain = entry(3, 0, line) + entry(6, 0, b"\x01\0\x05\0\x80\x20password = S and so on") + entry(7, 1, b"\x01\0\0\0\x40")
seed("delta", "history", chain + entry(2, 0, bytes([0, 1, 0, 3, 1, 4])) + entry(1, 4, b"") + entry(1, 4, b"\5"))
seed("delta", "cycle", entry(3, 0, line) + entry(15, 3, b"x") + entry(15, 2, b"x") + entry(15, 99, b"y"))

seed("rules", "token", '[[rules]]\nid = "a-b"\ndescription = "x"\ntoken = "ab[0-9]{8}"\nexamples = ["ab{digit:8}"]\n')
seed("rules", "near", '[[rules]]\nid = "n"\ndescription = "x"\nregex = "[0-9]{8,12}"\nnear = ["acme"]\nentropy = 2.5\n')
seed("rules", "gitleaks", '[extend]\nuseDefault = true\n[[rules]]\nid = "g"\nregex = \'\'\'(?i)key[=:]([a-z]{10})\'\'\'\n'
     'secretGroup = 1\nkeywords = ["key"]\npath = "\\\\.py$"\n[[rules.allowlists]]\nstopwords = ["test"]\n')
seed("configuration", "keysift", 'min_confidence = "high"\nmax_size = "10 MB"\nexclude = ["/vendor/"]\n'
     'allow_gaps = ["shallow"]\ndisable = ["x"]\n[[rules]]\nid = "r"\ndescription = "d"\ntoken = "r_[a-z]{8}"\n[override.r]\nentropy = 2.0\n[baseline]\npath = "b"\n')
seed("configuration", "gitleaks", 'title = "t"\n[extend]\npath = "self"\ndisabledRules = ["a"]\n[allowlist]\n'
     'paths = ["a.*"]\nregexTarget = "line"\n[[rules]]\nid = "g"\nregex = "k[a-z]+"\n')
seed("ignore_file", "patterns", "# comment\n/vendor/\n*.lock\n!keep.lock\na/**/b\n[a-c]?.txt\n\\#odd\nvendor/x\n")
zeros = "00" * 16
salt = "ab" * 16
seed("baseline", "own", f'# keysift-baseline 1\nsalt {salt} 1\nhistory\nrule {salt[:8]}:{zeros} src/a.txt low '
     f'reason="a \\"b\\"" by=me until=2030-01-31\n* sha256:{zeros * 2} "a b"\nx sha1:{zeros}{"00" * 4} * past\n')
seed("baseline", "json", '[{"RuleID": "a", "Secret": "b", "File": "c", "StartLine": 1, "Fingerprint": "c:a:1"}]')
hidden = base64.b64encode(b"the password = nothing to see here, move on please").decode()
seed("decoding", "base64", b"\0\x80" + f"x: {hidden}\ny: {hidden[:30]}\n  {hidden[30:]}\n".encode() * 2 + b"\x04\1\0\0\0\x40\x08abcd")
seed("decoding", "edits", b"\0\x60" + b'a = "to" + "ken"; b = to%6ben\\u003d\\x41&#95;&quot; "x" "y"\n' * 2 + b"\x03\1\0\0\0\x50\x10zz")
members = io.BytesIO()
with tarfile.open(fileobj=members, mode="w", format=tarfile.PAX_FORMAT) as tar:
    for name in ("a/b.txt", "n" * 120):
        info = tarfile.TarInfo(name)
        info.size = 9
        tar.addfile(info, io.BytesIO(b"some text"))
tar = members.getvalue()[:4096]
seed("archive", "tar", tar)
for name, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
    seed("archive", f"tar.{name}", pack(tar))
zipped = io.BytesIO()
with zipfile.ZipFile(zipped, "w") as z:
    z.writestr(zipfile.ZipInfo("a/stored"), "some text")
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        z.writestr(zipfile.ZipInfo(f"b{method}"), "some text " * 9, method)
seed("archive", "zip", zipped.getvalue())
if shutil.which("zstd"):
    seed("archive", "zst", subprocess.run(["zstd", "-c"], input=tar, capture_output=True, check=True).stdout)
else:
    seed("archive", "zst", bytes.fromhex("28b52ffd2009490000") + b"some text")
for encoding in ("utf-16-le", "utf-16-be", "utf-16", "utf-32"):
    seed("text", encoding, "token = 'näch🔑ts'\n".encode(encoding))
