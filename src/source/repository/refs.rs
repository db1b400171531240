//! Names of commits: every ref of a repository, and what a person's revision means.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};

use super::{Oid, Repository, bytes_of, from_git2, to_git2};
use crate::{
    error::{Error, Result},
    gap::{Gap, GapKind},
    source::file,
};

/// What names a commit while an operation is under way. `ORIG_HEAD` and `FETCH_HEAD` are not among
/// them: like reflogs they name what was left behind, or what is somebody else's.
pub(super) const PSEUDO_REFS: [&str; 5] =
    ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "BISECT_HEAD"];

/// A name and the object that it means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ref {
    /// Its full name: `refs/heads/main`, `HEAD`, `stash@{1}`, `worktrees/NAME/HEAD`.
    pub name: BString,
    /// The object; not necessarily a commit.
    pub target: Oid,
}

/// Where a history begins and what is taken out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// Everything reachable from these …
    pub include: Vec<Oid>,
    /// … but not from these.
    pub exclude: Vec<Oid>,
}

/// What the file of a ref says.
enum Value {
    Object(Oid),
    Other(BString),
    Broken(&'static str),
}

impl Value {
    fn parse(content: &[u8]) -> Value {
        if let Some(other) = content.strip_prefix(b"ref:") {
            return Value::Other(other.trim().into());
        }
        let word = content.split(|c| c.is_ascii_whitespace()).next().unwrap_or_default();
        match Oid::from_hex(word) {
            Some(oid) if !oid.is_zero() => Value::Object(oid),
            _ if content.trim().is_empty() => Value::Broken("its file is empty"),
            _ => Value::Broken("its file holds no object id"),
        }
    }
}

impl Repository {
    /// Every ref: branches, remotes, tags, notes, whatever else is below `refs/`, all entries of the
    /// stash, HEAD and the HEADs of other working trees, and what names commits while a merge, a
    /// rebase or the like is under way. In order of names.
    pub fn refs(&self) -> (Vec<Ref>, Vec<Gap>) {
        let mut gaps = Vec::new();
        let mut refs = match self.library {
            Some(_) => self.refs_from_files(&mut gaps),
            None => self.program().refs(&mut gaps),
        };
        refs.sort_unstable();
        refs.dedup();
        let there = match self.library {
            Some(_) => refs.iter().map(|r| self.has(r.target)).collect(),
            None => self.program().have(&refs.iter().map(|r| r.target).collect::<Vec<_>>()),
        };
        let mut there = there.into_iter();
        refs.retain(|r| {
            let there = there.next().unwrap_or(false);
            if !there && self.is_partial() {
                gaps.push(Gap::new(
                    GapKind::Promised,
                    r.name.clone(),
                    format!("it names {}, which was not fetched", r.target),
                ));
            } else if !there {
                gaps.push(Gap::new(
                    GapKind::BrokenRef,
                    r.name.clone(),
                    format!("it names {}, which is not there", r.target),
                ));
            }
            there
        });
        gaps.sort_unstable();
        (refs, gaps)
    }

