//! Windsurf's Cascade: <https://docs.windsurf.com/windsurf/cascade/hooks>.
//!
//! Hooks before something block with exit status 2 and say why on standard error. Those afterwards are not
//! waited for: what they say is shown where `show_output` is set.

use serde_json::Value;

use super::{Answer, Payload, Protocol, prompt, signed};
use crate::agent::{
    Agent,
    event::{Action, Event, Moment},
    policy::Verdict,
    tool,
};

pub(super) struct Windsurf;

impl Protocol for Windsurf {
    fn agent(&self) -> Agent {
        Agent::Windsurf
    }

    fn recognises(&self, payload: &Payload<'_>) -> bool {
        payload.has("agent_action_name")
    }

    fn event(&self, payload: &Payload<'_>) -> Option<Event> {
        let name = payload.text(&["agent_action_name"])?;
        let Some(Value::Object(info)) = payload.value(&["tool_info"]) else {
            return (!name.starts_with("pre_")).then(|| payload.bare(Agent::Windsurf, name, Moment::Other));
        };
        let info = Payload(info);
        let edits = |moment| {
            let path = info.text(&["file_path"])?.to_owned();
            let edits = info.value(&["edits"]).and_then(Value::as_array);
            let texts = edits.into_iter().flatten().filter_map(|e| Some(e.get("new_string")?.as_str()?.to_owned()));
            Some((moment, vec![Action::Write { path, texts: texts.collect() }], None))
        };
        let read = |moment| {
            let path = info.text(&["file_path"])?.to_owned();
            Some((moment, vec![Action::Read { path, lines: None }], info.value(&["content"]).cloned()))
        };
        let command = |moment| {
            let command = info.text(&["command_line"])?.to_owned();
            Some((moment, vec![Action::Shell { command, cwd: None }], info.value(&["output"]).cloned()))
        };
        let mcp = |moment| {
            let server = info.text(&["mcp_server_name"]).unwrap_or("server");
            let name = format!("mcp__{server}__{}", info.text(&["mcp_tool_name"])?);
            let actions = tool::actions(&name, info.value(&["mcp_tool_arguments"]).unwrap_or(&Value::Null));
            Some((moment, actions, info.value(&["mcp_result"]).cloned()))
        };
        let (moment, actions, output) = match name {
            "pre_read_code" => read(Moment::Before)?,
            "post_read_code" => read(Moment::After)?,
            "pre_write_code" => edits(Moment::Before)?,
            "post_write_code" => edits(Moment::After)?,
            "pre_run_command" => command(Moment::Before)?,
            "post_run_command" => command(Moment::After)?,
            "pre_mcp_tool_use" => mcp(Moment::Before)?,
            "post_mcp_tool_use" => mcp(Moment::After)?,
            "pre_user_prompt" => (Moment::Prompt, vec![prompt(info.text(&["user_prompt"])?)], None),
            _ => (Moment::Other, Vec::new(), None),
        };
        let mut event = payload.bare(Agent::Windsurf, name, moment);
        event.cwd = info.path(&["cwd"]).or(event.cwd);
        (event.actions, event.output) = (actions, output);
        Some(event)
    }

    fn replaces(&self, _: &Event) -> bool {
        false
    }

    fn answer(&self, _: &Event, verdict: &Verdict) -> Answer {
        match verdict {
            Verdict::Pass => Answer::silent(),
            Verdict::Deny(text) | Verdict::Report(text) | Verdict::Replace { note: text, .. } => {
                Answer::blocked(&signed(text))
            }
        }
    }
}
