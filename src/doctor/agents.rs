//! The layers of coding agents: their hooks, their own deny lists, what lies open to them, and what their
//! configuration gives away.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use ignore::WalkBuilder;
use jsonc_parser::{ParseOptions, cst::CstRootNode};
use serde_json::{Value, json};

use super::{Check, State};
use crate::{
    agent::{
        Agent,
        inspect::Inspector,
        place::Base,
        sensitive::{self, Sensitive},
        settings::{self, Folders, Presence, Scope},
    },
    finding::Confidence,
};

/// How long a hook may take to answer the canary.
const PATIENCE: Duration = Duration::from_secs(10);
/// As many names as a check says.
const NAMED: usize = 4;
/// Larger files are no configuration.
const LARGEST: u64 = 8 << 20;

/// Everything about agents, in the order of [`Agent::ALL`]; only those that are found in the home directory.
pub fn checks(folders: &Folders, root: &Path, inspector: &Inspector<'_>, sensitive: &Sensitive) -> Vec<Check> {
    let found: Vec<Agent> = Agent::ALL.iter().copied().filter(|a| folders.has(*a)).collect();
    let mut checks: Vec<Check> = found.iter().map(|agent| hooks(*agent, folders)).collect();
    if found.contains(&Agent::ClaudeCode) {
        checks.push(deny_list(folders));
    }
    checks.push(exposed(root, folders, sensitive));
    checks.extend(configuration(folders, root, inspector));
    checks
}

/// Whether an agent's hooks are there, start, and stop a canary.
fn hooks(agent: Agent, folders: &Folders) -> Check {
    let name = agent.name();
    let mend = format!("keysift agent install --agent {name}");
    let mut best: Option<Check> = None;
    for scope in [Scope::User, Scope::Project] {
        let path = folders.settings(agent, scope);
        let check = match settings::presence(agent, &path) {
            Err(e) => Check::new(name, State::Failed, e.to_string().lines().next().unwrap_or_default().to_owned()),
            Ok((Presence::Absent, _)) => continue,
            Ok((presence, commands)) => {
                let tried: Vec<Result<(), String>> = commands.iter().map(|c| canary(agent, scope, c)).collect();
                match (tried.into_iter().find_map(Result::err), presence) {
                    (Some(why), _) => Check::new(name, State::Failed, format!("its {} hook {why}", scope.name())),
                    (None, Presence::Partial) => Check::new(
                        name,
                        State::Weak,
                        format!("some of its {} hooks are missing or changed", scope.name()),
                    ),
                    (None, _) => Check::new(name, State::Good, format!("its {} hooks denied a canary", scope.name())),
                }
            }
        };
        if best.as_ref().is_none_or(|b| check.state < b.state) {
            best = Some(check);
        }
    }
    let check = best.unwrap_or_else(|| {
        Check::new(name, State::Missing, "nothing keeps it from reading, running and sending secrets")
    });
    if check.state == State::Good { check } else { check.mend(mend) }
}

/// Asks a hook about reading `.env`; it must say no.
fn canary(agent: Agent, scope: Scope, command: &str) -> Result<(), String> {
    let Some(program) = settings::program_of(command) else { return Err(format!("is not ours: `{command}`")) };
    if !program.is_file() {
        return Err(format!("calls {}, which is not there", program.display()));
    }
    // What a repository names is not run: its hook must be this very program.
    let real = |path: &Path| fs::canonicalize(path).ok();
    let own = std::env::current_exe().ok().and_then(|own| real(&own));
    if scope == Scope::Project && real(&program) != own {
        return Err(format!("calls another program, which was not tried ({})", program.display()));
    }
    let folder = tempfile::tempdir().map_err(|e| format!("could not be tried: {e}"))?;
    fs::write(folder.path().join(".env"), "CANARY=1\n").map_err(|e| format!("could not be tried: {e}"))?;
    let payload = payload(agent, folder.path()).to_string();
    let mut child = Command::new(&program)
        .args(["agent", "hook", "--agent", agent.name()])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("does not start: {e}"))?;
    if let Some(mut input) = child.stdin.take() {
        // It may answer without having read it all.
        let _ = input.write_all(payload.as_bytes());
    }
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(2)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err("does not answer".to_owned());
            }
        }
    }
    let output = child.wait_with_output().map_err(|e| format!("does not answer: {e}"))?;
    let answer = String::from_utf8_lossy(&output.stdout);
    let says_no = answer.contains("\"deny\"") || output.status.code() == Some(2);
    if says_no { Ok(()) } else { Err("let a canary through".to_owned()) }
}