    fn refs_from_files(&self, gaps: &mut Vec<Gap>) -> Vec<Ref> {
        let common = self.common_dir();
        let mut values = BTreeMap::new();
        for line in file::read(common.join("packed-refs")).unwrap_or_default().lines() {
            // `#` begins the header, `^` the object that the tag above it leads to.
            if let Some((oid, name)) = line.split_once_str(" ").filter(|_| !line.starts_with(b"#")) {
                let value =
                    Oid::from_hex(oid).map_or(Value::Broken("its line in packed-refs is damaged"), Value::Object);
                values.insert(BString::from(name), value);
            }
        }
        read_folder(common, "", "refs", &mut values, gaps);
        read_heads(common, if common == self.git_dir() { "" } else { "main-worktree/" }, &mut values);
        for worktree in fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten() {
            let prefix = if worktree.path() == self.git_dir() {
                String::new()
            } else {
                format!("worktrees/{}/", worktree.file_name().to_string_lossy())
            };
            read_folder(&worktree.path(), &prefix, "refs", &mut values, gaps);
            read_heads(&worktree.path(), &prefix, &mut values);
        }
        let mut refs = Vec::new();
        for (name, value) in &values {
            let (mut value, mut steps) = (value, 0);
            while let Value::Other(other) = value {
                steps += 1;
                match values.get(other) {
                    Some(next) if steps < 10 => value = next,
                    // A symbolic ref to a branch without commits (or long gone) names nothing.
                    _ => break,
                }
            }
            match value {
                Value::Object(target) => refs.push(Ref { name: name.clone(), target: *target }),
                Value::Broken(why) => gaps.push(Gap::new(GapKind::BrokenRef, name.clone(), *why)),
                Value::Other(_) => {}
            }
        }
        let stash = file::read(common.join("logs/refs/stash")).unwrap_or_default();
        let entries = stash.lines().rev().filter_map(|line| Oid::from_hex(line.split_str(" ").nth(1)?));
        refs.extend(
            entries.filter(|oid| !oid.is_zero()).enumerate().map(|(n, target)| Ref { name: stash_name(n), target }),
        );
        refs
    }

    /// What revisions mean: `REV`, `A..B`, `A...B`, `^A`, `B --not A`, `--all`, `--branches`,
    /// `--tags`, `--remotes[=NAME]`. Tags are not followed to their commits.
    ///
    /// # Errors
    /// One of them means nothing here; the error names it.
    pub fn resolve<S: AsRef<str>>(&self, revs: &[S]) -> Result<Range> {
        let (mut range, mut not) = (Range::default(), false);
        for rev in revs.iter().map(AsRef::as_ref) {
            if rev == "--not" {
                not = !not;
                continue;
            }
            let (mut include, mut exclude) = (Vec::new(), Vec::new());
            if rev.starts_with("--") {
                include = self.resolve_group(rev)?;
            } else if let Some(rev) = rev.strip_prefix('^') {
                exclude.push(self.resolve_one(rev)?);
            } else if let Some((a, b)) = split_range(rev, "...") {
                let (a, b) = (self.resolve_one(a)?, self.resolve_one(b)?);
                exclude = self.merge_bases(a, b)?;
                include = vec![a, b];
            } else if let Some((a, b)) = split_range(rev, "..") {
                exclude.push(self.resolve_one(a)?);
                include.push(self.resolve_one(b)?);
            } else {
                include.push(self.resolve_one(rev)?);
            }
            if not {
                std::mem::swap(&mut include, &mut exclude);
            }
            range.include.extend(include);
            range.exclude.extend(exclude);
        }
        Ok(range)
    }

    fn resolve_group(&self, rev: &str) -> Result<Vec<Oid>> {
        let (option, pattern) = rev.split_once('=').unwrap_or((rev, ""));
        let prefix = match option {
            "--all" => "",
            "--branches" => "refs/heads/",
            "--tags" => "refs/tags/",
            "--remotes" => "refs/remotes/",
            _ => return Err(unknown(rev)),
        };
        let prefix = if pattern.is_empty() { prefix.to_owned() } else { format!("{prefix}{pattern}/") };
        Ok(self.refs().0.into_iter().filter(|r| r.name.starts_with(prefix.as_bytes())).map(|r| r.target).collect())
    }

    fn resolve_one(&self, rev: &str) -> Result<Oid> {
        let rev = if rev.is_empty() { "HEAD" } else { rev };
        let found = match &self.library {
            Some(library) => library.revparse_single(rev).ok().and_then(|o| from_git2(o.id())),
            None => self.program().resolve(rev.as_bytes()),
        };
        // A whole object id means itself, whether it is there or not.
        let found = found.filter(|oid| Oid::from_hex(rev.as_bytes()).is_none() || self.has(*oid));
        found.ok_or_else(|| match Oid::from_hex(rev.as_bytes()) {
            Some(oid) if oid.is_zero() => Error::new(format!("the object id {rev} means \"nothing\""))
                .help("a new branch has no earlier commit: give the new one alone, or with `--not --all`"),
            _ => unknown(rev),
        })
    }

