//! Hooks in JSON, edited so that comments, order and blanks stay.

use jsonc_parser::{
    ParseOptions,
    cst::{CstArray, CstInputValue as Input, CstNode, CstObject, CstRootNode},
};
use serde_json::Value;

use super::{hooks::Hooks, is_ours};

/// The text with our hooks, or without them where there is no command. `None`: nothing is left of the file.
///
/// # Errors
/// The text is no JSON, or has something else where hooks should be.
pub(super) fn changed(old: Option<&str>, hooks: &Hooks, command: Option<&str>) -> Result<Option<String>, String> {
    let Some(text) = old.filter(|t| !t.trim().is_empty()) else {
        return match command {
            None => Ok(old.map(str::to_owned)),
            Some(command) => {
                let root = CstRootNode::parse("{}\n", &ParseOptions::default()).map_err(|e| e.to_string())?;
                edit(&root, hooks, Some(command))?;
                Ok(Some(root.to_string()))
            }
        };
    };
    let root = CstRootNode::parse(text, &ParseOptions::default()).map_err(|e| format!("it is no JSON: {e}"))?;
    edit(&root, hooks, command)?;
    let is_empty = root
        .object_value()
        .is_some_and(|o| o.properties().iter().all(|p| p.decoded_name().as_deref() == Some("version")));
    if command.is_none() && is_empty && root.to_string() != text {
        return Ok(None);
    }
    Ok(Some(root.to_string()))
}

fn edit(root: &CstRootNode, hooks: &Hooks, command: Option<&str>) -> Result<(), String> {
    let object = root.object_value_or_create().ok_or("its root is no object")?;
    if command.is_some() && hooks.has_version && object.get("version").is_none() {
        object.insert(0, "version", Input::Number("1".to_owned()));
    }
    let events = match (hooks.is_wrapped, command) {
        (false, _) => Some(object.clone()),
        (true, Some(_)) => Some(object.object_value_or_create("hooks").ok_or("its `hooks` is no object")?),
        (true, None) => object.object_value("hooks"),
    };
    if let Some(events) = events {
        for (event, entry) in &hooks.events {
            match command {
                None => remove(&events, event),
                Some(command) => {
                    let list = events.array_value_or_create(event).ok_or(format!("its `{event}` is no list"))?;
                    put(&list, &entry.value(command), &entry.hook(command), entry.is_nested());
                }
            }
        }
        if hooks.is_wrapped
            && command.is_none()
            && events.properties().is_empty()
            && let Some(property) = object.get("hooks")
        {
            property.remove();
        }
    }
    deny(&object, hooks.deny, command.is_some())
}

/// Has our entry once in the list of an event: where ours stands already, or at the end.
fn put(list: &CstArray, entry: &Input, hook: &Input, is_nested: bool) {
    let mut is_there = false;
    for element in list.elements() {
        let ours = our_hooks(&element, is_nested);
        if ours.is_empty() {
            continue;
        }
        let (wanted, place, list) = match element.as_object().and_then(|o| o.array_value("hooks")).filter(|_| is_nested)
        {
            // Somebody put hooks of others beside ours: only ours change.
            Some(inner) if inner.elements().len() > ours.len() => (hook, ours, inner),
            _ => (entry, vec![element], list.clone()),
        };
        for node in place {
            if std::mem::replace(&mut is_there, true) {
                node.remove();
            } else if node.to_serde_value() != Some(plain(wanted)) {
                replace(&list, node, wanted.clone());
            }
        }
    }
    if !is_there {
        list.append(entry.clone());
    }
}

/// Takes our entries out of the list of an event, and the list if it is empty then.
fn remove(events: &CstObject, event: &str) {
    let Some(list) = events.array_value(event) else { return };
    let mut changes = false;
    for element in list.elements() {
        let inner = element.as_object().and_then(|o| o.array_value("hooks"));
        let ours = our_hooks(&element, inner.is_some());
        if ours.is_empty() {
            continue;
        }
        changes = true;
        match inner {
            Some(inner) if inner.elements().len() > ours.len() => ours.into_iter().for_each(CstNode::remove),
            _ => element.remove(),
        }
    }
    if changes
        && list.elements().is_empty()
        && let Some(property) = events.get(event)
    {
        property.remove();
    }
}

/// The hooks of ours in an entry: itself, or those in its list.
fn our_hooks(element: &CstNode, is_nested: bool) -> Vec<CstNode> {
    let ours = |node: &CstNode| {
        let value = node.to_serde_value().unwrap_or_default();
        value.get("command").and_then(Value::as_str).is_some_and(is_ours)
    };
    let nodes = match element.as_object().and_then(|o| o.array_value("hooks")).filter(|_| is_nested) {
        Some(inner) => inner.elements(),
        None => vec![element.clone()],
    };
    nodes.into_iter().filter(ours).collect()
}

/// Has something else in an element's place. (Put in anew, it is indented as its neighbours are.)
fn replace(list: &CstArray, node: CstNode, with: Input) {
    let at = list.elements().iter().position(|other| other.child_index() == node.child_index());
    node.remove();
    list.insert(at.unwrap_or(0), with);
}

/// Adds patterns to `permissions.deny`, or takes them out.
fn deny(object: &CstObject, patterns: &[&str], wanted: bool) -> Result<(), String> {
    if patterns.is_empty() {
        return Ok(());
    }
    let permissions =
        if wanted { object.object_value_or_create("permissions") } else { object.object_value("permissions") };
    let Some(permissions) = permissions else {
        return if wanted { Err("its `permissions` is no object".to_owned()) } else { Ok(()) };
    };
    let list = if wanted { permissions.array_value_or_create("deny") } else { permissions.array_value("deny") };
    let Some(list) = list else {
        return if wanted { Err("its `permissions.deny` is no list".to_owned()) } else { Ok(()) };
    };
    let text = |node: &CstNode| node.as_string_lit().and_then(|s| s.decoded_value().ok());
    if wanted {
        let there: Vec<String> = list.elements().iter().filter_map(text).collect();
        let missing: Vec<&&str> = patterns.iter().filter(|p| !there.iter().any(|t| t == **p)).collect();
        if !missing.is_empty() {
            list.ensure_multiline();
        }
        for pattern in missing {
            list.append(Input::from(*pattern));
        }
        return Ok(());
    }
    for node in list.elements().into_iter().filter(|n| text(n).is_some_and(|t| patterns.contains(&t.as_str()))) {
        node.remove();
    }
    if list.elements().is_empty()
        && let Some(property) = permissions.get("deny")
    {
        property.remove();
    }
    if permissions.properties().is_empty()
        && let Some(property) = object.get("permissions")
    {
        property.remove();
    }
    Ok(())
}

/// A value as serde sees it, to be compared.
fn plain(value: &Input) -> Value {
    match value {
        Input::Null => Value::Null,
        Input::Bool(yes) => Value::Bool(*yes),
        Input::Number(number) => serde_json::from_str(number).unwrap_or_default(),
        Input::String(text) => Value::String(text.clone()),
        Input::Array(items) => Value::Array(items.iter().map(plain).collect()),
        Input::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect())
        }
    }
}
