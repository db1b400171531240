//! What the path of a file says about a candidate in it.

use super::strength::{Origin, is_a_dummy_or_two, is_a_word_or_two, is_password_hash, is_short_word, is_typed, origin};
use super::vocabulary::{Says, says};
use super::{is_uuid, split_words};
use crate::detect::placeholder::says_fake;

/// What a path says about the values in its file.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Place {
    /// Log-odds for any value.
    adds: f32,
    /// Whether values are there to try something: tests.
    tries: bool,
    /// Whether values are there to show something: examples, manuals.
    shows: bool,
    /// Whether the texts of a program's surface stand there.
    translates: bool,
    /// Whether a developer's machine runs with it, and nothing else.
    develops: bool,
    /// Whether it is a script of commands.
    scripts: bool,
    /// Whether tables of a database stand there.
    tables: bool,
    /// Whether it is a part of a program or of a text: not a configuration that a system runs with.
    programs: bool,
}

/// The most that a made-up value can reach where values are made up: it is counted, and not shown.
pub const MADE_UP: f32 = -0.5;

/// A candidate's log-odds, adjusted for the path of its file. `name` is the text before its secret, from where
/// its name starts.
pub fn adjusted(log_odds: f32, path: &[u8], secret: &[u8], name: &[u8]) -> f32 {
    let place = place(path);
    let log_odds = log_odds + place.adds;
    if log_odds > MADE_UP && (place.has_dummy(secret) || place.has_made_up(secret, name)) { MADE_UP } else { log_odds }
}

/// Whether a value is a dummy for the path of its file: what people make up in a test, an example or a
/// manual opens nothing, whatever stands around it.
pub fn is_dummy(path: &[u8], secret: &[u8]) -> bool {
    place(path).has_dummy(secret)
}

/// Whether a value is a word that a script hands to a program: the password of what it has just set up.
pub fn is_word_of_script(path: &[u8], secret: &[u8]) -> bool {
    let place = place(path);
    (place.programs || place.scripts) && (is_a_dummy_or_two(secret) || is_short_word(secret))
}

/// Whether a value says that it is fake, in a file where such values are shown or tried.
pub fn is_fake(path: &[u8], secret: &[u8]) -> bool {
    says_fake(secret) && is_dummy(path, secret)
}

impl Place {
    fn has_dummy(self, secret: &[u8]) -> bool {
        if self.develops && (is_a_dummy_or_two(secret) || is_password_hash(secret)) {
            return true;
        }
        if !(self.tries || self.shows || self.translates) {
            return false;
        }
        if says_fake(secret) || is_password_hash(secret) {
            return true;
        }
        if self.translates && !secret.iter().any(u8::is_ascii_digit) {
            return true;
        }
        match origin(secret) {
            Origin::Words => true,
            // In a manual it may be the password of everybody who follows it.
            Origin::Hand => self.tries || self.translates || is_short_word(secret),
            Origin::Machine => false,
        }
    }
}

impl Place {
    /// Whether a value that only its name and its looks speak for was made up for where it stands.
    fn has_made_up(self, secret: &[u8], name: &[u8]) -> bool {
        // A password of a word or two is real where a system runs with it.
        if self.programs && is_a_word_or_two(secret) {
            return true;
        }
        if self.tables && is_digest(secret) && names_password(name) {
            return true;
        }
        if !(self.tries || self.shows) {
            return false;
        }
        let (mut last, mut is_secret) = (Says::Nothing, false);
        let mut hashed = false;
        split_words(name, |word| {
            last = says(word);
            is_secret |= matches!(last, Says::Password | Says::Secret | Says::Credential);
            hashed = matches!(word, b"hash" | b"hashed" | b"digest");
        });
        let identity = self.tries && !is_secret && is_uuid(secret);
        // `RefreshToken: "RefreshToken.123…"`
        let end = name.iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |at| at + 1);
        let start = name[..end].iter().rposition(|b| !b.is_ascii_alphanumeric() && *b != b'_').map_or(0, |at| at + 1);
        let own = &name[start..end];
        let named = own.len() >= 6 && secret.len() > own.len() && secret[..own.len()].eq_ignore_ascii_case(own);
        if self.tries && named {
            return true;
        }
        // In a manual it may be the password of everybody who follows it.
        hashed || identity || self.tries && is_typed(secret)
    }
}

/// Whether a value has the form of a digest: in a table of users it is that of a password.
fn is_digest(value: &[u8]) -> bool {
    matches!(value.len(), 32 | 40 | 64 | 128) && value.iter().all(u8::is_ascii_hexdigit)
}

