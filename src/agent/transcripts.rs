//! Where agents keep what was said, read and run: transcripts and logs in the home directory.

use std::path::{Path, PathBuf};

use super::{Agent, sensitive, settings::Folders};

/// The most folders that a pattern of names leads to.
const MOST: usize = 100_000;

/// Files and folders below an agent's own folder; a `*` stands for a part of a name.
fn names(agent: Agent) -> &'static [&'static str] {
    match agent {
        Agent::ClaudeCode => &[
            "projects",
            "history.jsonl",
            "todos",
            "debug",
            "shell-snapshots",
            "file-history",
            "paste-cache",
            "session-env",
        ],
        Agent::Codex => &["sessions", "archived_sessions", "history.jsonl", "log"],
        Agent::Copilot => &["session-state", "history-session-state", "logs"],
        Agent::Cursor => &["projects", "chats"],
        Agent::Droid => &["sessions", "projects", "logs", "history.json"],
        Agent::Gemini => &["tmp", "history"],
        Agent::OpenCode => &[],
        Agent::Vibe => &["logs", "history"],
        Agent::VsCode => &[
            "User/workspaceStorage/*/GitHub.copilot-chat",
            "User/workspaceStorage/*/chatSessions",
            "User/globalStorage/emptyWindowChatSessions",
        ],
        Agent::Windsurf => &["cascade", "memories"],
    }
}

/// The same, below the home directory.
fn names_at_home(agent: Agent) -> &'static [&'static str] {
    match agent {
        Agent::Cursor => &[
            ".config/Cursor/User/globalStorage/state.vscdb",
            ".config/Cursor/User/workspaceStorage/*/state.vscdb",
            "Library/Application Support/Cursor/User/globalStorage/state.vscdb",
            "AppData/Roaming/Cursor/User/globalStorage/state.vscdb",
        ],
        Agent::OpenCode => {
            &[".local/share/opencode/storage", ".local/share/opencode/log", ".local/share/opencode/opencode.db"]
        }
        _ => &[],
    }
}

/// What is there of an agent's transcripts and logs, in order.
pub fn of(agent: Agent, folders: &Folders) -> Vec<PathBuf> {
    let below = |folder: &Path, names: &[&str]| -> Vec<PathBuf> {
        names
            .iter()
            .flat_map(|name| {
                if name.contains('*') { sensitive::expand(&folder.join(name), MOST) } else { vec![folder.join(name)] }
            })
            .filter(|path| path.exists())
            .collect()
    };
    let mut found: Vec<PathBuf> = folders.of(agent).iter().flat_map(|folder| below(folder, names(agent))).collect();
    found.extend(below(folders.home(), names_at_home(agent)));
    found.sort();
    found.dedup();
    found
}

/// What is there of all agents' transcripts and logs.
pub fn all(folders: &Folders) -> Vec<PathBuf> {
    Agent::ALL.iter().flat_map(|agent| of(*agent, folders)).collect()
}
