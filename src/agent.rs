//! The agent guard: keeps secrets out of what coding agents read, run, write and send.
//!
//! ```text
//! payload ──▶ protocol ──event──▶ policy ──verdict──▶ protocol ──▶ answer and exit status
//!             (one module per agent)  │ (one for all)
//!                                     ├─ sensitive   which paths are not for an agent
//!                                     ├─ shell       which files a command touches, whether it prints secrets
//!                                     ├─ inspect     which secrets a text holds
//!                                     └─ redact      what stands in their stead
//! ```
//!
//! A hook is a pure function of the payload and the files: no daemon, no connection. What an agent's protocol
//! can express differs; the policy asks the protocol whether output can be replaced and decides accordingly.
//! [`settings`] writes the hooks into the agents' settings, [`transcripts`] knows where they keep their logs.

pub mod event;
pub mod inspect;
mod patch;
pub mod place;
pub mod policy;
pub mod protocol;
pub mod redact;
pub mod sensitive;
pub mod settings;
pub mod shell;
mod tool;
pub mod transcripts;

/// The agents whose hooks are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Agent {
    /// Anthropic's Claude Code.
    ClaudeCode,
    /// OpenAI's Codex.
    Codex,
    /// GitHub's Copilot CLI and coding agent.
    Copilot,
    /// Cursor, editor and command line.
    Cursor,
    /// Factory's Droid.
    Droid,
    /// Google's Gemini CLI.
    Gemini,
    /// opencode.
    OpenCode,
    /// Mistral's Vibe.
    Vibe,
    /// Copilot Chat in Visual Studio Code.
    VsCode,
    /// Windsurf's Cascade.
    Windsurf,
}

impl Agent {
    /// Every agent, by name.
    pub const ALL: &[Agent] = &[
        Agent::ClaudeCode,
        Agent::Codex,
        Agent::Copilot,
        Agent::Cursor,
        Agent::Droid,
        Agent::Gemini,
        Agent::OpenCode,
        Agent::Vibe,
        Agent::VsCode,
        Agent::Windsurf,
    ];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Agent::ClaudeCode => "claude-code",
            Agent::Codex => "codex",
            Agent::Copilot => "copilot",
            Agent::Cursor => "cursor",
            Agent::Droid => "droid",
            Agent::Gemini => "gemini",
            Agent::OpenCode => "opencode",
            Agent::Vibe => "vibe",
            Agent::VsCode => "vscode",
            Agent::Windsurf => "windsurf",
        }
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Agent::ClaudeCode => "Claude Code",
            Agent::Codex => "Codex",
            Agent::Copilot => "Copilot CLI",
            Agent::Cursor => "Cursor",
            Agent::Droid => "Factory Droid",
            Agent::Gemini => "Gemini CLI",
            Agent::OpenCode => "opencode",
            Agent::Vibe => "Mistral Vibe",
            Agent::VsCode => "VS Code Copilot Chat",
            Agent::Windsurf => "Windsurf",
        }
    }

    /// The agent of this name.
    pub fn from_name(name: &str) -> Option<Agent> {
        Agent::ALL.iter().copied().find(|a| a.name() == name)
    }
}