/// The event of an agent that is about to read `.env` in a folder.
fn payload(agent: Agent, folder: &Path) -> Value {
    let path = folder.join(".env");
    let like_claude = |extra: Value| {
        let mut event = json!({ "session_id": "doctor", "cwd": folder, "hook_event_name": "PreToolUse",
            "permission_mode": "default", "tool_name": "Read", "tool_input": { "file_path": path } });
        if let (Some(event), Some(extra)) = (event.as_object_mut(), extra.as_object()) {
            event.extend(extra.clone());
        }
        event
    };
    match agent {
        Agent::ClaudeCode => like_claude(json!({ "transcript_path": "/.claude/projects/doctor.jsonl" })),
        Agent::Codex => like_claude(json!({ "transcript_path": null, "turn_id": "1", "model": "doctor",
            "tool_name": "Bash", "tool_input": { "command": "cat .env" } })),
        Agent::Droid => like_claude(json!({ "transcript_path": "/.factory/sessions/doctor.jsonl" })),
        Agent::Copilot | Agent::VsCode => json!({ "sessionId": "doctor", "timestamp": 0, "cwd": folder,
            "toolName": "view", "toolArgs": { "path": path } }),
        Agent::Cursor => json!({ "conversation_id": "doctor", "generation_id": "1", "cursor_version": "doctor",
            "workspace_roots": [folder], "hook_event_name": "beforeReadFile", "file_path": path, "content": "" }),
        Agent::Gemini => json!({ "session_id": "doctor", "cwd": folder, "hook_event_name": "BeforeTool",
            "tool_name": "read_file", "tool_input": { "file_path": path } }),
        Agent::OpenCode => json!({ "agent": "opencode", "event": "tool.execute.before", "cwd": folder,
            "tool": "read", "args": { "filePath": path } }),
        Agent::Vibe => json!({ "hook_event_name": "pre_tool", "session_id": "doctor", "cwd": folder,
            "tool_name": "read_file", "tool_input": { "path": path } }),
        Agent::Windsurf => json!({ "agent_action_name": "pre_read_code", "tool_info": { "file_path": path } }),
    }
}

/// Whether Claude Code refuses by itself to read what is sensitive.
fn deny_list(folders: &Folders) -> Check {
    let name = "claude-code permissions";
    let denied = [Scope::User, Scope::Project].iter().any(|scope| {
        let text = fs::read_to_string(folders.settings(Agent::ClaudeCode, *scope)).unwrap_or_default();
        let settings: Value = serde_json::from_str(&text).unwrap_or_default();
        let deny = settings["permissions"]["deny"].as_array().cloned().unwrap_or_default();
        deny.iter().filter_map(Value::as_str).any(|rule| rule.starts_with("Read(") && rule.contains(".env"))
    });
    if denied {
        return Check::new(name, State::Good, "it refuses to read .env by itself, too");
    }
    Check::new(name, State::Weak, "nothing but the hook keeps it from reading .env")
        .mend("keysift agent install --agent claude-code")
}