/// Whether a text starts with a name whose last word says password.
fn names_password(text: &[u8]) -> bool {
    let end = text.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_').unwrap_or(text.len());
    let mut last = Says::Nothing;
    split_words(&text[..end], |word| last = says(word));
    last == Says::Password
}

/// Log-odds that the kind of file adds to any value, by its path.
pub fn path_adjustment(path: &[u8]) -> f32 {
    place(path).adds
}

const LOCKS: &[&str] = &[
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "npm-shrinkwrap.json",
    "cargo.lock",
    "composer.lock",
    "gemfile.lock",
    "poetry.lock",
    "pipfile.lock",
    "go.sum",
    "flake.lock",
    "mix.lock",
    "pubspec.lock",
    "packages.lock.json",
    "bun.lock",
    "deno.lock",
    "uv.lock",
    "podfile.lock",
];

/// Extensions of files of texts and translations.
const TEXTS: &[&str] =
    &["po", "pot", "strings", "resx", "arb", "xlf", "xliff", "xib", "storyboard", "lproj", "ftl", "stringsdict"];
/// Extensions of files that a program made or that draw something.
const DRAWN: &[&str] = &["map", "svg", "css", "scss", "less", "woff", "ttf"];
/// Extensions of files that hold settings of a running system.
const SETTINGS: &[&str] = &["env", "pem", "tfvars", "tfstate", "kubeconfig", "ovpn"];
/// Names of such files.
const SETTINGS_FILES: &[&str] = &[
    "credentials",
    ".netrc",
    ".pgpass",
    ".npmrc",
    ".pypirc",
    "application.properties",
    "application.yml",
    "wp-config.php",
    "settings.py",
    "secrets.yml",
    "database.yml",
];
/// Extensions of programs.
const PROGRAMS: &[&str] = &[
    "c", "cc", "clj", "cljs", "cpp", "cs", "cxx", "dart", "erb", "erl", "ex", "exs", "fs", "go", "groovy", "h", "haml",
    "hpp", "hrl", "hs", "htm", "html", "java", "jl", "js", "jsp", "jsx", "kt", "kts", "lua", "m", "mjs", "ml", "mm",
    "php", "phtml", "pl", "pm", "py", "pyx", "r", "rb", "rs", "scala", "svelte", "swift", "ts", "tsx", "twig", "vb",
    "vue",
];
/// Words in the names of programs that hold the configuration of a system.
const CONFIGURES: &[&str] = &[
    "config",
    "configuration",
    "conf",
    "settings",
    "setting",
    "secrets",
    "credentials",
    "env",
    "environment",
    "database",
    "parameters",
    "production",
];
/// Extensions of manuals.
const MANUALS: &[&str] = &["md", "mdx", "markdown", "rst", "adoc", "asciidoc", "ipynb", "1", "5", "8"];
/// Words in the names of folders and files that hold translations.
const TRANSLATIONS: &[&str] = &[
    "locales",
    "locale",
    "localization",
    "localisation",
    "i18n",
    "lang",
    "langs",
    "translations",
    "l10n",
    "messages",
    "_locales",
];
/// … of tests and what tests use.
const TESTS: &[&str] = &[
    "test",
    "tests",
    "testdata",
    "testcase",
    "testcases",
    "testing",
    "unittest",
    "unittests",
    "fixture",
    "fixtures",
    "spec",
    "specs",
    "mock",
    "mocks",
    "e2e",
    "t",
    "cypress",
    "playwright",
];
/// … of what a developer's machine runs with.
const DEVELOPS: &[&str] = &["dev", "development", "devcontainer", "vagrant"];
/// … of examples.
const EXAMPLES: &[&str] = &[
    "example",
    "examples",
    "sample",
    "samples",
    "demo",
    "demos",
    "tutorial",
    "tutorials",
    "quickstart",
    "quickstarts",
];
/// … of manuals.
const DOCS: &[&str] = &["doc", "docs", "documentation", "guides", "manual"];

