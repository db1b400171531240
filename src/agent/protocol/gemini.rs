//! Gemini CLI: <https://geminicli.com/docs/hooks/reference>.
//!
//! Standard output holds one JSON document and nothing else. After a tool, `deny` replaces its result by the
//! reason, so that the reason holds the result without its secrets.

use serde_json::{Value, json};

use super::{Answer, Payload, Protocol, plain, prompt, signed};
use crate::agent::{
    Agent,
    event::{Event, Moment},
    policy::Verdict,
    tool,
};

pub(super) struct Gemini;

const EVENTS: &[&str] = &[
    "BeforeTool",
    "AfterTool",
    "BeforeAgent",
    "AfterAgent",
    "BeforeModel",
    "AfterModel",
    "BeforeToolSelection",
    "PreCompress",
];

impl Protocol for Gemini {
    fn agent(&self) -> Agent {
        Agent::Gemini
    }

    fn recognises(&self, payload: &Payload<'_>) -> bool {
        let transcript = payload.text(&["transcript_path"]).unwrap_or_default();
        payload.text(&["hook_event_name"]).is_some_and(|e| EVENTS.contains(&e) || transcript.contains("/.gemini/"))
    }

    fn event(&self, payload: &Payload<'_>) -> Option<Event> {
        let name = payload.text(&["hook_event_name"])?;
        let moment = match name {
            "BeforeTool" => Moment::Before,
            "AfterTool" => Moment::After,
            "BeforeAgent" => Moment::Prompt,
            _ => Moment::Other,
        };
        let mut event = payload.bare(Agent::Gemini, name, moment);
        match moment {
            Moment::Before | Moment::After => {
                event.tool = payload.text(&["tool_name"])?.to_owned();
                event.actions = tool::actions(&event.tool, payload.value(&["tool_input"]).unwrap_or(&Value::Null));
                event.output = payload.value(&["tool_response"]).cloned();
            }
            Moment::Prompt => event.actions = vec![prompt(payload.text(&["prompt"])?)],
            _ => {}
        }
        Some(event)
    }

    fn replaces(&self, _: &Event) -> bool {
        true
    }

    fn answer(&self, _: &Event, verdict: &Verdict) -> Answer {
        match verdict {
            Verdict::Pass => Answer::json(&json!({})),
            Verdict::Deny(reason) => Answer::json(&json!({ "decision": "deny", "reason": signed(reason) })),
            Verdict::Report(note) => {
                Answer::json(&json!({ "hookSpecificOutput": { "additionalContext": signed(note) } }))
            }
            Verdict::Replace { value, note } => {
                // What is displayed repeats what the model is given.
                let result = value.get("llmContent").unwrap_or(value);
                let reason = format!("{}\n\nThe output:\n{}", signed(note), plain(result));
                Answer::json(&json!({ "decision": "deny", "reason": reason }))
            }
        }
    }
}
