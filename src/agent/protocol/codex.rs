//! Codex: <https://developers.openai.com/codex/hooks>; the schemas are in `codex-rs/hooks/schema/generated`.
//!
//! Claude Code's format with less of it in force: before a tool only `deny` counts, and a blocked output is
//! replaced by the reason, so that the reason holds the output without its secrets.

use serde_json::{Value, json};

use super::{Answer, Payload, Protocol, deny_like_claude, plain, signed};
use crate::agent::{
    Agent,
    event::{Event, Moment},
    policy::Verdict,
};

pub(super) struct Codex;

impl Protocol for Codex {
    fn agent(&self) -> Agent {
        Agent::Codex
    }

    fn recognises(&self, payload: &Payload<'_>) -> bool {
        let transcript = payload.text(&["transcript_path"]).unwrap_or_default();
        payload.text(&["hook_event_name"]).is_some()
            && (payload.has("turn_id")
                || transcript.contains("/.codex/")
                || (payload.0.get("transcript_path").is_some_and(Value::is_null) && payload.has("model")))
    }

    fn event(&self, payload: &Payload<'_>) -> Option<Event> {
        payload.like_claude(Agent::Codex, payload.text(&["hook_event_name"])?)
    }

    fn replaces(&self, event: &Event) -> bool {
        event.moment != Moment::Failed
    }

    fn answer(&self, event: &Event, verdict: &Verdict) -> Answer {
        match (verdict, event.moment) {
            (Verdict::Pass, _) => Answer::silent(),
            (Verdict::Deny(reason), Moment::Before) => Answer::json(&deny_like_claude(&event.name, &signed(reason))),
            (Verdict::Deny(text) | Verdict::Report(text), _) => {
                Answer::json(&json!({ "decision": "block", "reason": signed(text) }))
            }
            (Verdict::Replace { value, note }, _) => {
                let reason = format!("{}\n\nThe output:\n{}", signed(note), plain(value));
                Answer::json(&json!({ "decision": "block", "reason": reason }))
            }
        }
    }
}
