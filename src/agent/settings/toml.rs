//! Mistral Vibe's hooks: `[[hooks]]` tables, edited so that comments and order stay.

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::is_ours;

/// The names of our hooks, with their types, and whether the tool is denied when the hook fails.
const HOOKS: &[(&str, &str, bool)] =
    &[("keysift-pre-tool", "pre_tool", true), ("keysift-post-tool", "post_tool", false)];

/// The text with our hooks, or without them where there is no command. `None`: nothing is left of the file.
///
/// # Errors
/// The text is no TOML, or has something else where hooks should be.
pub(super) fn changed(old: Option<&str>, command: Option<&str>) -> Result<Option<String>, String> {
    let text = old.unwrap_or_default();
    let mut document: DocumentMut = text.parse().map_err(|e| format!("it is no TOML: {e}"))?;
    let Some(command) = command else {
        let Some(hooks) = document.get_mut("hooks").and_then(Item::as_array_of_tables_mut) else {
            return Ok(old.map(str::to_owned));
        };
        let before = hooks.len();
        hooks.retain(|hook| !is_our_hook(hook));
        if hooks.len() == before {
            return Ok(old.map(str::to_owned));
        }
        if hooks.is_empty() {
            document.remove("hooks");
        }
        let left = document.to_string();
        return Ok((!left.trim().is_empty()).then_some(left));
    };
    let hooks = document.entry("hooks").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let hooks = hooks.as_array_of_tables_mut().ok_or("its `hooks` are no tables")?;
    for (name, kind, strict) in HOOKS {
        let ours = hooks.iter_mut().find(|hook| text_of(hook, "name") == Some(name));
        let hook = match ours {
            Some(hook) => hook,
            None => {
                hooks.push(Table::new());
                hooks.iter_mut().last().ok_or("its `hooks` are no tables")?
            }
        };
        let mut set = |key: &str, item: Item| {
            if hook.get(key).map(|old| old.to_string().trim().to_owned()) != Some(item.to_string().trim().to_owned()) {
                hook.insert(key, item);
            }
        };
        set("name", value(*name));
        set("type", value(*kind));
        set("match", value("*"));
        set("command", value(command));
        set("timeout", value(30.0));
        set("strict", value(*strict));
    }
    Ok(Some(document.to_string()))
}

fn is_our_hook(hook: &Table) -> bool {
    text_of(hook, "command").is_some_and(is_ours)
}

fn text_of<'a>(hook: &'a Table, key: &str) -> Option<&'a str> {
    hook.get(key)?.as_str()
}
