//! Claude Code: <https://code.claude.com/docs/en/hooks>.
//!
//! Exit status 0 with JSON decides; 2 blocks with standard error as the reason; anything else lets the tool run,
//! unless the hook's entry says `"onFailure": "block"` (2.1.295 and later). A replaced output must have the shape
//! of the tool's own (`{"stdout", "stderr", …}` for Bash, `{"file": {"content"}}` for Read), or it is not taken.

use serde_json::{Value, json};

use super::{Answer, Payload, Protocol, deny_like_claude, signed};
use crate::agent::{
    Agent,
    event::{Event, Moment},
    policy::Verdict,
};

pub(super) struct ClaudeCode;

impl Protocol for ClaudeCode {
    fn agent(&self) -> Agent {
        Agent::ClaudeCode
    }

    fn recognises(&self, payload: &Payload<'_>) -> bool {
        payload.text(&["hook_event_name"]).is_some() && payload.has("session_id")
    }

    fn event(&self, payload: &Payload<'_>) -> Option<Event> {
        payload.like_claude(Agent::ClaudeCode, payload.text(&["hook_event_name"])?)
    }

    fn replaces(&self, event: &Event) -> bool {
        // What a failed tool says cannot be replaced.
        event.moment != Moment::Failed
    }

    fn answer(&self, event: &Event, verdict: &Verdict) -> Answer {
        match (verdict, event.moment) {
            (Verdict::Pass, _) => Answer::silent(),
            (Verdict::Deny(reason), Moment::Before) => Answer::json(&deny_like_claude(&event.name, &signed(reason))),
            (Verdict::Deny(reason), _) => Answer::json(&json!({ "decision": "block", "reason": signed(reason) })),
            // `block` would end the turn; the context is enough to go on with.
            (Verdict::Report(note), _) => Answer::json(&json!({
                "systemMessage": first_line(note),
                "hookSpecificOutput": { "hookEventName": event.name, "additionalContext": signed(note) } })),
            (Verdict::Replace { value, note }, _) => {
                let mut value = value.clone();
                // The whole output is kept in a file, too; with it named, it would be shown instead of this.
                if let Value::Object(map) = &mut value {
                    map.remove("persistedOutputPath");
                    map.remove("persistedOutputSize");
                }
                Answer::json(&json!({
                    "systemMessage": first_line(note),
                    "hookSpecificOutput": {
                        "hookEventName": event.name, "updatedToolOutput": value, "additionalContext": signed(note) } }))
            }
        }
    }
}

/// What the person is told.
fn first_line(note: &str) -> String {
    signed(note.lines().next().unwrap_or_default())
}

/// Says something of what has happened, in the shape that Claude Code's kin share.
pub(super) fn report(event: &Event, note: &str) -> Answer {
    let context = json!({ "hookEventName": event.name, "additionalContext": signed(note) });
    Answer::json(&if event.moment == Moment::Failed {
        json!({ "hookSpecificOutput": context })
    } else {
        json!({ "decision": "block", "reason": signed(note), "hookSpecificOutput": context })
    })
}
