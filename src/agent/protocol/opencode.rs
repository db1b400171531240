//! opencode, through the plugin that `keysift agent install` writes (`settings/opencode.js`).
//!
//! The protocol is our own: `{"agent": "opencode", "event", "session", "cwd", "tool", "args", "output"}` in, and
//! `{"deny": reason}`, `{"output": text}` or `{"note": text}` out. See <https://opencode.ai/docs/plugins/>.

use serde_json::{Value, json};

use super::{Answer, Payload, Protocol, plain, prompt, signed};
use crate::agent::{
    Agent,
    event::{Event, Moment},
    policy::Verdict,
    tool,
};

pub(super) struct OpenCode;

impl Protocol for OpenCode {
    fn agent(&self) -> Agent {
        Agent::OpenCode
    }

    fn recognises(&self, payload: &Payload<'_>) -> bool {
        payload.text(&["agent"]) == Some("opencode")
    }

    fn event(&self, payload: &Payload<'_>) -> Option<Event> {
        let name = payload.text(&["event"])?;
        let moment = match name {
            "tool.execute.before" => Moment::Before,
            "tool.execute.after" => Moment::After,
            "chat.message" => Moment::Prompt,
            _ => Moment::Other,
        };
        let mut event = payload.bare(Agent::OpenCode, name, moment);
        event.session = payload.text(&["session"]).map(str::to_owned);
        match moment {
            Moment::Before | Moment::After => {
                event.tool = payload.text(&["tool"])?.to_owned();
                event.actions = tool::actions(&event.tool, payload.value(&["args"]).unwrap_or(&Value::Null));
                event.output = payload.value(&["output"]).cloned();
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
        Answer::json(&match verdict {
            Verdict::Pass => json!({}),
            Verdict::Deny(reason) => json!({ "deny": signed(reason) }),
            Verdict::Report(note) => json!({ "note": signed(note) }),
            Verdict::Replace { value, note } => json!({ "output": plain(value), "note": signed(note) }),
        })
    }

    fn failure(&self, why: &str) -> Answer {
        Answer::json(&json!({ "deny": signed(why) }))
    }
}
