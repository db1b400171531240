//! Which hooks an agent that keeps them in JSON is given.

use std::path::Path;

use jsonc_parser::cst::CstInputValue as Value;

use crate::agent::Agent;

/// The hooks of one agent.
pub(super) struct Hooks {
    /// Whether they stand below `hooks`, or at the root of the file.
    pub(super) is_wrapped: bool,
    /// Whether the file says `"version": 1`.
    pub(super) has_version: bool,
    /// The events, with what makes an entry of a command.
    pub(super) events: Vec<(&'static str, Entry)>,
    /// Patterns for `permissions.deny`.
    pub(super) deny: &'static [&'static str],
}

/// An entry of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Claude Code's two levels: a matcher, and the hooks below it. `Some("")` has no matcher.
    matcher: Option<&'static str>,
    extra: &'static [(&'static str, Extra)],
}

#[derive(Debug, Clone, Copy)]
enum Extra {
    Text(&'static str),
    Number(&'static str),
    Yes,
}

impl Entry {
    /// Whether the hook stands in a list below a matcher.
    pub(super) fn is_nested(self) -> bool {
        self.matcher.is_some()
    }

    /// The hook itself.
    pub(super) fn hook(self, command: &str) -> Value {
        let mut fields = Vec::new();
        if self.is_nested() {
            fields.push(("type".to_owned(), Value::from("command")));
        }
        fields.push(("command".to_owned(), Value::from(command)));
        fields.extend(self.extra.iter().map(|(name, extra)| {
            let value = match extra {
                Extra::Text(text) => Value::from(*text),
                Extra::Number(number) => Value::Number((*number).to_owned()),
                Extra::Yes => Value::Bool(true),
            };
            ((*name).to_owned(), value)
        }));
        Value::Object(fields)
    }

    /// The entry of the event.
    pub(super) fn value(self, command: &str) -> Value {
        let Some(matcher) = self.matcher else { return self.hook(command) };
        let mut fields = Vec::new();
        if !matcher.is_empty() {
            fields.push(("matcher".to_owned(), Value::from(matcher)));
        }
        fields.push(("hooks".to_owned(), Value::Array(vec![self.hook(command)])));
        Value::Object(fields)
    }
}

/// Seconds that a hook may take: a thousand times what it takes.
const SECONDS: (&str, Extra) = ("timeout", Extra::Number("30"));

/// What Claude Code itself refuses to read, hook or no hook. Templates (`.env.example`) must stay readable, and a
/// denial cannot be taken back, so that these are names and no wildcards.
const DENY: &[&str] = &[
    "Read(**/.env)",
    "Read(**/.env.local)",
    "Read(**/.env.production)",
    "Read(~/.ssh/id_rsa)",
    "Read(~/.ssh/id_ed25519)",
    "Read(~/.ssh/id_ecdsa)",
    "Read(~/.gnupg/**)",
    "Read(~/.aws/credentials)",
    "Read(~/.config/gh/hosts.yml)",
    "Read(~/.config/gcloud/credentials.db)",
    "Read(~/.docker/config.json)",
    "Read(~/.kube/config)",
    "Read(~/.netrc)",
    "Read(~/.npmrc)",
    "Read(~/.pypirc)",
    "Read(~/.git-credentials)",
];

/// The hooks of an agent whose settings are this file.
pub(super) fn of(agent: Agent, path: &Path) -> Hooks {
    let nested = |matcher, extra| Entry { matcher: Some(matcher), extra };
    let flat = |extra| Entry { matcher: None, extra };
    const CLOSED: &[(&str, Extra)] = &[SECONDS, ("onFailure", Extra::Text("block"))];
    const OPEN: &[(&str, Extra)] = &[SECONDS];
    let (mut is_wrapped, mut has_version, mut deny) = (true, false, &[][..]);
    let events = match agent {
        Agent::ClaudeCode => {
            deny = DENY;
            vec![
                ("PreToolUse", nested("*", CLOSED)),
                ("PostToolUse", nested("*", OPEN)),
                ("PostToolUseFailure", nested("*", OPEN)),
                ("UserPromptSubmit", nested("", CLOSED)),
            ]
        }
        Agent::Codex => vec![
            ("PreToolUse", nested(".*", OPEN)),
            ("PostToolUse", nested(".*", OPEN)),
            ("UserPromptSubmit", nested("", OPEN)),
        ],
        Agent::Droid => {
            let wrapped = std::fs::read_to_string(path).is_ok_and(|text| text.contains("\"hooks\""));
            is_wrapped = wrapped || path.file_name().is_some_and(|n| n != "hooks.json");
            vec![
                ("PreToolUse", nested("*", OPEN)),
                ("PostToolUse", nested("*", OPEN)),
                ("UserPromptSubmit", nested("", OPEN)),
            ]
        }
        Agent::Gemini => {
            const MILLISECONDS: &[(&str, Extra)] =
                &[("name", Extra::Text("keysift")), ("timeout", Extra::Number("30000"))];
            vec![
                ("BeforeTool", nested(".*", MILLISECONDS)),
                ("AfterTool", nested(".*", MILLISECONDS)),
                ("BeforeAgent", nested("", MILLISECONDS)),
            ]
        }
        Agent::Windsurf => {
            const SHOWN: &[(&str, Extra)] = &[("show_output", Extra::Yes)];
            [
                "pre_read_code",
                "pre_write_code",
                "pre_run_command",
                "pre_mcp_tool_use",
                "pre_user_prompt",
                "post_read_code",
                "post_write_code",
                "post_run_command",
                "post_mcp_tool_use",
            ]
            .map(|event| (event, flat(SHOWN)))
            .to_vec()
        }
        _ => {
            has_version = true;
            const BEFORE: &[(&str, Extra)] = &[SECONDS, ("failClosed", Extra::Yes)];
            vec![
                ("preToolUse", flat(BEFORE)),
                ("beforeShellExecution", flat(BEFORE)),
                ("beforeMCPExecution", flat(BEFORE)),
                ("beforeReadFile", flat(BEFORE)),
                ("beforeTabFileRead", flat(BEFORE)),
                ("beforeSubmitPrompt", flat(BEFORE)),
                ("postToolUse", flat(OPEN)),
                ("postToolUseFailure", flat(OPEN)),
                ("afterFileEdit", flat(OPEN)),
            ]
        }
    };
    Hooks { is_wrapped, has_version, events, deny }
}
