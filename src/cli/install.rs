//! `keysift install` and `keysift uninstall`: git's hooks, such that whatever was there goes on working.
//!
//! git 2.54 and later run hooks that its configuration names beside those in the hooks folder, whoever keeps
//! that folder; older versions have one file a hook, which is chained with the one that was there, or left to
//! the program that keeps it.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use clap::ValueEnum;
use keysift::{Error, Result, source::repository::Repository};

use super::{CLEAN, Done, FINDINGS, scan};

/// What tells our hooks from others'.
const MARK: &str = "# keysift: stops secrets. Written by `keysift install`, taken out by `keysift uninstall`.";
/// What is added to the name of a hook that was there.
const BEFORE: &str = "before-keysift";
/// Names of hooks in git's configuration begin with this.
const SECTION: &str = "keysift-";
/// The git that runs hooks which its configuration names.
const CONFIGURED: (u32, u32) = (2, 54);
/// Every hook that a hooks path for all repositories would hide. `reference-transaction` and
/// `post-index-change` are not among them: they run many times a command.
const HIDDEN: &[&str] = &[
    "applypatch-msg",
    "commit-msg",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-merge",
    "post-receive",
    "post-rewrite",
    "post-update",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "pre-receive",
    "prepare-commit-msg",
    "push-to-checkout",
    "sendemail-validate",
    "update",
];

/// The flags of `keysift install`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which hooks (default: all that stand before a commit or a push)
    #[arg(long, value_enum, value_name = "NAME")]
    hook: Vec<Hook>,
    /// For every repository of this user, not for this one
    #[arg(long)]
    global: bool,
}

/// The flags of `keysift uninstall`.
#[derive(Debug, clap::Args)]
pub(crate) struct UninstallArgs {
    /// What `install --global` set up
    #[arg(long)]
    global: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Hook {
    PreCommit,
    PreMergeCommit,
    CommitMsg,
    PrePush,
    PreReceive,
}

impl Hook {
    const USUAL: &[Hook] = &[Hook::PreCommit, Hook::PreMergeCommit, Hook::CommitMsg, Hook::PrePush];

    fn name(self) -> &'static str {
        match self {
            Hook::PreCommit => "pre-commit",
            Hook::PreMergeCommit => "pre-merge-commit",
            Hook::CommitMsg => "commit-msg",
            Hook::PrePush => "pre-push",
            Hook::PreReceive => "pre-receive",
        }
    }

    /// Whether git tells it something on standard input.
    fn reads(self) -> bool {
        matches!(self, Hook::PrePush | Hook::PreReceive)
    }
}

/// Runs `keysift install`.
pub(crate) fn run(args: &Args) -> Done {
    let hooks = if args.hook.is_empty() { Hook::USUAL } else { &args.hook };
    if args.global { install_for_user(hooks) } else { install_here(hooks) }
}

/// Runs `keysift uninstall`.
pub(crate) fn uninstall(args: &UninstallArgs) -> Done {
    let mut out = anstream::stdout().lock();
    let mut gone = 0;
    let scope = if args.global { "--global" } else { "--local" };
    let folder = if args.global { user_hooks_path()?.map(|(path, _)| path) } else { Some(hooks_folder(&here()?)?.0) };
    for section in sections(scope) {
        git(&["config", scope, "--remove-section", &section])?;
        writeln!(out, "took out {section} of git's configuration")?;
        gone += 1;
    }
    if let Some(folder) = folder {
        for path in files(&folder).into_iter().filter(|path| is_ours(path)) {
            let before = before(&path);
            let fail = |e: io::Error| Error::new(format!("cannot take out {}", path.display())).because(e);
            if before.symlink_metadata().is_ok() {
                fs::rename(&before, &path).map_err(fail)?;
                writeln!(out, "{}: as it was before", path.display())?;
            } else {
                fs::remove_file(&path).map_err(fail)?;
                writeln!(out, "took out {}", path.display())?;
            }
            gone += 1;
        }
        if args.global && folder == own_folder()? {
            git(&["config", "--global", "--unset", "core.hooksPath"])?;
            let _ = fs::remove_dir(&folder);
            writeln!(out, "took out core.hooksPath of git's configuration")?;
        }
    }
    if gone == 0 {
        writeln!(out, "there is nothing to take out")?;
    }
    Ok(CLEAN)
}

