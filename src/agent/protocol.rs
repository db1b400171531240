//! The agents' protocols: from a payload to an [`Event`], from a [`Verdict`] to the answer that the agent obeys.
//!
//! An agent is recognised by its payload's shape, not by how the hook was called: agents read each other's
//! settings and send their own payloads to the hooks that they find there.

mod claude;
mod codex;
mod copilot;
mod cursor;
mod droid;
mod gemini;
mod opencode;
mod vibe;
mod vscode;
mod windsurf;

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::{
    Agent,
    event::{Action, Event, Moment},
    policy::Verdict,
    tool,
};

/// What the hook says: what it writes, and its exit status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// The exit status.
    pub status: u8,
}

impl Answer {
    /// Nothing to say.
    fn silent() -> Answer {
        Answer::default()
    }

    /// A JSON document.
    fn json(value: &Value) -> Answer {
        Answer { out: format!("{value}\n"), ..Answer::default() }
    }

    /// A message on standard error and an exit status that blocks.
    fn blocked(message: &str) -> Answer {
        Answer { err: format!("{message}\n"), status: 2, ..Answer::default() }
    }
}

/// What becomes of an event that cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It is stopped, where the protocol can say that.
    Block,
    /// It goes on, with a warning.
    Allow,
}

/// Why a payload could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Who sent it, if that much is known.
    pub agent: Option<Agent>,
    /// Why, in one sentence without a full stop.
    pub why: String,
}

/// One agent's protocol.
trait Protocol {
    fn agent(&self) -> Agent;

    /// Whether a payload is this agent's.
    fn recognises(&self, payload: &Payload<'_>) -> bool;

    /// The event that a payload tells; `None` if what it needs is not in it.
    fn event(&self, payload: &Payload<'_>) -> Option<Event>;

    /// Whether the hook may replace what the event's tool puts out.
    fn replaces(&self, event: &Event) -> bool;

    /// What the agent is answered.
    fn answer(&self, event: &Event, verdict: &Verdict) -> Answer;

    /// What the agent is answered where even the event is not known; `why` says what failed.
    fn failure(&self, why: &str) -> Answer {
        Answer::blocked(why)
    }
}

/// In the order in which payloads are tried: what has a mark of its own first, the family of Claude Code last.
const PROTOCOLS: &[&dyn Protocol] = &[
    &opencode::OpenCode,
    &windsurf::Windsurf,
    &cursor::Cursor,
    &vibe::Vibe,
    &gemini::Gemini,
    &copilot::Copilot,
    &droid::Droid,
    &vscode::VsCode,
    &codex::Codex,
    &claude::ClaudeCode,
];

/// Reads a payload.
///
/// # Errors
/// It is not JSON, no known agent's, or lacks what the event needs.
pub fn read(payload: &[u8]) -> Result<Event, Unreadable> {
    let unknown = |why: String| Unreadable { agent: None, why };
    // Agents send UTF-8; what is not is looked at all the same.
    let text = String::from_utf8_lossy(payload);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(unknown("there was nothing on standard input".to_owned()));
    }
    let value: Value = serde_json::from_str(text).map_err(|e| unknown(format!("the payload is no JSON: {e}")))?;
    let Value::Object(map) = &value else { return Err(unknown("the payload is no JSON object".to_owned())) };
    let payload = Payload(map);
    let Some(protocol) = PROTOCOLS.iter().find(|p| p.recognises(&payload)) else {
        let mut names: Vec<&str> = map.keys().map(String::as_str).take(12).collect();
        names.sort_unstable();
        return Err(unknown(format!("the payload is no known agent's (it has: {})", names.join(", "))));
    };
    protocol.event(&payload).ok_or_else(|| Unreadable {
        agent: Some(protocol.agent()),
        why: format!("the payload of {} lacks what its event needs", protocol.agent().title()),
    })
}

/// Whether the hook may replace what the event's tool puts out.
pub fn replaces(event: &Event) -> bool {
    of(event.agent).replaces(event)
}

/// What an agent is answered.
pub fn answer(event: &Event, verdict: &Verdict) -> Answer {
    of(event.agent).answer(event, verdict)
}

/// What an agent is answered when its event could not be judged. Without an event, `agent` is who is said to
/// have sent it; without that, the answer blocks in as many protocols as possible.
pub fn failure(event: Option<&Event>, agent: Option<Agent>, mode: OnFailure, why: &str) -> Answer {
    let what = match mode {
        OnFailure::Block => format!("keysift could not check this, and what is not checked is denied: {why}"),
        OnFailure::Allow => format!("keysift did not check this: {why}"),
    };
    match (mode, event, agent) {
        (OnFailure::Allow, ..) => Answer { err: format!("{what}\n"), ..Answer::default() },
        (OnFailure::Block, Some(event), _) => {
            let verdict = match event.moment {
                Moment::Before | Moment::Prompt => Verdict::Deny(what),
                // Unseen output is hidden where that can be said.
                Moment::After | Moment::Failed | Moment::Transformed if of(event.agent).replaces(event) => {
                    let mut value = event.output.clone().unwrap_or(Value::Null);
                    super::redact::map_strings(&mut value, &mut |text| {
                        (text.len() > 64).then(|| "[keysift could not check this output and hides it]".to_owned())
                    });
                    Verdict::Replace { value, note: what }
                }
                Moment::After | Moment::Failed | Moment::Transformed => Verdict::Report(what),
                Moment::Other => Verdict::Pass,
            };
            answer(event, &verdict)
        }
        (OnFailure::Block, None, Some(agent)) => of(agent).failure(&what),
        (OnFailure::Block, None, None) => Answer::blocked(&what),
    }
}

fn of(agent: Agent) -> &'static dyn Protocol {
    *PROTOCOLS.iter().find(|p| p.agent() == agent).expect("every agent has a protocol; a test asks each")
}

