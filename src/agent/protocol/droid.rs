//! Factory Droid: <https://docs.factory.ai/reference/hooks-reference>.
//!
//! Claude Code's format with other names of tools (`Execute`, `Create`); replacing output is not documented.

use serde_json::json;

use super::{Answer, Payload, Protocol, claude, deny_like_claude, signed};
use crate::agent::{
    Agent,
    event::{Event, Moment},
    policy::Verdict,
};

pub(super) struct Droid;

impl Protocol for Droid {
    fn agent(&self) -> Agent {
        Agent::Droid
    }

    fn recognises(&self, payload: &Payload<'_>) -> bool {
        let transcript = payload.text(&["transcript_path", "transcriptPath"]).unwrap_or_default();
        let tool = payload.text(&["tool_name"]).unwrap_or_default();
        // Some versions write the common fields in camelCase.
        (payload.has("hookEventName") && (payload.has("permissionMode") || payload.has("transcriptPath")))
            || (payload.has("hook_event_name")
                && (transcript.contains("/.factory/")
                    || matches!(tool, "Execute" | "Create" | "ApplyPatch" | "FetchUrl")))
    }

    fn event(&self, payload: &Payload<'_>) -> Option<Event> {
        payload.like_claude(Agent::Droid, payload.text(&["hook_event_name", "hookEventName"])?)
    }

    fn replaces(&self, _: &Event) -> bool {
        false
    }

    fn answer(&self, event: &Event, verdict: &Verdict) -> Answer {
        match (verdict, event.moment) {
            (Verdict::Pass, _) => Answer::silent(),
            (Verdict::Deny(reason), Moment::Before) => Answer::json(&deny_like_claude(&event.name, &signed(reason))),
            (Verdict::Deny(reason), _) => Answer::json(&json!({ "decision": "block", "reason": signed(reason) })),
            (Verdict::Report(note) | Verdict::Replace { note, .. }, _) => claude::report(event, note),
        }
    }
}