fn install_here(hooks: &[Hook]) -> Done {
    let mut out = anstream::stdout().lock();
    let repository = here()?;
    if version()? >= CONFIGURED {
        configure("--local", hooks, &mut out)?;
        return Ok(CLEAN);
    }
    if let Some(keeper) = keeper(&repository) {
        let (how, is_there) = (keeper.advice(hooks), keeper.calls_keysift());
        let name = keeper.name;
        if is_there {
            writeln!(out, "{name} keeps the hooks of this repository, and {} calls keysift", keeper.file.display())?;
            return Ok(CLEAN);
        }
        writeln!(out, "{name} keeps the hooks of this repository; nothing was written. {how}")?;
        return Ok(FINDINGS);
    }
    let (folder, kind) = hooks_folder(&repository)?;
    let keysift = match kind {
        FolderKind::Own => Some(program()?),
        // Others get this file with the repository: it names no path of this machine.
        FolderKind::Shared => None,
        FolderKind::Elsewhere if is_ours(&folder.join("pre-commit")) => {
            writeln!(out, "`keysift install --global` covers this repository: {}", folder.display())?;
            return Ok(CLEAN);
        }
        FolderKind::Elsewhere => {
            writeln!(
                out,
                "core.hooksPath is {}, for more than this repository; nothing was written. `keysift install --global` \
                 adds keysift to the hooks there",
                folder.display()
            )?;
            return Ok(FINDINGS);
        }
    };
    write_hooks(&folder, hooks, keysift.as_deref(), &mut out)?;
    Ok(CLEAN)
}

fn install_for_user(hooks: &[Hook]) -> Done {
    let mut out = anstream::stdout().lock();
    if version()? >= CONFIGURED {
        configure("--global", hooks, &mut out)?;
        return Ok(CLEAN);
    }
    let keysift = program()?;
    match user_hooks_path()? {
        Some((folder, false)) => write_hooks(&folder, hooks, Some(&keysift), &mut out)?,
        ours => {
            let folder = own_folder()?;
            for name in HIDDEN {
                let ours = hooks.iter().find(|hook| hook.name() == *name);
                let text = script(name, ours.copied(), Some(&keysift), &Next::OfRepository);
                write_script(&folder.join(name), &text)?;
            }
            if ours.is_none() {
                let path = folder.display().to_string();
                git(&["config", "--global", "core.hooksPath", &path])?;
            }
            let names: Vec<&str> = hooks.iter().map(|hook| hook.name()).collect();
            writeln!(out, "{}: {}, for every repository", folder.display(), names.join(", "))?;
            writeln!(
                out,
                "a repository's own hooks go on running, after which keysift looks. A repository that sets \
                 core.hooksPath itself (Husky does) is not covered: run `keysift install` there. git 2.54 needs no such \
                 detour"
            )?;
        }
    }
    Ok(CLEAN)
}

/// Names the hooks in git's configuration.
fn configure(scope: &str, hooks: &[Hook], out: &mut impl Write) -> Result<(), super::Failure> {
    let keysift = quoted(&program()?);
    for hook in hooks {
        let name = hook.name();
        git(&["config", scope, &format!("hook.{SECTION}{name}.command"), &format!("{keysift} hook {name}")])?;
        git(&["config", scope, &format!("hook.{SECTION}{name}.event"), name])?;
    }
    let names: Vec<&str> = hooks.iter().map(|hook| hook.name()).collect();
    let place = if scope == "--global" { "every repository" } else { "this repository" };
    writeln!(out, "git's configuration: {}, for {place}; other hooks go on running", names.join(", "))?;
    Ok(())
}

/// Our sections in git's configuration.
fn sections(scope: &str) -> Vec<String> {
    let text =
        git(&["config", scope, "--name-only", "--get-regexp", &format!("^hook\\.{SECTION}")]).unwrap_or_default();
    let mut all: Vec<String> =
        text.lines().filter_map(|line| line.rsplit_once('.').map(|(section, _)| section.to_owned())).collect();
    all.sort();
    all.dedup();
    all
}

