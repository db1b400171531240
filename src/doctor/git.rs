//! The layers of git: its hooks, here and in other repositories, and what stands behind them.
//!
//! Each is tried in a repository that is made for it and thrown away: with the user's own configuration, and
//! with those hooks of the repository here that call keysift. Hooks of others are not run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

use super::{Check, State, canary};
use crate::error::{Error, Result};

/// What a hook or a configuration says that calls keysift.
const NAME: &str = "keysift";
/// Files that say what CI does.
const CI: &[&str] = &[
    ".gitlab-ci.yml",
    "Jenkinsfile",
    ".buildkite/pipeline.yml",
    ".circleci/config.yml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    ".woodpecker.yml",
    ".drone.yml",
];
/// Files in which other programs keep the hooks of a repository.
const KEEPERS: &[&str] = &[
    ".pre-commit-config.yaml",
    "lefthook.yml",
    "lefthook.yaml",
    ".lefthook.yml",
    ".husky/pre-commit",
    ".husky/commit-msg",
    ".husky/pre-push",
];
/// What configuration a repository may have for keysift.
const POLICY: &[&str] = &[".keysift.toml", ".gitleaks.toml", ".keysiftignore"];

/// Tries the layers of git for the repository whose working tree has its root at `root`, or, without one, for
/// repositories in general. `keysift` is the program to try.
///
/// # Errors
/// No folder can be made to try them in.
pub fn checks(keysift: &Path, root: Option<&Path>) -> Result<Vec<Check>> {
    let version = match run(Path::new("."), &["--version"]) {
        Ok(said) if said.status.success() => String::from_utf8_lossy(&said.stdout).trim().to_owned(),
        _ => {
            let check = Check::new("git", State::Failed, "there is no git on the PATH").mend("install git");
            return Ok(vec![check]);
        }
    };
    let mut checks = vec![Check::new("git", State::Good, version)];
    let Some(root) = root else {
        checks.push(elsewhere()?);
        return Ok(checks);
    };
    checks.push(configuration(keysift, root)?);
    let own = Own::of(root);
    for layer in Layer::ALL {
        checks.push(layer.check(root, &own)?);
    }
    checks.push(elsewhere()?);
    checks.push(behind(root));
    Ok(checks)
}

/// A moment at which git asks a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Commit,
    Merge,
    Message,
    Push,
}

impl Layer {
    const ALL: [Layer; 4] = [Layer::Commit, Layer::Merge, Layer::Message, Layer::Push];

    fn hook(self) -> &'static str {
        match self {
            Layer::Commit => "pre-commit",
            Layer::Merge => "pre-merge-commit",
            Layer::Message => "commit-msg",
            Layer::Push => "pre-push",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Layer::Commit => "a commit",
            Layer::Merge => "a merge",
            Layer::Message => "a commit's message",
            Layer::Push => "a push",
        }
    }

    /// Does what the hook should stop; what git said.
    fn try_canary(self, trial: &Trial) -> Result<Output> {
        let token = canary::token()?;
        match self {
            Layer::Commit => {
                trial.stage(&token)?;
                trial.git(&["commit", "-q", "-m", "canary"])
            }
            Layer::Message => trial.git(&["commit", "-q", "--allow-empty", "-m", &format!("token {token}")]),
            Layer::Merge => {
                trial.must(&["checkout", "-q", "-b", "side"])?;
                trial.stage(&token)?;
                trial.must(&["commit", "-q", "--no-verify", "-m", "canary"])?;
                trial.must(&["checkout", "-q", "-"])?;
                trial.must(&["commit", "-q", "--no-verify", "--allow-empty", "-m", "other"])?;
                trial.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"])
            }
            Layer::Push => {
                trial.stage(&token)?;
                trial.must(&["commit", "-q", "--no-verify", "-m", "canary"])?;
                trial.git(&["push", "-q", "remote", "HEAD:refs/heads/canary"])
            }
        }
    }

    fn check(self, root: &Path, own: &Own) -> Result<Check> {
        let trial = Trial::new()?;
        let taken = own.give(&trial)?;
        let said = self.try_canary(&trial)?;
        let hook = self.hook();
        let check = |state, why: String| Check::new(hook, state, why);
        let what = self.what();
        if !said.status.success() {
            return Ok(match refusal(&said) {
                Refusal::Ours => check(State::Good, format!("{what} with a canary was stopped")),
                Refusal::Others(line) => check(State::Weak, format!("{what} was stopped by something else: {line}")),
            });
        }
        let install = "keysift install";
        if taken.iter().any(|name| name == hook) {
            let why = format!("the hook {} calls keysift and let a canary through", own.folder.join(hook).display());
            return Ok(check(State::Failed, why).mend(install));
        }
        if let Some(file) = KEEPERS.iter().find(|name| mentions(&root.join(name))) {
            let why = format!("{file} names keysift; it was not tried, because that would run the other hooks too");
            return Ok(check(State::Weak, why));
        }
        let hidden = fs::read_dir(&own.folder).is_ok_and(|mut files| files.next().is_some()) && own.is_elsewhere;
        let why = match hidden {
            true => format!("{what} with a canary went through; core.hooksPath is {}", own.folder.display()),
            false => format!("{what} with a canary went through"),
        };
        Ok(check(State::Missing, why).mend(install))
    }
}

