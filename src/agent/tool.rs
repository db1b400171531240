//! What a tool does, by its name and its arguments: the agents differ in names, hardly in kinds.
//!
//! Of a tool that is not known, the arguments are taken for text that goes somewhere, and what is called a
//! path in them for a file that is read.

use serde_json::{Map, Value};

use super::{
    event::{Action, Lines},
    patch,
};

/// What a tool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Search,
    List,
    Write,
    Patch,
    Shell,
    /// Speaks to the person or keeps the agent's own lists: nothing leaves.
    Inner,
    Unknown,
}

/// Tools by name, in lower case.
const TOOLS: &[(Kind, &str)] = &[
    (
        Kind::Read,
        "\
        read read_file readfile read_files read_many_files read_multiple_files read_text_file view view_file \
        open_file get_file_contents notebookread read_notebook upload_file attach_file",
    ),
    (
        Kind::Search,
        "\
        grep rg grep_search search_file_content search_files findtextinfiles find_text_in_files",
    ),
    (
        Kind::List,
        "\
        glob ls list list_dir list_directory list_files find file_search find_files delete delete_file",
    ),
    (
        Kind::Write,
        "\
        write write_file writefile create create_file edit edit_file edit_files editfiles multiedit multi_edit \
        replace str_replace strreplace str_replace_editor str_replace_based_edit_tool replace_string_in_file \
        multi_replace_string_in_file insert_edit_into_file search_replace notebookedit notebook_edit edit_notebook \
        edit_notebook_file tabwrite",
    ),
    (
        Kind::Patch,
        "\
        apply_patch applypatch patch",
    ),
    (
        Kind::Shell,
        "\
        bash shell powershell sh run_in_terminal run_shell_command run_terminal_cmd run_command execute \
        execute_command exec_command local_shell terminal monitor",
    ),
    (
        Kind::Inner,
        "\
        todowrite todoread todo update_todo write_todos askuserquestion ask_user ask_user_question exitplanmode \
        report_intent toolsearch",
    ),
];

const PATHS: &str = "\
    file_path filepath path absolute_path notebook_path target_file file filename relative_workspace_path paths \
    file_paths files include uri";
const TEXTS: &str = "\
    content contents new_string newstring new_str file_text filetext new_source new_text newtext insert_text \
    code_edit code replacement text newcode";
const COMMANDS: &str = "command cmd command_line commandline script";

/// Whether a list of words has this one.
fn has(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|w| w == word)
}

/// What a call of a tool does.
pub(super) fn actions(tool: &str, input: &Value) -> Vec<Action> {
    let parsed;
    let input = match input {
        // Some agents pass the arguments as the text of a JSON object.
        Value::String(text) if text.trim_start().starts_with('{') => match serde_json::from_str(text) {
            Ok(value) => {
                parsed = value;
                &parsed
            }
            Err(_) => input,
        },
        _ => input,
    };
    let kind = kind(tool);
    let Value::Object(arguments) = input else {
        return match (kind, input.as_str()) {
            (Kind::Shell, Some(command)) => vec![Action::Shell { command: command.to_owned(), cwd: None }],
            (Kind::Patch, Some(text)) => patch::actions(text),
            (Kind::Inner, _) | (_, None) if !input.is_array() => Vec::new(),
            _ => vec![text_of(tool, input)],
        };
    };
    // One tool of several agents does both, and says which in an argument.
    let views = string(arguments, "command") == Some("view");
    let mut actions = match kind {
        Kind::Read => reads(arguments),
        Kind::Write if views => reads(arguments),
        Kind::Search => vec![Action::Search {
            path: string(arguments, "path dir_path includepath").map(str::to_owned),
            glob: string(arguments, "glob include includepattern include_pattern").map(str::to_owned),
        }],
        Kind::Write => {
            let mut texts = Vec::new();
            gather(arguments, TEXTS, &mut texts);
            paths(arguments).into_iter().map(|path| Action::Write { path, texts: texts.clone() }).collect()
        }
        Kind::Patch => {
            let mut texts = Vec::new();
            all_strings(input, &mut texts);
            texts.iter().flat_map(|text| patch::actions(text)).collect()
        }
        Kind::Shell => match command(arguments) {
            // Codex passes patches to its shell, too.
            Some(command) if patch::is_patch(&command) => {
                let mut actions = patch::actions(&command);
                actions.push(Action::Shell { command, cwd: directory(arguments) });
                actions
            }
            Some(command) => vec![Action::Shell { command, cwd: directory(arguments) }],
            None => Vec::new(),
        },
        Kind::List | Kind::Inner => return Vec::new(),
        Kind::Unknown => reads(arguments),
    };
    // Whatever was not understood is at least looked at; and a server of tools is told everything.
    if actions.is_empty() || kind == Kind::Unknown || is_foreign(tool) {
        actions.push(text_of(tool, input));
    }
    actions
}

