//! Copilot Chat in Visual Studio Code, its own (Local) harness:
//! <https://code.visualstudio.com/docs/agents/reference/hooks-reference>.
//!
//! Tools have snake_case fields, the rest camelCase (`hookEventName`, `sessionId`). Output is not replaced.

use serde_json::json;

use super::{Answer, Payload, Protocol, claude, deny_like_claude, signed};
use crate::agent::{
    Agent,
    event::{Event, Moment},
    policy::Verdict,
};

pub(super) struct VsCode;

impl Protocol for VsCode {
    fn agent(&self) -> Agent {
        Agent::VsCode
    }

    fn recognises(&self, payload: &Payload<'_>) -> bool {
        let transcript = payload.text(&["transcript_path"]).unwrap_or_default().to_ascii_lowercase();
        payload.has("hookEventName") || transcript.contains("github.copilot-chat")
    }

    fn event(&self, payload: &Payload<'_>) -> Option<Event> {
        payload.like_claude(Agent::VsCode, payload.text(&["hookEventName", "hook_event_name"])?)
    }

    fn replaces(&self, _: &Event) -> bool {
        false
    }

    fn answer(&self, event: &Event, verdict: &Verdict) -> Answer {
        match (verdict, event.moment) {
            (Verdict::Pass, _) => Answer::silent(),
            (Verdict::Deny(reason), Moment::Before) => Answer::json(&deny_like_claude(&event.name, &signed(reason))),
            (Verdict::Deny(reason), _) => Answer::json(&json!({ "continue": false, "stopReason": signed(reason) })),
            (Verdict::Report(note) | Verdict::Replace { note, .. }, _) => claude::report(event, note),
        }
    }
}