fn place(path: &[u8]) -> Place {
    let mut parts = path.rsplit(|b| matches!(b, b'/' | b'\\' | b'!'));
    let name = parts.next().unwrap_or(path);
    let low = name.to_ascii_lowercase();
    let is = |names: &[&str]| names.iter().any(|n| low == n.as_bytes());
    let (stem, extension) = match low.iter().rposition(|b| *b == b'.') {
        Some(dot) if dot > 0 => (&name[..dot], &low[dot + 1..]),
        _ => (name, &b""[..]),
    };
    let has_extension = |names: &[&str]| names.iter().any(|n| extension == n.as_bytes());
    let mut place = Place::default();
    if is(LOCKS) {
        return Place { adds: -6.0, ..place };
    }
    let (mut test, mut example, mut manual) = (false, false, has_extension(MANUALS));
    place.translates = has_extension(TEXTS) || low == b"strings.xml";
    let mut modules = false;
    let mut first = &b""[..];
    for folder in parts {
        words(folder, |word, whole| {
            place.develops |= holds(&["devcontainer", "vagrant"], word) || !whole && holds(&["local"], word);
            test |= holds(TESTS, word) && (whole || word.len() > 1);
            example |= holds(EXAMPLES, word);
            manual |= whole && holds(DOCS, word);
            place.translates |= whole && holds(TRANSLATIONS, word);
        });
        first = folder;
        modules |= holds(&["node_modules", "bower_components", "site-packages", "dist-packages"], folder);
    }
    // At the root, it is not one of the systems that are deployed.
    place.develops |= holds(&["dev"], first);
    let mut configures = false;
    words(stem, |word, _| {
        configures |= holds(CONFIGURES, word);
        test |= word.len() > 1 && holds(TESTS, word);
        example |= holds(EXAMPLES, word);
        place.develops |= holds(DEVELOPS, word);
    });
    // `.env.tests`
    if low.starts_with(b".env.") {
        words(&name[5..], |word, _| {
            test |= word.len() > 1 && holds(TESTS, word);
            place.develops |= holds(DEVELOPS, word);
        });
    }
    // The services of a workflow live as long as its run.
    test |= memchr::memmem::find(path, b".github/workflows/").is_some() || is(&[".gitlab-ci.yml"]);
    test |= stem.ends_with(b"IT") && stem.len() > 2 && stem[stem.len() - 3].is_ascii_lowercase();
    example |= has_extension(&["dist", "template", "example", "sample"]);
    place.scripts = has_extension(&["sh", "bash", "zsh", "fish", "ps1", "bat", "cmd", "mk"]) || low == b"makefile";
    place.tables = has_extension(&["sql"]);
    place.tries = test;
    place.shows = example || manual;
    place.programs = !configures && (has_extension(PROGRAMS) || has_extension(MANUALS));
    let settings = has_extension(SETTINGS) || low.starts_with(b".env.") || is(&[".env"]) || is(SETTINGS_FILES);
    let drawn = has_extension(DRAWN) || memchr::memmem::find(&low, b".min.").is_some();
    for (holds, adds) in [
        (place.translates, -3.0),
        (drawn, -2.0),
        (modules, -1.0),
        (settings, 0.7),
        (example, -0.4),
        (test, -1.0),
        (has_extension(MANUALS), -0.3),
    ] {
        place.adds += if holds { adds } else { 0.0 };
    }
    place
}

fn holds(words: &[&str], word: &[u8]) -> bool {
    words.iter().any(|w| word.eq_ignore_ascii_case(w.as_bytes()))
}

