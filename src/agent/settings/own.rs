//! Files that are ours alone: Copilot's hooks, opencode's plugin.

use serde_json::json;

use super::MARK;

/// The plugin of opencode; `@COMMAND@` stands for the program and its arguments.
const PLUGIN: &str = include_str!("opencode.js");

/// Copilot's file of hooks, of which every event in camelCase has a payload in camelCase.
pub(super) fn copilot(old: Option<&str>, command: Option<&str>) -> Option<String> {
    let Some(command) = command else { return without(old) };
    let events = ["preToolUse", "postToolUse", "postToolUseFailure", "userPromptSubmitted", "userPromptTransformed"];
    let entry = json!([{ "type": "command", "bash": command, "powershell": format!("& {command}"), "timeoutSec": 30 }]);
    let hooks: serde_json::Map<String, serde_json::Value> =
        events.iter().map(|event| ((*event).to_owned(), entry.clone())).collect();
    let text = serde_json::to_string_pretty(&json!({ "version": 1, "hooks": hooks })).unwrap_or_default();
    Some(text + "\n")
}

/// opencode's plugin.
pub(super) fn opencode(old: Option<&str>, command: Option<&str>) -> Option<String> {
    let Some(command) = command else { return without(old) };
    Some(PLUGIN.replace("@COMMAND@", &json!(command).to_string()))
}

/// Our file goes; one of the same name that is not ours stays.
fn without(old: Option<&str>) -> Option<String> {
    old.filter(|text| !text.contains(MARK)).map(str::to_owned)
}
