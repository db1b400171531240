//! Which paths are not for an agent: the table in `sensitive.toml`, extended by `[agent]` in `.keysift.toml`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::place::{Base, Place};

/// The table that is built in.
const TABLE: &str = include_str!("sensitive.toml");

/// Paths that are not for an agent.
#[derive(Debug)]
pub struct Sensitive {
    kinds: Vec<Kind>,
    open: Vec<Pattern>,
    guarded: Vec<Pattern>,
}

/// Why a path is not for an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Why<'a> {
    /// What stands there.
    pub name: &'a str,
    /// What to do instead.
    pub instead: &'a str,
    /// The pattern that says so.
    pub pattern: &'a str,
}

#[derive(Debug)]
struct Kind {
    name: String,
    instead: String,
    patterns: Vec<Pattern>,
}

#[derive(Debug, Deserialize)]
struct Table {
    kind: Vec<RawKind>,
    open: RawPatterns,
    guarded: RawPatterns,
}

#[derive(Debug, Deserialize)]
struct RawKind {
    name: String,
    instead: String,
    patterns: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct RawPatterns {
    patterns: Vec<String>,
}

impl Sensitive {
    /// The built-in table with more patterns, and with those that are taken back.
    ///
    /// # Panics
    /// Never: a test reads the table.
    pub fn new(more: &[String], open: &[String]) -> Sensitive {
        let table: Table = toml::from_str(TABLE).expect("sensitive.toml is read by a test");
        let all = |patterns: &[String]| patterns.iter().map(|p| Pattern::new(p)).collect::<Vec<_>>();
        let mut kinds: Vec<Kind> = table
            .kind
            .into_iter()
            .map(|k| Kind { patterns: all(&k.patterns), name: k.name, instead: k.instead })
            .collect();
        kinds.push(Kind {
            name: "path that this repository keeps from agents".to_owned(),
            instead: "ask the person for what you need of it".to_owned(),
            patterns: all(more),
        });
        let open = open.iter().chain(&table.open.patterns).map(|p| Pattern::new(p)).collect();
        Sensitive { kinds, open, guarded: all(&table.guarded.patterns) }
    }

    /// Why a place is not for an agent, if it is not: by its name, or by what the name leads to.
    pub fn why(&self, place: &Place, base: &Base) -> Option<Why<'_>> {
        let is_open = |path: &Path| Self::any(&self.open, path, base).is_some();
        // A link's name says nothing about a template that it leads to.
        if is_open(&place.real) {
            return None;
        }
        let named = (!is_open(&place.path)).then(|| self.of(&place.path, base)).flatten();
        named.or_else(|| self.of(&place.real, base))
    }

    /// Whether only a person changes what is at a place.
    pub fn is_guarded(&self, place: &Place, base: &Base) -> bool {
        [&place.path, &place.real].iter().any(|path| Self::any(&self.guarded, path, base).is_some())
    }

    /// Every pattern with the name of its kind, in order; for deny lists and documentation.
    pub fn patterns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.kinds.iter().flat_map(|k| k.patterns.iter().map(|p| (p.text.as_str(), k.name.as_str())))
    }

    fn of(&self, path: &Path, base: &Base) -> Option<Why<'_>> {
        self.kinds.iter().find_map(|kind| {
            let pattern = Self::any(&kind.patterns, path, base)?;
            Some(Why { name: &kind.name, instead: &kind.instead, pattern: &pattern.text })
        })
    }

    fn any<'p>(patterns: &'p [Pattern], path: &Path, base: &Base) -> Option<&'p Pattern> {
        let parts = parts(path);
        let home = base.home.as_deref().map(parts_of_home).unwrap_or_default();
        patterns.iter().find(|p| p.matches(&parts, &home))
    }
}

