//! `keysift agent`: the hook that coding agents call, and its installation.

use std::{
    env, fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use keysift::{
    Error, Result,
    agent::{
        Agent,
        event::Event,
        inspect::Inspector,
        place::Base,
        policy::{Policy, Verdict},
        protocol::{self, Answer, OnFailure},
        redact::Redactor,
        sensitive::Sensitive,
        settings::{self, Folders, Plan, Presence, Scope},
    },
    config::Config,
    detect::Detector,
    doctor::{Check, agents},
    rule::Ruleset,
    triage::{Triage, baseline},
};

use super::{
    CLEAN, Done, FINDINGS,
    policy::{Named, Wish},
};

/// The most that a hook is told at once, in bytes.
const LARGEST: u64 = 512 << 20;

/// The flags of `keysift agent`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge one event of an agent: its payload on standard input, the answer in the agent's own protocol
    Hook(HookArgs),
    /// Write the hooks into the agents' settings
    Install(InstallArgs),
    /// Take the hooks out of the agents' settings
    Uninstall(InstallArgs),
    /// Say which agents are guarded
    Status(StatusArgs),
}

/// Which settings are meant.
#[derive(Debug, clap::Args)]
struct InstallArgs {
    /// This agent only (default: those that are found in the home directory)
    #[arg(long, value_name = "NAME", value_parser = agent)]
    agent: Vec<Agent>,
    /// This repository's settings, for everybody who works in it
    #[arg(long, conflicts_with = "user")]
    project: bool,
    /// The settings in the home directory (the default)
    #[arg(long)]
    user: bool,
    /// Show the difference, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// The flags of `keysift agent status`.
#[derive(Debug, clap::Args)]
struct StatusArgs {
    /// This agent only
    #[arg(long, value_name = "NAME", value_parser = agent)]
    agent: Vec<Agent>,
}

/// The flags of `keysift agent hook`.
#[derive(Debug, clap::Args)]
struct HookArgs {
    /// Who calls, for answers to what cannot be read (agents are recognised by their payloads)
    #[arg(long, value_name = "NAME", value_parser = agent)]
    agent: Option<Agent>,
}

fn agent(name: &str) -> Result<Agent, String> {
    Agent::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Agent::ALL.iter().map(|a| a.name()).collect();
        format!("there are: {}", names.join(", "))
    })
}

/// Runs `keysift agent`.
pub(crate) fn run(args: &Args) -> Done {
    match &args.command {
        Command::Hook(args) => hook(args),
        Command::Install(args) => change(args, true),
        Command::Uninstall(args) => change(args, false),
        Command::Status(args) => status(args),
    }
}

fn hook(args: &HookArgs) -> Done {
    let mut payload = Vec::new();
    let read = io::stdin().lock().take(LARGEST).read_to_end(&mut payload);
    let answer = match read {
        Err(e) => protocol::failure(None, args.agent, mode_here(), &format!("standard input cannot be read: {e}")),
        Ok(n) if n as u64 == LARGEST => protocol::failure(None, args.agent, mode_here(), "the payload is too large"),
        Ok(_) => answer(&payload, args.agent),
    };
    io::stderr().write_all(answer.err.as_bytes())?;
    let mut out = io::stdout().lock();
    out.write_all(answer.out.as_bytes())?;
    out.flush()?;
    Ok(answer.status)
}

/// What the payload is answered. A panic is a failure like any other.
fn answer(payload: &[u8], caller: Option<Agent>) -> Answer {
    let event = match protocol::read(payload) {
        Ok(event) => event,
        Err(unreadable) => return protocol::failure(None, unreadable.agent.or(caller), mode_here(), &unreadable.why),
    };
    // The hook of `std::panic` would write to standard error, which some agents read as the answer.
    std::panic::set_hook(Box::new(|_| {}));
    let judged = std::panic::catch_unwind(|| judge(&event));
    match judged {
        Ok(Ok(verdict)) => protocol::answer(&event, &verdict),
        Ok(Err(Failed { mode, why })) => protocol::failure(Some(&event), None, mode, &why),
        Err(_) => protocol::failure(Some(&event), None, OnFailure::Block, "an internal error (please report it)"),
    }
}

/// Why an event could not be judged, and what then becomes of it.
struct Failed {
    mode: OnFailure,
    why: String,
}