/// A payload's fields.
struct Payload<'a>(&'a Map<String, Value>);

impl<'a> Payload<'a> {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The text under the first of these names that has one; null and other kinds are none.
    fn text(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|n| self.0.get(*n)?.as_str())
    }

    /// The value under the first of these names that is there and not null.
    fn value(&self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|n| self.0.get(*n).filter(|v| !v.is_null()))
    }

    fn path(&self, names: &[&str]) -> Option<PathBuf> {
        self.text(names).filter(|p| !p.is_empty()).map(PathBuf::from)
    }

    /// An event of this agent, still without what it is about.
    fn bare(&self, agent: Agent, name: &str, moment: Moment) -> Event {
        Event {
            agent,
            name: name.to_owned(),
            moment,
            session: self.text(&["session_id", "sessionId", "conversation_id", "trajectory_id"]).map(str::to_owned),
            cwd: self.path(&["cwd"]),
            tool: String::new(),
            actions: Vec::new(),
            output: None,
        }
    }

    /// An event in the shape of Claude Code's, which half of the agents share. `event` is its name.
    fn like_claude(&self, agent: Agent, event: &str) -> Option<Event> {
        let moment = match event {
            "PreToolUse" | "PermissionRequest" => Moment::Before,
            "PostToolUse" => Moment::After,
            "PostToolUseFailure" => Moment::Failed,
            "UserPromptSubmit" => Moment::Prompt,
            _ => Moment::Other,
        };
        let mut out = self.bare(agent, event, moment);
        match moment {
            Moment::Before | Moment::After | Moment::Failed => {
                out.tool = self.text(&["tool_name"])?.to_owned();
                out.actions = tool::actions(&out.tool, self.value(&["tool_input"]).unwrap_or(&Value::Null));
                if moment != Moment::Before {
                    out.output = self.value(&["tool_response", "tool_result", "tool_output", "error"]).cloned();
                }
            }
            Moment::Prompt => out.actions = vec![prompt(self.text(&["prompt"])?)],
            _ => {}
        }
        Some(out)
    }
}

fn prompt(text: &str) -> Action {
    Action::Text { what: "prompt".to_owned(), text: text.to_owned() }
}

/// The answer of Claude Code's kind that stops a tool, or refuses it the permission that it asks for.
fn deny_like_claude(event: &str, reason: &str) -> Value {
    if event == "PermissionRequest" {
        return json!({ "hookSpecificOutput": {
            "hookEventName": event, "decision": { "behavior": "deny", "message": reason } } });
    }
    json!({ "hookSpecificOutput": {
        "hookEventName": event, "permissionDecision": "deny", "permissionDecisionReason": reason } })
}

/// What a tool put out, as one text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n"),
        Value::Object(map) => map.values().map(plain).filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

/// A message with keysift's name before it.
fn signed(text: &str) -> String {
    format!("keysift: {}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_has_a_protocol_and_is_known_by_its_name() {
        for agent in Agent::ALL {
            assert_eq!(of(*agent).agent(), *agent);
            assert_eq!(Agent::from_name(agent.name()), Some(*agent));
        }
    }
}