/// A pattern, taken apart.
#[derive(Debug)]
struct Pattern {
    text: String,
    anchor: Anchor,
    parts: Vec<String>,
    /// Whether it means everything below, too.
    below: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anchor {
    /// The end of a path.
    End,
    /// The home directory.
    Home,
    /// The root of the file system.
    Root,
}

impl Pattern {
    fn new(text: &str) -> Pattern {
        let lower = text.to_lowercase();
        let (anchor, rest) = if let Some(rest) = lower.strip_prefix("~/") {
            (Anchor::Home, rest)
        } else if let Some(rest) = lower.strip_prefix('/') {
            (Anchor::Root, rest)
        } else {
            (Anchor::End, lower.as_str())
        };
        let below = rest.ends_with('/') || rest.ends_with("/**");
        let rest = rest.strip_suffix("/**").unwrap_or(rest).trim_end_matches('/');
        let parts = rest.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect();
        Pattern { text: text.to_owned(), anchor, parts, below }
    }

    /// Whether it means a path (its parts in lower case), given those of the home directory.
    fn matches(&self, path: &[String], home: &[String]) -> bool {
        let starts: std::ops::RangeInclusive<usize> = match self.anchor {
            Anchor::Root => 0..=0,
            Anchor::Home if !home.is_empty() && path.starts_with(home) => home.len()..=home.len(),
            Anchor::Home => return false,
            Anchor::End => 0..=path.len(),
        };
        starts.into_iter().any(|start| {
            let rest = &path[start..];
            let ends = if self.below { 1..=rest.len() } else { rest.len()..=rest.len() };
            ends.into_iter().any(|end| matches_parts(&self.parts, &rest[..end]))
        })
    }
}

fn parts(path: &Path) -> Vec<String> {
    path.components()
        .filter_map(|part| match part {
            std::path::Component::Normal(name) => Some(name.to_string_lossy().to_lowercase()),
            _ => None,
        })
        .collect()
}

fn parts_of_home(home: &Path) -> Vec<String> {
    parts(home)
}

fn matches_parts(pattern: &[String], path: &[String]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            matches_parts(rest, path) || (!path.is_empty() && matches_parts(pattern, &path[1..]))
        }
        (Some((first, rest)), Some((name, below))) => {
            wildcard(first.as_bytes(), name.as_bytes()) && matches_parts(rest, below)
        }
        _ => false,
    }
}

/// Whether a name matches a pattern with `*` and `?`.
pub(super) fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// Why the content of a sensitive path may be read all the same, if it may: it is encrypted, public, or says
/// only where the secrets are.
pub fn harmless(content: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(content);
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Some("it is empty");
    }
    if trimmed.starts_with("$ANSIBLE_VAULT;")
        || trimmed.starts_with("age-encryption.org/v1")
        || trimmed.starts_with("-----BEGIN AGE ENCRYPTED FILE-----")
        || (trimmed.starts_with("-----BEGIN PGP MESSAGE-----"))
    {
        return Some("it is encrypted");
    }
    if text.contains("ENC[AES256_GCM,") && text.contains("sops") {
        return Some("SOPS has encrypted it");
    }
    if trimmed.starts_with("-----BEGIN ") && blocks(&text).all(|block| PUBLIC.contains(&block)) {
        return Some("it holds public keys and certificates only");
    }
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).peekable();
    lines.peek()?;
    lines.all(is_reference).then_some("it says only where the values are")
}

const PUBLIC: &[&str] = &[
    "CERTIFICATE",
    "TRUSTED CERTIFICATE",
    "CERTIFICATE REQUEST",
    "NEW CERTIFICATE REQUEST",
    "PUBLIC KEY",
    "RSA PUBLIC KEY",
    "PGP PUBLIC KEY BLOCK",
    "SSH2 PUBLIC KEY",
    "DH PARAMETERS",
    "EC PARAMETERS",
    "X509 CRL",
];

fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|l| l.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
}

/// Whether a line assigns nothing, or a reference to where the value is.
fn is_reference(line: &str) -> bool {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let Some((name, value)) = line.split_once('=') else { return false };
    let value = value.trim().trim_matches(['"', '\'']);
    let named = name.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-');
    named
        && (value.is_empty()
            || ["op://", "vault:", "ref+", "awssm:", "aws-sm://", "gcp-sm://", "azkv://", "keychain:", "doppler:"]
                .iter()
                .any(|p| value.starts_with(p))
            || (value.starts_with("${") && value.ends_with('}') && !value.contains(":-")))
}