/// Sensitive files in the working tree that git tracks, or would add.
fn exposed(root: &Path, folders: &Folders, sensitive: &Sensitive) -> Check {
    let name = "sensitive files";
    let base = Base::new(root, Some(folders.home().to_owned()));
    let mut open: Vec<String> = Vec::new();
    // What is not ignored is tracked, or will be with the next `git add .`.
    let walk =
        WalkBuilder::new(root).hidden(false).require_git(false).filter_entry(|e| e.file_name() != ".git").build();
    for entry in walk.flatten().filter(|e| e.file_type().is_some_and(|t| t.is_file())) {
        let place = base.place(&entry.path().to_string_lossy(), Path::new(""));
        let is_harmless =
            || place.read(LARGEST).ok().flatten().is_some_and(|content| sensitive::harmless(&content).is_some());
        if sensitive.why(&place, &base).is_some() && !is_harmless() {
            open.push(base.shown(&place.path));
        }
    }
    open.sort();
    let Some(first) = open.first().cloned() else {
        return Check::new(name, State::Good, "git sees none of them here");
    };
    let mut names: Vec<String> = open.iter().take(NAMED).cloned().collect();
    if open.len() > NAMED {
        names.push(format!("{} more", open.len() - NAMED));
    }
    let first = crate::agent::shell::quote(&first);
    Check::new(name, State::Weak, format!("git tracks them or would add them: {}", names.join(", ")))
        .mend(format!("echo {first} >> .gitignore && git rm --cached --ignore-unmatch {first}"))
}

/// Where agents are configured, in the home directory and in the repository.
fn configurations(folders: &Folders, root: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Agent::ALL
        .iter()
        .flat_map(|agent| [folders.settings(*agent, Scope::User), folders.settings(*agent, Scope::Project)])
        .collect();
    let home = [
        ".claude.json",
        ".codex/config.toml",
        ".copilot/mcp-config.json",
        ".copilot/settings.json",
        ".cursor/mcp.json",
        ".factory/mcp.json",
        ".config/opencode/opencode.json",
        ".config/opencode/opencode.jsonc",
        ".vibe/config.toml",
        ".config/Code/User/mcp.json",
        "Library/Application Support/Code/User/mcp.json",
        ".codeium/windsurf/mcp_config.json",
        ".config/Claude/claude_desktop_config.json",
        "Library/Application Support/Claude/claude_desktop_config.json",
    ];
    let here = [
        ".mcp.json",
        ".claude/settings.local.json",
        ".codex/config.toml",
        ".cursor/mcp.json",
        ".vscode/mcp.json",
        ".factory/mcp.json",
        ".vibe/config.toml",
        "opencode.json",
        "opencode.jsonc",
    ];
    files.extend(home.iter().map(|name| folders.home().join(name)));
    files.extend(here.iter().map(|name| root.join(name)));
    files.retain(|file| fs::metadata(file).is_ok_and(|m| m.is_file() && m.len() <= LARGEST));
    files.sort();
    files.dedup();
    files
}

/// Secrets in agents' configuration, servers without a pinned version, and classic tokens.
fn configuration(folders: &Folders, root: &Path, inspector: &Inspector<'_>) -> Vec<Check> {
    let (mut secrets, mut classic, mut unpinned) = (Vec::new(), Vec::new(), Vec::new());
    let files = configurations(folders, root);
    for file in &files {
        let Ok(content) = fs::read(file) else { continue };
        let shown = file.display().to_string();
        match inspector.find(&content, &shown, Confidence::Medium) {
            Ok(found) => {
                for secret in found.iter().filter(|f| !f.is_allowed_by_comment) {
                    let line = secret.at.first().map_or(0, |(_, line)| *line);
                    secrets.push(format!("{shown}:{line} ({})", secret.rule.id));
                    if secret.rule.id.contains("classic") {
                        classic.push(format!("{shown}:{line}"));
                    }
                }
            }
            Err(e) => secrets.push(format!("{shown} could not be looked at: {e}")),
        }
        unpinned.extend(servers(file, &content).into_iter().map(|server| format!("{server} in {shown}")));
    }
    let few = |all: &[String]| {
        let more = all.len().saturating_sub(NAMED);
        let names = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{names} and {more} more") } else { names }
    };
    let mut checks = vec![if secrets.is_empty() {
        Check::new("agents' configuration", State::Good, format!("no secrets in {} files", files.len()))
    } else {
        Check::new("agents' configuration", State::Failed, format!("secrets in plain text: {}", few(&secrets)))
            .mend("put ${NAME} or a reference (op://…) in their place, and replace them where they were issued")
    }];
    if !classic.is_empty() {
        checks.push(
            Check::new(
                "classic tokens",
                State::Weak,
                format!("they open everything that the account may open: {}", few(&classic)),
            )
            .mend("make fine-grained tokens: https://github.com/settings/personal-access-tokens"),
        );
    }
    if !unpinned.is_empty() {
        checks.push(
            Check::new("MCP servers", State::Weak, format!("their next version runs unseen: {}", few(&unpinned)))
                .mend("name the version: `package@1.2.3`, `image@sha256:…`"),
        );
    }
    checks
}

