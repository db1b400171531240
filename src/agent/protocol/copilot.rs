//! Copilot CLI and coding agent: <https://docs.github.com/en/copilot/reference/hooks-reference>.
//!
//! An event configured in camelCase has a payload in camelCase, without the event's name; one in PascalCase has
//! Claude Code's names. Failing hooks are passed over for most events, so that every answer is JSON with status 0.
//! What a prompt hook answers is documented as unread (`"decision": "block"` works in 1.0.61 according to
//! ggshield's sources); `userPromptTransformed` may rewrite the prompt, and that is documented.

use serde_json::{Value, json};

use super::{Answer, Payload, Protocol, plain, prompt, signed};
use crate::agent::{
    Agent,
    event::{Event, Moment},
    policy::Verdict,
    tool,
};

pub(super) struct Copilot;

impl Protocol for Copilot {
    fn agent(&self) -> Agent {
        Agent::Copilot
    }

    fn recognises(&self, payload: &Payload<'_>) -> bool {
        let camel = payload.has("toolName")
            || (payload.has("sessionId") && payload.value(&["timestamp"]).is_some_and(Value::is_number));
        // Every other agent of Claude Code's family says where its transcript is.
        let pascal = payload.has("hook_event_name")
            && payload.has("session_id")
            && payload.has("timestamp")
            && !payload.has("transcript_path")
            && !payload.has("permission_mode");
        camel || pascal
    }

    fn event(&self, payload: &Payload<'_>) -> Option<Event> {
        if let Some(name) = payload.text(&["hook_event_name"]).filter(|_| payload.has("session_id")) {
            return payload.like_claude(Agent::Copilot, name);
        }
        let (name, moment) = if payload.has("toolResult") {
            ("postToolUse", Moment::After)
        } else if payload.has("toolName") && payload.has("error") {
            ("postToolUseFailure", Moment::Failed)
        } else if payload.has("toolName") {
            ("preToolUse", Moment::Before)
        } else if payload.has("transformedPrompt") {
            ("userPromptTransformed", Moment::Transformed)
        } else if payload.has("prompt") {
            ("userPromptSubmitted", Moment::Prompt)
        } else {
            ("", Moment::Other)
        };
        let mut event = payload.bare(Agent::Copilot, name, moment);
        match moment {
            Moment::Before | Moment::After | Moment::Failed => {
                event.tool = payload.text(&["toolName"])?.to_owned();
                event.actions =
                    tool::actions(&event.tool, payload.value(&["toolArgs", "toolInput"]).unwrap_or(&Value::Null));
                event.output = payload.value(&["toolResult", "error"]).cloned();
            }
            Moment::Transformed => event.output = Some(payload.text(&["transformedPrompt"])?.into()),
            Moment::Prompt => event.actions = vec![prompt(payload.text(&["prompt"])?)],
            Moment::Other => {}
        }
        Some(event)
    }

    fn replaces(&self, event: &Event) -> bool {
        event.moment != Moment::Failed
    }

    fn answer(&self, event: &Event, verdict: &Verdict) -> Answer {
        match (verdict, event.moment) {
            (Verdict::Pass, _) => Answer::silent(),
            (Verdict::Deny(reason), Moment::Before) if event.name == "PermissionRequest" => {
                Answer::json(&json!({ "behavior": "deny", "message": signed(reason) }))
            }
            (Verdict::Deny(reason), Moment::Before) => {
                Answer::json(&json!({ "permissionDecision": "deny", "permissionDecisionReason": signed(reason) }))
            }
            (Verdict::Deny(reason), _) => Answer::json(&json!({ "decision": "block", "reason": signed(reason) })),
            (Verdict::Report(note), _) => Answer::json(&json!({ "additionalContext": signed(note) })),
            (Verdict::Replace { value, .. }, Moment::Transformed) => {
                Answer::json(&json!({ "modifiedTransformedPrompt": plain(value) }))
            }
            (Verdict::Replace { value, note }, _) => {
                let text = value.get("textResultForLlm").or_else(|| value.get("text_result_for_llm"));
                let text = text.map_or_else(|| plain(value), plain);
                Answer::json(&json!({
                    "modifiedResult": { "resultType": "success", "textResultForLlm": text },
                    "additionalContext": signed(note),
                }))
            }
        }
    }

    fn failure(&self, why: &str) -> Answer {
        // Which event it was is not known; each reads its own part.
        Answer::json(&json!({
            "permissionDecision": "deny",
            "permissionDecisionReason": signed(why),
            "decision": "block",
            "reason": signed(why),
        }))
    }
}