fn write_hooks(
    folder: &Path,
    hooks: &[Hook],
    keysift: Option<&Path>,
    out: &mut impl Write,
) -> Result<(), super::Failure> {
    for hook in hooks {
        let path = folder.join(hook.name());
        let text = script(hook.name(), Some(*hook), keysift, &Next::Renamed);
        let shown = path.display();
        if path.symlink_metadata().is_err() || is_ours(&path) {
            write_script(&path, &text)?;
            writeln!(out, "{shown}")?;
            continue;
        }
        if calls_keysift(&path) {
            writeln!(out, "{shown}: calls keysift already, left as it is")?;
            continue;
        }
        let before = before(&path);
        if before.symlink_metadata().is_ok() {
            return Err(Error::new(format!("cannot chain the hook {shown}"))
                .because(format!("{} is there already", before.display()))
                .help("put `keysift hook` into the hook by hand, or take that file away")
                .into());
        }
        fs::rename(&path, &before)
            .map_err(|e| Error::new(format!("cannot rename {shown} to {}", before.display())).because(e))?;
        if let Err(error) = write_script(&path, &text) {
            let _ = fs::rename(&before, &path);
            return Err(error.into());
        }
        writeln!(out, "{shown}: runs what was there (now {}), then keysift", before.display())?;
    }
    Ok(())
}

/// Which hook goes before ours.
enum Next {
    /// The one that was there.
    Renamed,
    /// The repository's own, which a hooks path for all repositories hides.
    OfRepository,
}

/// The text of a hook; `ours` is none for one that only hands on.
fn script(name: &str, ours: Option<Hook>, keysift: Option<&Path>, next: &Next) -> String {
    let before = match next {
        Next::Renamed => format!("before=$0.{BEFORE}"),
        Next::OfRepository => format!("before=$(git rev-parse --git-common-dir)/hooks/{name}"),
    };
    let Some(hook) = ours else {
        return format!("#!/bin/sh\n{MARK}\n{before}\n[ -x \"$before\" ] || exit 0\nexec \"$before\" \"$@\"\n");
    };
    let find = match keysift {
        Some(path) => format!("keysift={}\n[ -x \"$keysift\" ] || keysift=$(command -v keysift) || {{", quoted(path)),
        None => "keysift=$(command -v keysift) || {".to_owned(),
    };
    let run = if hook.reads() {
        format!(
            "told=$(cat)\n\
             say() {{ [ -z \"$told\" ] || printf '%s\\n' \"$told\"; }}\n\
             [ ! -x \"$before\" ] || say | \"$before\" \"$@\" || exit $?\n\
             say | \"$keysift\" hook {name} \"$@\"\n"
        )
    } else {
        format!("[ ! -x \"$before\" ] || \"$before\" \"$@\" || exit $?\nexec \"$keysift\" hook {name} \"$@\"\n")
    };
    format!(
        "#!/bin/sh\n{MARK}\n{find}\n    echo \"keysift is not there: install it, or take this hook out: $0\" >&2\n    \
         exit 2\n}}\n{before}\n{run}"
    )
}

fn write_script(path: &Path, text: &str) -> Result<()> {
    let fail = |e: io::Error| Error::new(format!("cannot write the hook {}", path.display())).because(e);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    keysift::triage::baseline::write_whole(path, text.as_bytes()).map_err(fail)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(fail)?;
    }
    Ok(())
}

fn before(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(BEFORE);
    PathBuf::from(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path()).collect();
    all.sort();
    all
}

fn is_ours(path: &Path) -> bool {
    fs::read(path).is_ok_and(|text| String::from_utf8_lossy(&text).contains(MARK))
}

fn calls_keysift(path: &Path) -> bool {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.contains("keysift hook") || text.contains("keysift scan")
}

/// A word for the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\\', "/").replace('\'', "'\\''"))
}

/// This program, by the path that it was started as where that is a lasting one.
fn program() -> Result<PathBuf> {
    env::current_exe().map_err(|e| Error::new("cannot tell where keysift is").because(e))
}

fn here() -> Result<Repository> {
    let environment = keysift::source::repository::Environment::of_process();
    Repository::discover(Path::new("."), &environment)?.ok_or_else(scan::not_a_repository)
}

/// Whose a folder of hooks is.
enum FolderKind {
    /// This repository's alone.
    Own,
    /// Part of its working tree.
    Shared,
    /// Of more than this repository.
    Elsewhere,
}

/// The folder that git takes the hooks of a repository from.
fn hooks_folder(repository: &Repository) -> Result<(PathBuf, FolderKind)> {
    let named = git(&["rev-parse", "--git-path", "hooks"])?;
    let folder = env::current_dir().unwrap_or_default().join(named);
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // The folder itself may not be there yet.
    let inside = match (folder.parent(), folder.file_name()) {
        (Some(above), Some(name)) if !folder.exists() => real(above).join(name),
        _ => real(&folder),
    };
    let kind = if inside.starts_with(real(repository.common_dir())) {
        FolderKind::Own
    } else if repository.root().is_some_and(|root| inside.starts_with(real(root))) {
        FolderKind::Shared
    } else {
        FolderKind::Elsewhere
    };
    Ok((inside, kind))
}