/// Whether a tool belongs to a server, so that its arguments leave the agent.
fn is_foreign(tool: &str) -> bool {
    let lower = tool.to_ascii_lowercase();
    lower.starts_with("mcp_") || lower.starts_with("mcp:")
}

fn kind(tool: &str) -> Kind {
    let lower = tool.to_ascii_lowercase();
    let bare = if is_foreign(&lower) { lower.rsplit(['_', ':']).next().unwrap_or(&lower) } else { &lower };
    let known = |name: &str| TOOLS.iter().find(|(_, names)| has(names, name)).map(|(kind, _)| *kind);
    let found = known(&lower).or_else(|| {
        // `mcp__files__read_file`: the tool's own name has underscores, too.
        is_foreign(&lower).then(|| lower.rsplit("__").next().and_then(known).or_else(|| known(bare))).flatten()
    });
    found.unwrap_or(Kind::Unknown)
}

fn reads(arguments: &Map<String, Value>) -> Vec<Action> {
    let lines = lines(arguments);
    paths(arguments).into_iter().map(|path| Action::Read { path, lines }).collect()
}

/// The lines that are asked for; where it is not clear where counting begins, one more.
fn lines(arguments: &Map<String, Value>) -> Option<Lines> {
    let number =
        |names: &str| arguments.iter().find(|(k, _)| has(names, &k.to_ascii_lowercase())).and_then(|(_, v)| v.as_u64());
    if let Some([first, last]) = arguments.get("view_range").and_then(Value::as_array).map(Vec::as_slice) {
        return Some(Lines { first: first.as_u64()?, last: last.as_u64().unwrap_or(u64::MAX) });
    }
    let first = number("start_line startline startlinenumberbaseone");
    let last = number("end_line endline endlinenumberbaseone end_line_one_indexed_inclusive");
    if first.is_some() || last.is_some() {
        return Some(Lines { first: first.unwrap_or(1).max(1), last: last.unwrap_or(u64::MAX) });
    }
    let (offset, limit) = (number("offset"), number("limit"));
    (offset.is_some() || limit.is_some()).then(|| {
        let first = offset.unwrap_or(1).max(1);
        Lines { first, last: limit.map_or(u64::MAX, |limit| first.saturating_add(limit)) }
    })
}

fn paths(arguments: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    gather(arguments, PATHS, &mut found);
    for path in &mut found {
        if let Some(rest) = path.strip_prefix("file://") {
            *path = rest.to_owned();
        }
    }
    found.retain(|path| !path.contains("://") && !path.contains('\n'));
    found.dedup();
    found
}

/// The strings under these names, also in lists and in objects in lists.
fn gather(arguments: &Map<String, Value>, names: &str, into: &mut Vec<String>) {
    for (name, value) in arguments {
        let wanted = has(names, &name.to_ascii_lowercase());
        match value {
            Value::String(text) if wanted => into.push(text.clone()),
            Value::Array(items) => {
                for item in items {
                    match item {
                        Value::String(text) if wanted => into.push(text.clone()),
                        Value::Object(inner) => gather(inner, names, into),
                        _ => {}
                    }
                }
            }
            Value::Object(inner) => gather(inner, names, into),
            _ => {}
        }
    }
}

fn string<'a>(arguments: &'a Map<String, Value>, names: &str) -> Option<&'a str> {
    arguments.iter().find(|(k, _)| has(names, &k.to_ascii_lowercase())).and_then(|(_, v)| v.as_str())
}

/// The command of a shell tool, which some agents pass as a list of words.
fn command(arguments: &Map<String, Value>) -> Option<String> {
    let (_, value) = arguments.iter().find(|(k, _)| has(COMMANDS, &k.to_ascii_lowercase()))?;
    match value {
        Value::String(command) => Some(command.clone()),
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            Some(match words.as_slice() {
                // `["bash", "-lc", "…"]`
                [_, flag, script, ..] if flag.starts_with('-') && flag.ends_with('c') => (*script).to_owned(),
                words => words.iter().map(|w| super::shell::quote(w)).collect::<Vec<_>>().join(" "),
            })
        }
        _ => None,
    }
}

fn directory(arguments: &Map<String, Value>) -> Option<String> {
    string(arguments, "cwd workdir directory dir_path working_directory").map(str::to_owned)
}

fn text_of(tool: &str, input: &Value) -> Action {
    let mut texts = Vec::new();
    match input {
        // The names give the values their meaning: `"password": "…"`.
        Value::Object(_) | Value::Array(_) => texts.push(serde_json::to_string_pretty(input).unwrap_or_default()),
        other => all_strings(other, &mut texts),
    }
    Action::Text { what: format!("arguments of {tool}"), text: texts.join("\n") }
}

/// Every string in a value.
fn all_strings(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| all_strings(item, into)),
        Value::Object(map) => map.values().for_each(|item| all_strings(item, into)),
        _ => {}
    }
}
