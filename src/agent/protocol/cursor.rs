//! Cursor: <https://cursor.com/docs/hooks>.
//!
//! Before something, `permission` decides (and `continue` for prompts); `allow` would skip the person's own
//! approval, so that it is never said. An empty output counts as a failure where `failClosed` is set: silence is
//! `{}`. Afterwards only the output of MCP tools can be replaced; elsewhere context is added.

use serde_json::{Value, json};

use super::{Answer, Payload, Protocol, prompt, signed};
use crate::agent::{
    Agent,
    event::{Action, Event, Moment},
    policy::Verdict,
    tool,
};

pub(super) struct Cursor;

/// How long the context may be that a hook adds: more is dropped whole.
const LONGEST: usize = 9_000;

impl Protocol for Cursor {
    fn agent(&self) -> Agent {
        Agent::Cursor
    }

    fn recognises(&self, payload: &Payload<'_>) -> bool {
        payload.has("cursor_version") || (payload.has("conversation_id") && payload.has("generation_id"))
    }

    fn event(&self, payload: &Payload<'_>) -> Option<Event> {
        let name = payload.text(&["hook_event_name"])?;
        let bare = |moment| {
            let mut event = payload.bare(Agent::Cursor, name, moment);
            let root = payload.value(&["workspace_roots"]).and_then(|v| v.get(0)?.as_str());
            event.cwd = event.cwd.or_else(|| root.map(Into::into));
            event
        };
        let with = |moment, tool: &str, actions| Event { tool: tool.to_owned(), actions, ..bare(moment) };
        let arguments = payload.value(&["tool_input"]).unwrap_or(&Value::Null);
        Some(match name {
            "beforeShellExecution" => {
                let command = payload.text(&["command"])?.to_owned();
                with(Moment::Before, "Shell", vec![Action::Shell { command, cwd: None }])
            }
            "beforeMCPExecution" => {
                let tool = format!("MCP:{}", payload.text(&["tool_name"])?.trim_start_matches("MCP:"));
                with(Moment::Before, &tool, tool::actions(&tool, arguments))
            }
            "beforeReadFile" | "beforeTabFileRead" => {
                let path = payload.text(&["file_path"])?.to_owned();
                let mut actions = vec![Action::Read { path, lines: None }];
                // What is attached is read as well.
                actions.extend(attachments(payload).into_iter().map(|path| Action::Read { path, lines: None }));
                with(Moment::Before, "Read", actions)
            }
            "beforeSubmitPrompt" => {
                let mut actions = vec![prompt(payload.text(&["prompt"])?)];
                actions.extend(attachments(payload).into_iter().map(|path| Action::Read { path, lines: None }));
                with(Moment::Prompt, "", actions)
            }
            "preToolUse" => {
                let tool = payload.text(&["tool_name"])?;
                with(Moment::Before, tool, tool::actions(tool, arguments))
            }
            "postToolUse" | "postToolUseFailure" => {
                let moment = if name == "postToolUse" { Moment::After } else { Moment::Failed };
                let tool = payload.text(&["tool_name"])?;
                let output = payload.value(&["tool_output", "error_message", "error"]).cloned();
                Event { output, ..with(moment, tool, tool::actions(tool, arguments)) }
            }
            "afterMCPExecution" => {
                let tool = format!("MCP:{}", payload.text(&["tool_name"])?.trim_start_matches("MCP:"));
                Event {
                    output: payload.value(&["result_json", "tool_result"]).cloned(),
                    ..with(Moment::After, &tool, Vec::new())
                }
            }
            "afterFileEdit" | "afterTabFileEdit" => {
                let path = payload.text(&["file_path"])?.to_owned();
                let edits = payload.value(&["edits"]).and_then(Value::as_array);
                let texts = edits.into_iter().flatten().filter_map(|e| Some(e.get("new_string")?.as_str()?.to_owned()));
                with(Moment::After, "Write", vec![Action::Write { path, texts: texts.collect() }])
            }
            _ => bare(Moment::Other),
        })
    }

    fn replaces(&self, event: &Event) -> bool {
        event.moment != Moment::Failed && event.tool.starts_with("MCP:")
    }

    fn answer(&self, event: &Event, verdict: &Verdict) -> Answer {
        let context = |note: &str| {
            let note: String = signed(note).chars().take(LONGEST).collect();
            json!({ "additional_context": note })
        };
        Answer::json(&match (verdict, event.moment) {
            (Verdict::Pass, _) => json!({}),
            (Verdict::Deny(reason), Moment::Prompt) => json!({ "continue": false, "user_message": signed(reason) }),
            (Verdict::Deny(reason), _) => {
                json!({ "permission": "deny", "user_message": signed(reason), "agent_message": signed(reason) })
            }
            (Verdict::Report(note), _) => context(note),
            (Verdict::Replace { value, note }, _) => {
                let mut answer = context(note);
                // The output comes as the text of a JSON document; it goes back as the document.
                let document = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
                answer["updated_mcp_tool_output"] = match document {
                    Some(document @ Value::Object(_)) => document,
                    _ => json!({ "content": [{ "type": "text", "text": super::plain(value) }] }),
                };
                answer
            }
        })
    }

    fn failure(&self, why: &str) -> Answer {
        Answer::json(&json!({
            "permission": "deny", "continue": false, "user_message": signed(why), "agent_message": signed(why) }))
    }
}

fn attachments(payload: &Payload<'_>) -> Vec<String> {
    let all = payload.value(&["attachments"]).and_then(Value::as_array);
    let path = |a: &Value| ["file_path", "filePath", "path"].iter().find_map(|n| Some(a.get(*n)?.as_str()?.to_owned()));
    all.into_iter().flatten().filter_map(path).collect()
}