/// The words of a part of a path (`androidTest`, `test_data`, `Api.Tests`), and first the whole of it.
fn words(part: &[u8], mut word: impl FnMut(&[u8], bool)) {
    word(part, true);
    let mut start = 0;
    for i in 0..=part.len() {
        let ends = i == part.len() || !part[i].is_ascii_alphanumeric();
        let turns = !ends && i > start && part[i].is_ascii_uppercase() && part[i - 1].is_ascii_lowercase();
        if ends || turns {
            if i > start && i - start < part.len() {
                word(&part[start..i], false);
            }
            start = if turns { i } else { i + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_file_counts() {
        assert!(path_adjustment(b"config/.env") > 0.0);
        for path in ["yarn.lock", "web/i18n/de.json", "app.min.js", "tests/login_test.py", "docs/guide.md"] {
            assert!(path_adjustment(path.as_bytes()) < 0.0, "{path}");
        }
        assert_eq!(path_adjustment(b"src/main.c"), 0.0);
    }

    #[test]
    fn made_up_passwords_are_dummies_where_something_is_shown() {
        for path in [
            "spec/user_spec.rb",
            "src/LoginTest.java",
            "src/LoginIT.java",
            "app/androidTest/a.kt",
            "Api.Tests/A.cs",
            "README.md",
            "docs/setup.sh",
            "examples/a/config.yml",
            "a/test_data/x.json",
            "config.example.toml",
        ] {
            assert!(adjusted(5.0, path.as_bytes(), b"hunter2", b"password = ") < super::super::MEDIUM, "{path}");
            assert!(
                adjusted(5.0, path.as_bytes(), b"kX9fQ2wLz7RbTn4v", b"password = ") >= super::super::MEDIUM,
                "{path}"
            );
            assert!(is_fake(path.as_bytes(), b"kX9fQ2FAKE7RbTn4v"), "{path}");
        }
        for path in [
            "latest.json",
            "contest/a.yml",
            "config/app.yml",
            "docker-compose.yml",
            "src/settings.py",
            ".env",
            "my.cnf",
            "app.ini",
            "application.properties",
            ".bashrc",
        ] {
            assert!(adjusted(5.0, path.as_bytes(), b"hunter2", b"password = ") >= super::super::MEDIUM, "{path}");
        }
    }

    #[test]
    fn a_word_or_two_are_no_secret_of_a_program() {
        let at = |path: &str, value: &str| adjusted(5.0, path.as_bytes(), value.as_bytes(), b"password = ");
        for path in ["src/specific.rs", "lib/Plugin.java", "web/login.tsx"] {
            assert!(at(path, "hunter2") < super::super::MEDIUM, "{path}");
            for value in ["Summer2024!", "blue-horse-seven-lamps", "kX9fQ2wLz7RbTn4v"] {
                assert!(at(path, value) >= super::super::MEDIUM, "{path} {value}");
            }
        }
    }

    #[test]
    fn words_open_nothing_where_developers_try_and_manuals_show() {
        let shown = |path: &str, name: &str, value: &str| {
            adjusted(5.0, path.as_bytes(), value.as_bytes(), name.as_bytes()) >= super::super::MEDIUM
        };
        let low: Vec<_> = [
            (".devcontainer/backend.env", "DB_PASSWORD=", "letmein"),
            ("ansible/vagrant_playbook.yml", "password: ", "hunter2"),
            ("contrib/local-environment/users.yml", "password: ", "hunter2"),
            ("dev/mysql/start.cfg", "password=", "hunter2"),
            ("src/Api/appsettings.Development.json", "\"Password\": \"", "letmein"),
            (".env.development", "DB_PASSWORD=", "hunter2"),
            ("cypress/docker-compose.yml", "password: ", "hunter2"),
            ("README.md", "POSTGRES_PASSWORD=", "orkav"),
        ]
        .into_iter()
        .filter(|(path, name, value)| shown(path, name, value))
        .collect();
        assert!(low.is_empty(), "{low:?}");
        for (path, name, value) in [
            ("environments/dev/app.yml", "password: ", "hunter2"),
            ("local/app.yml", "password: ", "hunter2"),
            (".devcontainer/backend.env", "DB_PASSWORD=", "kX9fQ2wLz7RbTn4v"),
            ("dev/mysql/start.cfg", "password=", "Summer2024!"),
            ("README.md", "POSTGRES_PASSWORD=", "kX9fQ2wLz7RbTn4v"),
        ] {
            assert!(shown(path, name, value), "{path} {name}{value}");
        }
    }

    #[test]
    fn tables_hold_hashes_of_passwords() {
        use super::super::tests::random;
        let digest = random("0123456789abcdef", 32, 7);
        let shown = |path: &str, name: &str| {
            adjusted(5.0, path.as_bytes(), digest.as_bytes(), name.as_bytes()) >= super::super::MEDIUM
        };
        assert!(!shown("db/users.sql", "user_password, phone) VALUES ('admin', '"));
        assert!(shown("db/users.sql", "api_token, phone) VALUES ('admin', '"));
        assert!(shown("conf/app.yml", "user_password: "));
    }

    #[test]
    fn hashes_identities_and_short_values_are_low_in_tests() {
        use super::super::tests::{ALNUM, random};
        let hash = format!("md5$salt$0{}", random("0123456789abcdef", 31, 3));
        let part = |n| random("0123456789abcdef", n, n as u64);
        let uuid = format!("{}-{}-{}-{}-{}", part(8), part(4), part(4), part(4), part(12));
        let base64 = random(ALNUM, 44, 5);
        let own = format!("RefreshToken.{base64}");
        let short = random("abcdefghijklmnopqrstuvwxyz0123456789", 10, 6);
        for (name, value, in_tests, elsewhere) in [
            ("password: ", &hash, false, true),
            ("password_hash: ", &base64, false, true),
            ("password: ", &base64, true, true),
            ("session_token: ", &uuid, false, true),
            ("client_secret: ", &uuid, true, true),
            ("password: ", &short, false, true),
            ("RefreshToken: \"", &own, false, true),
        ] {
            let shown =
                |path: &str| adjusted(5.0, path.as_bytes(), value.as_bytes(), name.as_bytes()) >= super::super::MEDIUM;
            assert_eq!(shown("src/test/a.yml"), in_tests, "{name}{value}");
            assert_eq!(shown("deploy/a.yml"), elsewhere, "{name}{value}");
        }
        assert!(adjusted(3.0, b".env.tests", b"snipe", b"DB_PASSWORD=") < super::super::MEDIUM);
    }
}