/// Who stopped a canary.
enum Refusal {
    Ours,
    Others(String),
}

fn refusal(said: &Output) -> Refusal {
    let text = [&said.stdout[..], &said.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text);
    if text.contains("keysift stopped") {
        return Refusal::Ours;
    }
    Refusal::Others(text.lines().find(|line| !line.trim().is_empty()).unwrap_or("git said nothing").trim().to_owned())
}

/// Whether the configuration here lets a secret be found at all.
fn configuration(keysift: &Path, root: &Path) -> Result<Check> {
    let trial = Trial::new()?;
    let mut named = Vec::new();
    for name in POLICY {
        if fs::copy(root.join(name), trial.path().join(name)).is_ok() {
            named.push(*name);
        }
    }
    trial.stage(&canary::token()?)?;
    let mut scan = Command::new(keysift);
    scan.args(["scan", "--staged"]).current_dir(trial.path());
    // Files that the configuration names are looked for beside it.
    if let Some(name) = named.iter().find(|name| name.ends_with(".toml")) {
        scan.arg("--config").arg(root.join(name));
    }
    clean(&mut scan);
    let said = scan.output().map_err(|e| Error::new(format!("cannot run {}", keysift.display())).because(e))?;
    let files =
        if named.is_empty() { "without a configuration".to_owned() } else { format!("with {}", named.join(", ")) };
    Ok(match said.status.code() {
        Some(1) => Check::new("configuration", State::Good, format!("a canary is found {files}")),
        Some(0) => Check::new("configuration", State::Failed, format!("a canary is not found {files}"))
            .mend("look for patterns that leave everything out: `keysift config show`"),
        _ => {
            let text = String::from_utf8_lossy(&said.stderr);
            let why = text.lines().next().unwrap_or_default().trim().to_owned();
            Check::new("configuration", State::Failed, why).mend("keysift config check")
        }
    })
}

/// Whether repositories that were not prepared are protected.
fn elsewhere() -> Result<Check> {
    let trial = Trial::new()?;
    let said = Layer::Commit.try_canary(&trial)?;
    let check = |state, why: &str| Check::new("other repositories", state, why);
    if said.status.success() {
        let why = "a canary went through in a new repository: only prepared ones are protected";
        return Ok(check(State::Weak, why).mend("keysift install --global"));
    }
    Ok(match refusal(&said) {
        Refusal::Ours => check(State::Good, "a canary was stopped in a new repository"),
        Refusal::Others(line) => check(State::Weak, &format!("something else stopped a canary: {line}")),
    })
}

/// What stands behind the hooks, which anybody may pass with `--no-verify`.
fn behind(root: &Path) -> Check {
    let mut files: Vec<PathBuf> = CI.iter().map(|name| root.join(name)).collect();
    let workflows = fs::read_dir(root.join(".github/workflows")).into_iter().flatten().flatten();
    files.extend(workflows.map(|file| file.path()));
    files.sort();
    match files.iter().find(|path| mentions(path)) {
        Some(path) => {
            let path = path.strip_prefix(root).unwrap_or(path).display();
            Check::new("ci", State::Weak, format!("{path} names keysift; whether it runs cannot be tried from here"))
        }
        None => {
            Check::new("ci", State::Missing, "`git commit --no-verify` passes every hook, and no CI file names keysift")
                .mend("add it to CI: docs/ci.md")
        }
    }
}

fn mentions(path: &Path) -> bool {
    fs::read(path).is_ok_and(|text| memchr::memmem::find(&text, NAME.as_bytes()).is_some())
}

/// The hooks of the repository here.
struct Own {
    /// The folder that git takes them from.
    folder: PathBuf,
    /// Whether that folder serves other repositories too.
    is_elsewhere: bool,
    /// Hooks of ours that git's configuration names, as key and value.
    configured: Vec<(String, String)>,
}