    fn merge_bases(&self, a: Oid, b: Oid) -> Result<Vec<Oid>> {
        let Some(library) = &self.library else { return self.program().merge_bases(a, b) };
        let commit = |oid: Oid| {
            let object = library.find_object(to_git2(oid)?, None).ok()?;
            Some(object.peel_to_commit().ok()?.id())
        };
        let (Some(one), Some(two)) = (commit(a), commit(b)) else {
            return Err(Error::new(format!("cannot tell where {a} and {b} part: one of them is no commit")));
        };
        match library.merge_bases(one, two) {
            Ok(bases) => Ok(bases.iter().filter_map(|oid| from_git2(*oid)).collect()),
            Err(e) if e.code() == git2::ErrorCode::NotFound => Ok(Vec::new()),
            Err(e) => Err(Error::new(format!("cannot tell where {a} and {b} part")).because(e.message())),
        }
    }
}

/// Splits a range, unless the dots belong to something else (`HEAD^{/fix..}` and the like).
fn split_range<'a>(rev: &'a str, dots: &str) -> Option<(&'a str, &'a str)> {
    rev.split_once(dots).filter(|(a, b)| !a.contains(['{', ':']) && !b.starts_with('.'))
}

fn unknown(rev: &str) -> Error {
    Error::new(format!("unknown revision `{rev}`"))
        .help("`git rev-parse` must know it; in CI the checkout may be too shallow (fetch-depth: 0)")
}

pub(super) fn stash_name(n: usize) -> BString {
    format!("stash@{{{n}}}").into()
}

/// Reads the files below a folder of refs.
fn read_folder(base: &Path, prefix: &str, top: &str, values: &mut BTreeMap<BString, Value>, gaps: &mut Vec<Gap>) {
    let mut left = vec![(base.join(top), BString::from(format!("{prefix}{top}/")))];
    let mut seen = BTreeSet::<PathBuf>::new();
    while let Some((folder, name)) = left.pop() {
        let files = match fs::read_dir(&folder) {
            Ok(files) => files,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => {
                gaps.push(Gap::new(GapKind::BrokenRef, name, format!("its folder cannot be read: {e}")));
                continue;
            }
        };
        for file in files.flatten() {
            let mut name = name.clone();
            name.extend_from_slice(&bytes_of(Path::new(&file.file_name())));
            let path = file.path();
            if path.is_dir() {
                if !file.path().is_symlink() || seen.insert(path.clone()) {
                    name.push(b'/');
                    left.push((path, name));
                }
            } else if !name.ends_with(b".lock") {
                let value = match file::read(&path) {
                    Ok(content) => Value::parse(&content),
                    Err(e) if e.kind() == io::ErrorKind::NotFound && !path.is_symlink() => continue,
                    Err(_) => Value::Broken("its file cannot be read"),
                };
                values.insert(name, value);
            }
        }
    }
}

/// Reads HEAD and what is like it.
fn read_heads(dir: &Path, prefix: &str, values: &mut BTreeMap<BString, Value>) {
    for name in ["HEAD"].iter().chain(&PSEUDO_REFS) {
        let Ok(content) = file::read(dir.join(name)) else { continue };
        // MERGE_HEAD of an octopus merge has several lines.
        for (n, line) in content.lines().enumerate() {
            let suffix = if n == 0 { String::new() } else { format!("@{n}") };
            values.insert(format!("{prefix}{name}{suffix}").into(), Value::parse(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_split_at_their_dots() {
        assert_eq!(split_range("a..b", ".."), Some(("a", "b")));
        assert_eq!(split_range("a...b", "..."), Some(("a", "b")));
        assert_eq!(split_range("a..", ".."), Some(("a", "")));
        assert_eq!(split_range("HEAD^{/x..y}", ".."), None);
        assert_eq!(split_range("v1.0", ".."), None);
    }
}
