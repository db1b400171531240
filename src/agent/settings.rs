//! The agents' settings: where they are, and our hooks in them.
//!
//! Every change is a [`Plan`] first: the text that is there and the text that will be. What else stands in a
//! file stays as it is, comments and order included; doing it twice changes nothing.

mod hooks;
mod json;
mod own;
mod toml;

use std::{
    ffi::OsString,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use super::Agent;
use crate::error::{Error, Result};

/// For whom the hooks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// For everything that this person does.
    User,
    /// For everybody who works in this repository.
    Project,
}

impl Scope {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Scope::User => "user",
            Scope::Project => "project",
        }
    }
}

/// Where settings may be.
#[derive(Debug, Clone)]
pub struct Folders {
    home: PathBuf,
    root: PathBuf,
    claude: PathBuf,
    codex: PathBuf,
    copilot: PathBuf,
    vibe: PathBuf,
    config: PathBuf,
}

impl Folders {
    /// Below this home and this root of a repository, unless a variable of the environment says otherwise.
    pub fn new(home: &Path, root: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Folders {
        let folder = |name: &str, usual: &str| {
            variable(name).filter(|v| !v.is_empty()).map_or_else(|| home.join(usual), PathBuf::from)
        };
        Folders {
            claude: folder("CLAUDE_CONFIG_DIR", ".claude"),
            codex: folder("CODEX_HOME", ".codex"),
            copilot: folder("COPILOT_HOME", ".copilot"),
            vibe: folder("VIBE_HOME", ".vibe"),
            config: folder("XDG_CONFIG_HOME", ".config"),
            home: home.to_owned(),
            root: root.to_owned(),
        }
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The folders that an agent keeps its things in; the first is the one that it makes itself.
    pub(super) fn of(&self, agent: Agent) -> Vec<PathBuf> {
        let home = |path: &str| self.home.join(path);
        match agent {
            Agent::ClaudeCode => vec![self.claude.clone()],
            Agent::Codex => vec![self.codex.clone()],
            Agent::Copilot => vec![self.copilot.clone()],
            Agent::Cursor => vec![home(".cursor")],
            Agent::Droid => vec![home(".factory")],
            Agent::Gemini => vec![home(".gemini")],
            Agent::OpenCode => vec![self.config.join("opencode"), home(".opencode")],
            Agent::Vibe => vec![self.vibe.clone()],
            Agent::VsCode => {
                vec![self.config.join("Code"), home("Library/Application Support/Code"), home("AppData/Roaming/Code")]
            }
            Agent::Windsurf => vec![home(".codeium/windsurf")],
        }
    }

    /// Whether an agent has been used by this person.
    pub fn has(&self, agent: Agent) -> bool {
        self.of(agent).iter().any(|folder| folder.is_dir())
    }

    /// The file that an agent's hooks stand in.
    pub fn settings(&self, agent: Agent, scope: Scope) -> PathBuf {
        let user = scope == Scope::User;
        let below = |user_folder: &Path, project: &str, file: &str| {
            if user { user_folder.join(file) } else { self.root.join(project).join(file) }
        };
        match agent {
            Agent::ClaudeCode => below(&self.claude, ".claude", "settings.json"),
            Agent::Codex => below(&self.codex, ".codex", "hooks.json"),
            // Visual Studio Code reads the hooks of Copilot CLI.
            Agent::Copilot | Agent::VsCode => below(&self.copilot.join("hooks"), ".github/hooks", "keysift.json"),
            Agent::Cursor => below(&self.home.join(".cursor"), ".cursor", "hooks.json"),
            Agent::Droid => {
                // A `hooks.json` makes Droid pass over the hooks in `settings.json`.
                let hooks = below(&self.home.join(".factory"), ".factory", "hooks.json");
                if hooks.is_file() { hooks } else { hooks.with_file_name("settings.json") }
            }
            Agent::Gemini => below(&self.home.join(".gemini"), ".gemini", "settings.json"),
            Agent::OpenCode => below(&self.config.join("opencode/plugins"), ".opencode/plugins", "keysift.js"),
            Agent::Vibe => below(&self.vibe, ".vibe", "hooks.toml"),
            Agent::Windsurf => below(&self.home.join(".codeium/windsurf"), ".windsurf", "hooks.json"),
        }
    }
}

/// A change of a file, not yet made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The file.
    pub path: PathBuf,
    /// What is in it; `None` if it is not there.
    pub old: Option<String>,
    /// What will be in it; `None` if it goes.
    pub new: Option<String>,
}

impl Plan {
    /// Whether it changes anything.
    pub fn is_change(&self) -> bool {
        self.old != self.new
    }