fn judge(event: &Event) -> Result<Verdict, Failed> {
    let here = env::current_dir().unwrap_or_default();
    let base = Base::new(event.cwd.as_deref().unwrap_or(&here), home());
    // A configuration that cannot be read says nothing about failures either.
    let config = standing(&base.root).map_err(|e| Failed { mode: OnFailure::Block, why: e.to_string() })?.config;
    let fail = |e: keysift::Error| Failed { mode: mode(&config), why: e.to_string() };
    let inspector = Inspector::new(|| ready(&base.root));
    let policy = Policy {
        base: &base,
        sensitive: &Sensitive::new(&config.agent.sensitive, &config.agent.allow),
        inspector: &inspector,
        redactor: &Redactor::new(event.session.as_deref().unwrap_or_default(), key_file()),
        redacts: protocol::replaces(event),
        denies_secrets: config.agent.denies_secrets,
    };
    policy.judge(event).map_err(fail)
}

fn mode(config: &Config) -> OnFailure {
    if config.agent.passes_failures { OnFailure::Allow } else { OnFailure::Block }
}

/// The failure mode where the event's directory is not known: that of the current one.
fn mode_here() -> OnFailure {
    let here = Base::new(&env::current_dir().unwrap_or_default(), None);
    standing(&here.root).map_or(OnFailure::Block, |standing| mode(&standing.config))
}

/// What protects from the agents that are found here, for `keysift doctor`.
pub(super) fn checks(root: &Path) -> Result<Vec<Check>> {
    let config = standing(root)?.config;
    let inspector = Inspector::new(|| ready(root));
    let sensitive = Sensitive::new(&config.agent.sensitive, &config.agent.allow);
    Ok(agents::checks(&folders()?, root, &inspector, &sensitive))
}

/// The rules of this folder, and what sets findings aside.
fn ready(root: &Path) -> Result<(Detector, Triage)> {
    let standing = standing(root)?;
    let (ruleset, _) = standing.config.ruleset(Ruleset::builtin())?;
    let mut options = standing.triage(true, true, baseline::Coverage::Part);
    // What the repository knows it knows wherever the agent meets it.
    options.usage.scope = baseline::Scope::Repository;
    Ok((Detector::new(&ruleset)?, Triage::new(&ruleset, options)?))
}

/// What sets findings aside in this folder.
fn standing(root: &Path) -> Result<super::policy::Policy> {
    super::policy::Policy::of(None, root, Named::default(), &Wish::default())
}

fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| !home.as_os_str().is_empty())
}

/// Where the key of placeholders is kept: in the user's cache.
fn key_file() -> Option<PathBuf> {
    Some(super::cache_dir()?.join("agent.key"))
}

/// Where settings are, for this person and in this directory.
pub(super) fn folders() -> Result<Folders> {
    let home = home().ok_or_else(|| Error::new("the home directory is not known").help("set HOME"))?;
    let here = Base::new(&env::current_dir().unwrap_or_default(), None);
    Ok(Folders::new(&home, &here.root, |name| env::var_os(name)))
}

/// The program that hooks are to call: by the path that survives an upgrade, where there is one.
fn program() -> Result<PathBuf> {
    let own = env::current_exe().map_err(|e| Error::new("cannot tell where this program is").because(e))?;
    let real = fs::canonicalize(&own).unwrap_or_else(|_| own.clone());
    let on_path = env::var_os("PATH").and_then(|path| {
        let names = env::split_paths(&path).map(|dir| dir.join("keysift")).collect::<Vec<_>>();
        names.into_iter().find(|name| name.is_absolute() && fs::canonicalize(name).is_ok_and(|n| n == real))
    });
    let program = on_path.unwrap_or(own);
    // What Cursor reads must not look like a comment.
    if program.to_string_lossy().contains("//") {
        return Ok(real);
    }
    Ok(program)
}