/// A folder's files that a pattern of names means, for a shell's wildcards: at most `most`, in order.
pub(super) fn expand(pattern: &Path, most: usize) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let text = part.as_os_str().to_string_lossy();
        let mut next = Vec::new();
        for folder in found {
            if !text.contains(['*', '?', '[']) {
                next.push(folder.join(part));
                continue;
            }
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let hidden = text.starts_with('.');
            for entry in entries.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if (hidden || !name.starts_with('.')) && shell_wildcard(text.as_bytes(), name.as_bytes()) {
                    next.push(folder.join(entry.file_name()));
                }
                if next.len() >= most {
                    break;
                }
            }
        }
        next.sort();
        found = next;
    }
    found
}

/// As [`wildcard`], with a `[…]` standing for any one character.
fn shell_wildcard(pattern: &[u8], name: &[u8]) -> bool {
    let mut plain = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((first, after)) = rest.split_first() {
        match (first, memchr::memchr(b']', after)) {
            (b'[', Some(end)) => {
                plain.push(b'?');
                rest = &after[end + 1..];
            }
            _ => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    wildcard(&plain, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(path: &str) -> Option<String> {
        let base = Base { cwd: "/w/repo".into(), root: "/w/repo".into(), home: Some("/home/u".into()) };
        let sensitive = Sensitive::new(&["private/".to_owned()], &["fixtures/*.pem".to_owned()]);
        let path: PathBuf = path.into();
        sensitive.why(&Place { real: path.clone(), path }, &base).map(|w| w.name.to_owned())
    }

    #[test]
    fn secrets_are_known_by_their_paths_and_templates_are_not() {
        for path in [
            "/w/repo/.env",
            "/w/repo/.ENV",
            "/w/repo/app/.env.production",
            "/w/repo/prod.env",
            "/home/u/.ssh/id_ed25519",
            "/home/u/.ssh/work/key",
            "/home/u/.aws/credentials",
            "/home/u/.config/gh/hosts.yml",
            "/w/repo/tls/server.key",
            "/w/repo/service-account-prod.json",
            "/proc/self/environ",
            "/w/repo/private/a/b",
        ] {
            assert!(why(path).is_some(), "{path}");
        }
        for path in [
            "/w/repo/.env.example",
            "/w/repo/.env.tpl",
            "/w/repo/environment.ts",
            "/w/repo/src/env.rs",
            "/w/repo/src/key.rs",
            "/w/repo/ssh/readme",
            "/w/repo/.ssh-notes",
            "/home/u/.ssh/id_ed25519.pub",
            "/home/u/.ssh/config",
            "/home/u/src/aws/credentials.go",
            "/w/repo/fixtures/server.pem",
            "/w/repo/.environment",
            "/w/repo/monkey",
            "/w/repo/privately",
        ] {
            assert_eq!(why(path), None, "{path}");
        }
    }

    #[test]
    fn what_only_refers_to_secrets_is_harmless() {
        for text in [
            "A=op://vault/item/field\nB=vault:secret/data#x\n# note\nC=\nD=${D}\n",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            "age-encryption.org/v1\n-> X25519 abc\n",
            "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
            "",
        ] {
            assert!(harmless(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "A=op://vault/item/field\nB=hunter2\n",
            "C=${C:-hunter2}\n",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n",
            "plain words\n",
        ] {
            assert_eq!(harmless(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn wildcards_match_as_in_a_shell() {
        assert!(wildcard(b"*.pem", b"a.pem") && wildcard(b"a*b*c", b"axxbyyc") && wildcard(b"?", b"x"));
        assert!(!wildcard(b"*.pem", b"a.pem.txt") && !wildcard(b"?", b"") && !wildcard(b"a*b", b"ac"));
        assert!(shell_wildcard(b".e[mn]v", b".env"));
    }
}
