//! `keysift agent`: the hook that coding agents call, and its installation.

use std::{
    env,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use keysift::{
    Result,
    agent::{
        Agent,
        event::Event,
        inspect::Inspector,
        place::Base,
        policy::{Policy, Verdict},
        protocol::{self, Answer, OnFailure},
        redact::Redactor,
        sensitive::Sensitive,
    },
    config::Config,
    detect::Detector,
    rule::Ruleset,
    triage::{Triage, baseline},
};

use super::{Done, setup};

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
    let config = setup::configuration(None, &base.root)
        .map_err(|e| Failed { mode: OnFailure::Block, why: e.to_string() })?;
    let fail = |e: keysift::Error| Failed { mode: mode(&config), why: e.to_string() };
    let (ruleset, _) = config.ruleset(Ruleset::builtin()).map_err(fail)?;
    let detector = Detector::new(&ruleset).map_err(fail)?;
    let mut options =
        setup::triage_options(&config, &base.root, None, true, baseline::Coverage::Part).map_err(fail)?;
    // What the repository knows it knows wherever the agent meets it.
    options.usage.scope = baseline::Scope::Repository;
    let triage = Triage::new(&ruleset, options).map_err(fail)?;
    let policy = Policy {
        base: &base,
        sensitive: &Sensitive::new(&config.agent.sensitive, &config.agent.allow),
        inspector: &Inspector::new(detector, triage),
        redactor: &Redactor::new(event.session.as_deref().unwrap_or_default(), key_file()),
        redacts: protocol::replaces(event) && !config.agent.denies_secrets,
    };
    policy.judge(event).map_err(fail)
}

fn mode(config: &Config) -> OnFailure {
    if config.agent.passes_failures { OnFailure::Allow } else { OnFailure::Block }
}

/// The failure mode where the event's directory is not known: that of the current one.
fn mode_here() -> OnFailure {
    let here = Base::new(&env::current_dir().unwrap_or_default(), None);
    setup::configuration(None, &here.root).map_or(OnFailure::Block, |config| mode(&config))
}

fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| !home.as_os_str().is_empty())
}

/// Where the key of placeholders is kept: in the user's cache.
fn key_file() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").filter(|v| Path::new(v).is_absolute()).map(PathBuf::from);
    let usual = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    Some(cache.or_else(|| Some(home()?.join(usual)))?.join("keysift/agent.key"))
}