/// The servers of a configuration that run whatever version is the newest.
fn servers(file: &Path, content: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(content);
    let value: Value = if file.extension().is_some_and(|e| e == "toml") {
        toml::from_str::<toml::Table>(&text).ok().and_then(|t| serde_json::to_value(t).ok()).unwrap_or_default()
    } else {
        let root = CstRootNode::parse(&text, &ParseOptions::default());
        root.ok().and_then(|r| r.to_serde_value()).unwrap_or_default()
    };
    let mut found = Vec::new();
    servers_in(&value, &mut found);
    found
}

fn servers_in(value: &Value, found: &mut Vec<String>) {
    let Value::Object(map) = value else { return };
    for (name, inner) in map {
        if matches!(name.as_str(), "mcpServers" | "mcp_servers" | "servers" | "mcp") {
            match inner {
                Value::Object(servers) => {
                    found.extend(servers.iter().filter(|(_, s)| is_unpinned(s)).map(|(name, _)| name.clone()));
                }
                Value::Array(servers) => {
                    let name = |s: &Value| s["name"].as_str().unwrap_or("a server").to_owned();
                    found.extend(servers.iter().filter(|s| is_unpinned(s)).map(name));
                }
                _ => {}
            }
        }
        // Claude Code keeps those of each project below its path.
        servers_in(inner, found);
    }
}

/// Whether a server is started from a registry without saying which version.
fn is_unpinned(server: &Value) -> bool {
    let mut words: Vec<&str> = match &server["command"] {
        Value::String(command) => command.split_whitespace().collect(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        _ => return false,
    };
    words.extend(server["args"].as_array().into_iter().flatten().filter_map(Value::as_str));
    let Some((program, rest)) = words.split_first() else { return false };
    let program = program.rsplit(['/', '\\']).next().unwrap_or(program);
    let operands: Vec<&&str> = rest.iter().filter(|w| !w.starts_with('-')).collect();
    match program.trim_end_matches(".cmd").trim_end_matches(".exe") {
        "npx" | "bunx" | "uvx" | "pipx" | "pnpx" => {
            let Some(package) = operands.iter().find(|w| !matches!(***w, "run" | "dlx" | "exec")) else { return false };
            let version =
                package.trim_start_matches('@').split_once(['@', '=']).map(|(_, v)| v.trim_start_matches('='));
            !package.contains("/home") && version.is_none_or(|v| v.is_empty() || v == "latest")
        }
        "docker" | "podman" => {
            let image = operands.iter().find(|w| w.contains('/') && !w.starts_with('/') && !w.contains('='));
            image.is_some_and(|i| {
                !i.contains("@sha256:")
                    && i.rsplit('/').next().is_some_and(|n| !n.contains(':') || n.ends_with(":latest"))
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_without_a_version_are_named() {
        let text = br#"{ // servers
            "mcpServers": {
                "a": { "command": "npx", "args": ["-y", "@scope/server"] },
                "b": { "command": "npx", "args": ["-y", "@scope/server@1.2.3"] },
                "c": { "command": "uvx", "args": ["server@latest"] },
                "d": { "command": "docker", "args": ["run", "-i", "--rm", "ghcr.io/x/y"] },
                "e": { "command": "docker", "args": ["run", "-i", "ghcr.io/x/y:1.0"] },
                "f": { "url": "https://example.org/mcp" },
                "g": { "command": "/usr/bin/server" },
            } }"#;
        assert_eq!(servers(Path::new("mcp.json"), text), ["a", "c", "d"]);
        let text = b"[mcp_servers.x]\ncommand = \"npx\"\nargs = [\"server\"]\n";
        assert_eq!(servers(Path::new("config.toml"), text), ["x"]);
    }
}