/// The hooks path of this user, and whether it is ours.
fn user_hooks_path() -> Result<Option<(PathBuf, bool)>> {
    let Ok(path) = git(&["config", "--global", "--type=path", "--get", "core.hooksPath"]) else { return Ok(None) };
    let path = PathBuf::from(path);
    let is_ours = path == own_folder()?;
    Ok(Some((path, is_ours)))
}

/// Where our hooks for every repository stand.
fn own_folder() -> Result<PathBuf> {
    let config = env::var_os("XDG_CONFIG_HOME")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".config")))
        .ok_or_else(|| Error::new("cannot tell the home folder").help("set HOME"))?;
    Ok(config.join("keysift").join("hooks"))
}

/// A program that keeps the hooks of a repository.
struct Keeper {
    name: &'static str,
    file: PathBuf,
}

fn keeper(repository: &Repository) -> Option<Keeper> {
    let root = repository.root()?;
    let first = |names: &[&str]| names.iter().map(|name| root.join(name)).find(|path| path.exists());
    let lefthook = ["lefthook", ".lefthook", ".config/lefthook"];
    let lefthook: Vec<String> =
        lefthook.iter().flat_map(|name| ["yml", "yaml", "toml", "json"].map(|end| format!("{name}.{end}"))).collect();
    let lefthook: Vec<&str> = lefthook.iter().map(String::as_str).collect();
    let husky = || first(&[".husky"]).filter(|path| path.is_dir()).map(|file| Keeper { name: "Husky", file });
    first(&[".pre-commit-config.yaml"])
        .map(|file| Keeper { name: "pre-commit", file })
        .or_else(|| first(&lefthook).map(|file| Keeper { name: "lefthook", file }))
        .or_else(husky)
}

impl Keeper {
    fn calls_keysift(&self) -> bool {
        let files = if self.file.is_dir() { files(&self.file) } else { vec![self.file.clone()] };
        files.iter().any(|path| fs::read(path).is_ok_and(|text| String::from_utf8_lossy(&text).contains("keysift")))
    }

    /// What to add by hand.
    fn advice(&self, hooks: &[Hook]) -> String {
        let mut text = String::new();
        match self.name {
            "Husky" => {
                text += "Add a line to these files (and make them, where they are not there):\n";
                for hook in hooks {
                    text += &format!("  .husky/{0}:  keysift hook {0} \"$@\"\n", hook.name());
                }
            }
            "lefthook" => {
                text += &format!("Add to {}, and run `lefthook install`:\n", self.file.display());
                for hook in hooks {
                    let name = hook.name();
                    let (args, stdin) = match hook {
                        Hook::CommitMsg => (" {1}", ""),
                        Hook::PrePush => (" {1} {2}", ", use_stdin: true"),
                        Hook::PreReceive => ("", ", use_stdin: true"),
                        _ => ("", ""),
                    };
                    text += &format!(
                        "  {name}:\n    commands:\n      keysift: {{ run: 'keysift hook {name}{args}'{stdin} }}\n"
                    );
                }
            }
            _ => {
                text += &format!(
                    "Add to {}, and run `pre-commit install --install-hooks`:\n  \
                     default_install_hook_types: [pre-commit, pre-merge-commit, commit-msg, pre-push]\n  \
                     repos:\n    - repo: {}\n      rev: v{}\n      hooks: [{{ id: keysift-system }}, {{ id: keysift-message-system }}]\n",
                    self.file.display(),
                    env!("CARGO_PKG_REPOSITORY"),
                    env!("CARGO_PKG_VERSION"),
                );
            }
        }
        text.trim_end().to_owned()
    }
}

/// The version of git that is on the PATH.
fn version() -> Result<(u32, u32)> {
    let text = git(&["--version"])?;
    let mut numbers = text.split_whitespace().nth(2).unwrap_or_default().split('.').map(|n| n.parse().unwrap_or(0));
    Ok((numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)))
}

/// What git prints, without the last line end.
fn git(args: &[&str]) -> Result<String> {
    let tried = || format!("cannot run `git {}`", args.join(" "));
    let output = Command::new("git").args(args).output().map_err(|e| Error::new(tried()).because(e))?;
    if !output.status.success() {
        return Err(Error::new(tried()).because(String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