impl Own {
    fn of(root: &Path) -> Own {
        let said = |args: &[&str]| {
            let said = run(root, args).ok().filter(|said| said.status.success())?;
            Some(String::from_utf8_lossy(&said.stdout).trim_end().to_owned())
        };
        let folder = root.join(said(&["rev-parse", "--git-path", "hooks"]).unwrap_or_default());
        let here = said(&["rev-parse", "--git-common-dir"]).map(|dir| root.join(dir));
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let is_elsewhere =
            !real(&folder).starts_with(real(root)) && !here.is_some_and(|dir| real(&folder).starts_with(real(&dir)));
        let configured = said(&["config", "--local", "--get-regexp", "^hook\\.keysift-"]).unwrap_or_default();
        let configured = configured.lines().filter_map(|line| line.split_once(' '));
        Own { folder, is_elsewhere, configured: configured.map(|(k, v)| (k.to_owned(), v.to_owned())).collect() }
    }

    /// Gives a trial those hooks that call keysift; their names.
    fn give(&self, trial: &Trial) -> Result<Vec<String>> {
        let mut given: Vec<String> = Vec::new();
        for (key, value) in &self.configured {
            trial.must(&["config", key, value])?;
            given.extend((key.ends_with(".event")).then(|| value.clone()));
        }
        // A folder for all repositories is the trial's too.
        if self.is_elsewhere {
            let ours = |name: &&str| mentions(&self.folder.join(name));
            given.extend(Layer::ALL.map(Layer::hook).iter().filter(|n| ours(n)).map(|n| (*n).to_owned()));
            return Ok(given);
        }
        let hooks = trial.folder.path().join("hooks");
        let fail = |e: std::io::Error| Error::new("cannot copy the hooks").because(e);
        fs::create_dir_all(&hooks).map_err(fail)?;
        let mut any = false;
        for layer in Layer::ALL {
            let file = self.folder.join(layer.hook());
            if mentions(&file) {
                fs::copy(&file, hooks.join(layer.hook())).map_err(fail)?;
                given.push(layer.hook().to_owned());
                any = true;
            }
        }
        if any {
            trial.must(&["config", "core.hooksPath", &hooks.display().to_string()])?;
        }
        Ok(given)
    }
}

/// A repository to try hooks in, and a remote to push to.
struct Trial {
    folder: TempDir,
}

impl Trial {
    fn new() -> Result<Trial> {
        let folder = tempfile::Builder::new()
            .prefix("keysift-doctor-")
            .tempdir()
            .map_err(|e| Error::new("cannot make a folder to try the hooks in").because(e))?;
        let trial = Trial { folder };
        let work = trial.path();
        fs::create_dir(&work).map_err(|e| Error::new("cannot make a folder").because(e))?;
        trial.must(&["init", "-q", "."])?;
        trial.must(&["init", "-q", "--bare", "../remote"])?;
        trial.must(&["remote", "add", "remote", "../remote"])?;
        for (key, value) in [
            ("user.name", "keysift doctor"),
            ("user.email", "doctor@keysift.invalid"),
            ("commit.gpgSign", "false"),
            ("push.gpgSign", "false"),
        ] {
            trial.must(&["config", key, value])?;
        }
        trial.must(&["commit", "-q", "--no-verify", "--allow-empty", "-m", "start"])?;
        Ok(trial)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Stages a file with a canary.
    fn stage(&self, token: &str) -> Result<()> {
        fs::write(self.path().join("canary.env"), format!("GITHUB_TOKEN={token}\n"))
            .map_err(|e| Error::new("cannot write a canary").because(e))?;
        self.must(&["add", "-f", "canary.env"])
    }

    fn git(&self, args: &[&str]) -> Result<Output> {
        run(&self.path(), args)
    }

    fn must(&self, args: &[&str]) -> Result<()> {
        let said = self.git(args)?;
        if said.status.success() {
            return Ok(());
        }
        Err(Error::new(format!("cannot run `git {}` in a repository made for a trial", args.join(" ")))
            .because(String::from_utf8_lossy(&said.stderr).trim()))
    }
}

/// Runs git in a folder, with the user's configuration and without what names another repository.
fn run(folder: &Path, args: &[&str]) -> Result<Output> {
    let mut git = Command::new("git");
    git.args(args).current_dir(folder);
    clean(&mut git);
    git.output().map_err(|e| Error::new(format!("cannot run `git {}`", args.join(" "))).because(e))
}

fn clean(command: &mut Command) {
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_QUARANTINE_PATH",
        "GIT_PREFIX",
        "PRE_COMMIT",
        "KEYSIFT_CONFIG",
    ] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
}
