//! Mistral Vibe: <https://docs.mistral.ai/vibe/code/cli/hooks>.
//!
//! Silence lets the tool run; `deny` stops it. After a tool, context can be added; nothing is replaced. There is
//! no hook for prompts.

use serde_json::{Value, json};

use super::{Answer, Payload, Protocol, signed};
use crate::agent::{
    Agent,
    event::{Event, Moment},
    policy::Verdict,
    tool,
};

pub(super) struct Vibe;

impl Protocol for Vibe {
    fn agent(&self) -> Agent {
        Agent::Vibe
    }

    fn recognises(&self, payload: &Payload<'_>) -> bool {
        // Until 2.15 the events had other names.
        let events = ["pre_tool", "post_tool", "post_agent", "before_tool", "after_tool", "post_agent_turn"];
        payload.text(&["hook_event_name"]).is_some_and(|e| events.contains(&e))
    }

    fn event(&self, payload: &Payload<'_>) -> Option<Event> {
        let name = payload.text(&["hook_event_name"])?;
        let moment = match name {
            "pre_tool" | "before_tool" => Moment::Before,
            "post_tool" | "after_tool" => Moment::After,
            _ => Moment::Other,
        };
        let mut event = payload.bare(Agent::Vibe, name, moment);
        if moment != Moment::Other {
            event.tool = payload.text(&["tool_name"])?.to_owned();
            event.actions = tool::actions(&event.tool, payload.value(&["tool_input"]).unwrap_or(&Value::Null));
        }
        if moment == Moment::After {
            event.output = payload.value(&["tool_output_text", "tool_output", "tool_response", "tool_result"]).cloned();
        }
        Some(event)
    }

    fn replaces(&self, _: &Event) -> bool {
        false
    }

    fn answer(&self, _: &Event, verdict: &Verdict) -> Answer {
        match verdict {
            Verdict::Pass => Answer::silent(),
            Verdict::Deny(reason) => Answer::json(&json!({ "decision": "deny", "reason": signed(reason) })),
            Verdict::Report(note) | Verdict::Replace { note, .. } => {
                Answer::json(&json!({ "hook_specific_output": { "additional_context": signed(note) } }))
            }
        }
    }
}