    /// Makes the change.
    ///
    /// # Errors
    /// The file cannot be written; then it is as it was.
    pub fn make(&self) -> Result<()> {
        let fail = |e: io::Error| {
            Error::new(format!("cannot change {}", self.path.display())).because(e).help("nothing was changed in it")
        };
        match &self.new {
            None if self.old.is_some() => fs::remove_file(&self.path).map_err(fail),
            Some(new) if self.is_change() => write(&self.path, new).map_err(fail),
            _ => Ok(()),
        }
    }
}

/// How our hooks stand in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// None of them is there.
    Absent,
    /// Some are missing, or are not as they should be.
    Partial,
    /// All of them are there.
    Complete,
}

/// What it takes to have our hooks in an agent's settings.
///
/// # Errors
/// The settings cannot be read, or are not what the agent would accept either.
pub fn install(agent: Agent, path: &Path, program: &Path) -> Result<Plan> {
    plan(agent, path, Some(&command(program, agent)))
}

/// What it takes to have none of our hooks in an agent's settings.
///
/// # Errors
/// As for [`install`].
pub fn uninstall(agent: Agent, path: &Path) -> Result<Plan> {
    plan(agent, path, None)
}

/// How our hooks stand in an agent's settings, and the commands that they call.
///
/// # Errors
/// As for [`install`].
pub fn presence(agent: Agent, path: &Path) -> Result<(Presence, Vec<String>)> {
    let old = read(path)?.unwrap_or_default();
    let commands = commands(&old);
    let Some(command) = commands.first() else { return Ok((Presence::Absent, commands)) };
    let plan = plan(agent, path, Some(command))?;
    Ok((if plan.is_change() { Presence::Partial } else { Presence::Complete }, commands))
}

/// The command of an agent's hooks.
pub fn command(program: &Path, agent: Agent) -> String {
    format!("{} agent hook --agent {}", super::shell::quote(&program.to_string_lossy()), agent.name())
}

/// The commands of ours that a text has in it, each once.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(MARK) {
        let start = text[..at].rfind(['"', '\n']).map_or(0, |n| n + 1);
        let end = text[at..].find(['"', '\n']).map_or(text.len(), |n| at + n);
        let command = text[start..end].trim().replace("\\\\", "\\");
        // PowerShell's spelling of it says the same.
        if !command.starts_with("& ") && is_ours(&command) {
            found.push(command);
        }
    }
    found.sort();
    found.dedup();
    found
}

/// What a command of ours has in it.
const MARK: &str = " agent hook --agent ";

fn is_ours(command: &str) -> bool {
    program_of(command).is_some()
}

/// The program that a hook of ours calls: `…/keysift agent hook --agent NAME` and nothing else.
pub fn program_of(command: &str) -> Option<PathBuf> {
    if !command.contains(MARK) {
        return None;
    }
    let commands = super::shell::parse(command.trim_start_matches("& "));
    let [only] = commands.as_slice() else { return None };
    let words: Vec<&str> = only.words.iter().map(|w| w.text.as_str()).collect();
    let [program, "agent", "hook", "--agent", agent] = words.as_slice() else { return None };
    let program = PathBuf::from(program);
    let name = program.file_stem()?.to_string_lossy().starts_with("keysift");
    (name && Agent::from_name(agent).is_some() && only.redirections.is_empty() && only.assignments.is_empty())
        .then_some(program)
}

fn plan(agent: Agent, path: &Path, command: Option<&str>) -> Result<Plan> {
    let old = read(path)?;
    let refuse = |why: String| {
        Error::new(format!("cannot change {}", path.display())).because(why).help("mend it first; nothing was changed")
    };
    let new = match agent {
        Agent::Copilot | Agent::VsCode => own::copilot(old.as_deref(), command),
        Agent::OpenCode => own::opencode(old.as_deref(), command),
        Agent::Vibe => toml::changed(old.as_deref(), command).map_err(refuse)?,
        _ => json::changed(old.as_deref(), &hooks::of(agent, path), command).map_err(refuse)?,
    };
    Ok(Plan { path: path.to_owned(), old, new })
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(Error::new(format!("cannot read {}", path.display())).because(e)),
    }
}

/// Writes a file whole or not at all; a link stays a link, and rights stay as they were.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keysift-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let rights = fs::metadata(&target).map_or_else(|_| fs::Permissions::from_mode(0o666), |m| m.permissions());
        builder.permissions(rights);
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|e| e.error)?;
    Ok(())
}