fn change(args: &InstallArgs, installs: bool) -> Done {
    let folders = folders()?;
    let scope = if args.project { Scope::Project } else { Scope::User };
    let found = || Agent::ALL.iter().copied().filter(|a| folders.has(*a)).collect::<Vec<_>>();
    let agents = if args.agent.is_empty() { found() } else { args.agent.clone() };
    if agents.is_empty() {
        let names: Vec<&str> = Agent::ALL.iter().map(|a| a.name()).collect();
        return Err(Error::new("no agent is found in the home directory")
            .help(format!("name one with --agent: {}", names.join(", ")))
            .into());
    }
    let program = program()?;
    let mut out = anstream::stdout();
    let mut seen = Vec::new();
    for agent in agents {
        let path = folders.settings(agent, scope);
        // Two agents may read the same file.
        if seen.contains(&path) {
            continue;
        }
        let plan =
            if installs { settings::install(agent, &path, &program)? } else { settings::uninstall(agent, &path)? };
        let state = match (plan.is_change(), installs) {
            (false, true) => "is guarded already",
            (false, false) => "is not guarded",
            (true, true) if args.dry_run => "would be guarded",
            (true, false) if args.dry_run => "would not be guarded any more",
            (true, true) => "is guarded now",
            (true, false) => "is not guarded any more",
        };
        write!(out, "{}", difference(&plan))?;
        if !args.dry_run {
            plan.make()?;
        }
        writeln!(out, "{}: {state} ({})", agent.title(), path.display())?;
        if plan.is_change()
            && installs
            && !args.dry_run
            && let Some(note) = note(agent)
        {
            writeln!(out, "  {note}")?;
        }
        seen.push(path);
    }
    Ok(CLEAN)
}

/// What a person must do besides, so that an agent heeds its hooks.
fn note(agent: Agent) -> Option<&'static str> {
    match agent {
        Agent::Codex => Some("Codex asks to trust new hooks when it is started next (`/hooks`)"),
        Agent::Vibe => Some("Vibe before 2.16 wants `enable_experimental_hooks = true` in its config.toml"),
        Agent::ClaudeCode => Some("sessions that are running take it up when they are started anew"),
        _ => None,
    }
}

/// The difference that a plan makes, in the form of `diff -u`.
fn difference(plan: &Plan) -> String {
    if !plan.is_change() {
        return String::new();
    }
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let (old, new) = (text(&plan.old), text(&plan.new));
    let patch = git2::Patch::from_buffers(old.as_bytes(), None, new.as_bytes(), None, None);
    let patch = patch.and_then(|mut p| p.to_buf().map(|b| String::from_utf8_lossy(&b).into_owned()));
    let body: String =
        patch.unwrap_or_default().lines().skip_while(|l| !l.starts_with("@@")).map(|l| format!("{l}\n")).collect();
    let name = |t: &Option<String>| if t.is_some() { plan.path.display().to_string() } else { "/dev/null".to_owned() };
    format!("--- {}\n+++ {}\n{body}", name(&plan.old), name(&plan.new))
}

fn status(args: &StatusArgs) -> Done {
    let folders = folders()?;
    let mut out = anstream::stdout();
    let mut is_open = false;
    for agent in Agent::ALL.iter().copied().filter(|a| args.agent.is_empty() || args.agent.contains(a)) {
        let mut states = Vec::new();
        for scope in [Scope::User, Scope::Project] {
            let path = folders.settings(agent, scope);
            let (presence, commands) = settings::presence(agent, &path)?;
            let broken = commands.iter().find(|c| !starts(c));
            states.push(match (presence, broken) {
                (Presence::Absent, _) => continue,
                (_, Some(command)) => (false, format!("{}: calls `{command}`, which does not start", scope.name())),
                (Presence::Partial, _) => (false, format!("{}: some hooks are missing or changed", scope.name())),
                (Presence::Complete, _) => (true, format!("{}: guarded", scope.name())),
            });
        }
        let is_here = folders.has(agent);
        let guarded = states.iter().any(|(good, _)| *good);
        if states.is_empty() && !is_here && args.agent.is_empty() {
            continue;
        }
        let text = if states.is_empty() {
            "not guarded".to_owned()
        } else {
            states.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("; ")
        };
        writeln!(out, "{:<22}{text}", agent.title())?;
        if !guarded || states.iter().any(|(good, _)| !good) {
            is_open |= is_here;
            writeln!(out, "{:<22}keysift agent install --agent {}", "", agent.name())?;
        }
    }
    Ok(if is_open { FINDINGS } else { CLEAN })
}

/// Whether the program that a command names is there.
fn starts(command: &str) -> bool {
    settings::program_of(command).is_some_and(|program| program.is_file())
}
