//! What is let through, denied, redacted or reported: the same for every agent.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    event::{Action, Event, Lines, Moment},
    inspect::{Found, Inspector},
    place::{Base, Place},
    redact::{self, Redactor},
    sensitive::{self, Sensitive},
    shell::usage::{self, Named, Use},
};
use crate::{error::Result, finding::Confidence};

/// Files above this are not looked into before they are read; what is read of them is, afterwards.
const LARGEST: u64 = 64 << 20;
/// A sensitive path is let through for its content only if that is small enough to be certain.
const LARGEST_HARMLESS: u64 = 1 << 20;
/// As many files as a pattern of a shell may mean.
const EXPANDED: usize = 500;
/// As many secrets as a message names.
const NAMED: usize = 5;
/// Sure enough to deny something.
const DENY: Confidence = Confidence::High;
/// Sure enough to hide something, or to say it.
const HIDE: Confidence = Confidence::Medium;

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Nothing to say.
    Pass,
    /// It is stopped, for this reason.
    Deny(String),
    /// It has happened; this is to be known about it.
    Report(String),
    /// The output (or the prompt) is replaced.
    Replace {
        /// In the shape that it had.
        value: Value,
        /// What was replaced.
        note: String,
    },
}

/// What decides.
#[derive(Debug)]
pub struct Policy<'a> {
    /// What paths are relative to.
    pub base: &'a Base,
    /// Which paths are not for an agent.
    pub sensitive: &'a Sensitive,
    /// Finds secrets in texts.
    pub inspector: &'a Inspector<'a>,
    /// Makes placeholders.
    pub redactor: &'a Redactor,
    /// Whether the hook of this event's agent may replace this tool's output.
    pub redacts: bool,
    /// Whether a file with secrets is not read even where they would be redacted.
    pub denies_secrets: bool,
}

impl Policy<'_> {
    /// Decides about an event.
    ///
    /// # Errors
    /// Something could not be looked at; the failure mode says what becomes of the event.
    pub fn judge(&self, event: &Event) -> Result<Verdict> {
        match event.moment {
            Moment::Before | Moment::Prompt => self.before(event),
            Moment::After | Moment::Failed => self.after(event),
            Moment::Transformed => self.hide(event),
            Moment::Other => Ok(Verdict::Pass),
        }
    }

    fn before(&self, event: &Event) -> Result<Verdict> {
        for action in &event.actions {
            let reason = match action {
                Action::Read { path, lines } => {
                    let place = self.base.place(path, Path::new(""));
                    self.read(&place, path, "reading", *lines)?
                }
                Action::Search { path, glob } => self.search(path.as_deref(), glob.as_deref()),
                Action::Write { path, texts } => self.write(path, texts)?,
                Action::Shell { command, cwd } => self.shell(command, cwd.as_deref())?,
                Action::Text { what, text } => self.text(what, text, event)?,
            };
            if let Some(reason) = reason {
                return Ok(Verdict::Deny(reason));
            }
        }
        Ok(Verdict::Pass)
    }

    /// Why a file must not be read, if so.
    fn read(&self, place: &Place, named: &str, doing: &str, lines: Option<Lines>) -> Result<Option<String>> {
        if let Some(reason) = self.sensitive(place, named, doing) {
            return Ok(Some(reason));
        }
        if self.reads_on() {
            return Ok(None);
        }
        let shown = self.base.shown(&place.real);
        let content = match place.read(LARGEST) {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(None),
            // Whoever reads it will meet the same difficulty.
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => return Ok(None),
            Err(e) => return Err(crate::Error::new(format!("cannot look at {shown} before it is read")).because(e)),
        };
        let part = lines.map_or(content.as_slice(), |lines| lines.part(&content));
        let mut found = self.secrets(part, &shown, DENY)?;
        let skipped = part.as_ptr() as usize - content.as_ptr() as usize;
        let above = if part.is_empty() { 0 } else { memchr::memchr_iter(b'\n', &content[..skipped]).count() as u32 };
        for (_, line) in found.iter_mut().flat_map(|f| &mut f.at) {
            *line += above;
        }
        if found.is_empty() {
            return Ok(None);
        }
        let mut reason = format!("{doing} {named} is denied, because it holds {}.\n", count(&found));
        list(&mut reason, &found);
        reason.push_str("Instead: read the lines that you need without those that hold secrets, or ask the person.\n");
        reason.push_str(&self.allowing_finding(&found, &shown));
        Ok(Some(reason))
    }

    /// Why a place must not be touched because of where it is, if so.
    fn sensitive(&self, place: &Place, named: &str, doing: &str) -> Option<String> {
        let why = self.sensitive.why(place, self.base)?;
        // A folder's listing shows names only; what is in it has a path of its own.
        if place.real.is_dir() && doing != "uploading" {
            return None;
        }
        if let Ok(Some(content)) = place.read(LARGEST_HARMLESS)
            && sensitive::harmless(&content).is_some()
        {
            return None;
        }
        Some(format!(
            "{doing} {named} is denied: {} (the pattern `{}`).\nInstead: {}.\n{}",
            article(why.name),
            why.pattern,
            why.instead,
            self.allowing_path(place)
        ))
    }

    fn search(&self, path: Option<&str>, glob: Option<&str>) -> Option<String> {
        let folder = path.unwrap_or(".");
        let place = self.base.place(folder, Path::new(""));
        if place.real.is_dir() {
            if let Some(why) = self.sensitive.why(&place, self.base) {
                return Some(format!(
                    "searching {folder} is denied: {} (the pattern `{}`).\nInstead: {}.\n{}",
                    article(why.name),
                    why.pattern,
                    why.instead,
                    self.allowing_path(&place)
                ));
            }
        } else if let Some(reason) = self.sensitive(&place, folder, "searching") {
            return Some(reason);
        }
        let glob = glob.filter(|g| !g.starts_with('!'))?;
        let place = self.base.place(glob.trim_start_matches("**/"), Path::new(folder));
        self.sensitive(&place, glob, "searching")
    }

    /// Why a file must not be written, if so.
    fn write(&self, path: &str, texts: &[String]) -> Result<Option<String>> {
        let place = self.base.place(path, Path::new(""));
        let shown = self.base.shown(&place.path);
        if self.sensitive.is_guarded(&place, self.base) {
            return Ok(Some(format!(
                "changing {path} is denied: it decides what an agent may do, and only a person changes it.\n\
                 Instead: say which line you would change, and let the person do it.\n"
            )));
        }
        // What is not there yet has nothing to show.
        if place.real.exists()
            && let Some(reason) = self.sensitive(&place, path, "changing")
        {
            return Ok(Some(reason));
        }
        let old = place.read(LARGEST).ok().flatten().unwrap_or_default();
        for text in texts {
            if redact::holds_placeholder(text) {
                return Ok(Some(format!(
                    "writing {path} is denied: the text has a placeholder in it (‹rule 1a2b›) that stands for a secret \
                     which you were not shown; written to the file, it would take the secret's place.\n\
                     Instead: change only the lines around it, or write a reference such as ${{NAME}}.\n"
                )));
            }
            let found = self.secrets_written(text, &shown, &old, DENY)?;
            if !found.is_empty() {
                let mut reason = format!("writing {} to {path} is denied; nothing was written.\n", count(&found));
                list(&mut reason, &found);
                reason.push_str(REMEDY);
                reason.push_str(&self.allowing_finding(&found, &shown));
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// Why a command must not be run, if so.
    fn shell(&self, command: &str, cwd: Option<&str>) -> Result<Option<String>> {
        let start = PathBuf::from(cwd.unwrap_or_default());
        for used in usage::uses(command) {
            let reason = match used {
                Use::Reads(named) => self.command_reads(&named, &start)?,
                Use::Writes(named) => {
                    let place = self.base.place(&named.path, &start.join(&named.from));
                    self.sensitive.is_guarded(&place, self.base).then(|| {
                        format!(
                            "changing {} is denied: it decides what an agent may do, and only a person changes it.\n\
                             Instead: say which line you would change, and let the person do it.\n",
                            named.path
                        )
                    })
                }
                Use::Environment { is_filtered: true, .. } if self.redacts => None,
                Use::Environment { command, .. } => Some(format!(
                    "`{command}` is denied: it prints every variable of the environment, those with secrets among them.\n\
                     Instead: print the one that you need (`printenv PATH`), or only the names (`{command} | cut -d= -f1`).\n"
                )),
                Use::Variable(name) => Some(format!(
                    "printing ${name} is denied: its name says that it is a secret.\n\
                     Instead: let a program read it itself; `[ -n \"${{{name}}}\" ] && echo set` says whether there is one.\n"
                )),
                Use::Commits { from, stages } => {
                    let from = self.base.place(&from.to_string_lossy(), &start).path;
                    let found = self.inspector.find_staged(&from, &stages, DENY)?;
                    (!found.is_empty()).then(|| {
                        let mut reason =
                            format!("committing is denied: what would be committed has {} in it.\n", count(&found));
                        list(&mut reason, &found);
                        reason.push_str(REMEDY);
                        reason.push_str(&self.allowing_finding(&found, ""));
                        reason
                    })
                }
            };
            if reason.is_some() {
                return Ok(reason);
            }
        }
        let found = self.secrets(command.as_bytes(), "command", DENY)?;
        if found.is_empty() {
            return Ok(None);
        }
        let mut reason = format!("the command is denied: it has {} in it. It was not run.\n", count(&found));
        list(&mut reason, &found);
        reason.push_str(
            "The secret stands in this conversation already: tell the person, so that it is replaced by a new one.\n\
             Instead: let the command read it from a variable (${NAME}) or a secret store (`op read op://…`).\n",
        );
        Ok(Some(reason))
    }

    /// Why a file must not be read by a command, if so.
    fn command_reads(&self, named: &Named, start: &Path) -> Result<Option<String>> {
        let from = start.join(&named.from);
        let place = self.base.place(&named.path, &from);
        let mut places = vec![place];
        if named.is_pattern {
            let expanded = braces(&named.path).into_iter().flat_map(|path| {
                let place = self.base.place(&path, &from);
                let files = sensitive::expand(&place.path, EXPANDED);
                files.into_iter().map(|f| self.base.place(&f.to_string_lossy(), Path::new("")))
            });
            places.extend(expanded);
        }
        // Moved or copied to a name that is as well kept, it stays where it belongs.
        if let Some(to) = &named.to {
            let to = self.base.place(to, &from);
            if self.sensitive.why(&to, self.base).is_some() {
                return Ok(None);
            }
        }
        for place in &places {
            let doing = match named.command.as_str() {
                "git add" => "committing",
                "an upload" => "uploading",
                _ => "reading",
            };
            if let Some(reason) = self.sensitive(place, &self.base.shown(&place.path), doing) {
                return Ok(Some(reason));
            }
            // An upload is not seen again.
            if (doing == "uploading" || !self.reads_on())
                && place.real.is_file()
                && named.to.is_none()
                && doing != "committing"
                && let Some(reason) = self.seen_through().read(place, &named.path, doing, None)?
            {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// Whether files with secrets are read, because what they show will be redacted.
    fn reads_on(&self) -> bool {
        self.redacts && !self.denies_secrets
    }

    /// The same, where what is read is not seen again: by a program, or by the agent itself.
    fn seen_through(&self) -> Policy<'_> {
        Policy { denies_secrets: true, ..*self }
    }

    /// Why a text must not be sent, if so.
    fn text(&self, what: &str, text: &str, event: &Event) -> Result<Option<String>> {
        let is_prompt = event.moment == Moment::Prompt;
        let found = self.secrets(text.as_bytes(), if is_prompt { "prompt" } else { "arguments" }, DENY)?;
        if !found.is_empty() {
            let mut reason = if is_prompt {
                format!("the prompt was not sent: it has {} in it.\n", count(&found))
            } else {
                format!("the call is denied: the {what} have {} in them. Nothing was sent.\n", count(&found))
            };
            list(&mut reason, &found);
            reason.push_str("Instead: name the variable or the reference (${NAME}, op://…), not the value.\n");
            return Ok(Some(reason));
        }
        if is_prompt {
            for path in mentions(text) {
                let place = self.base.place(&path, Path::new(""));
                if place.real.is_file()
                    && let Some(reason) = self.seen_through().read(&place, &format!("@{path}"), "sending", None)?
                {
                    return Ok(Some(format!("the prompt was not sent: {reason}")));
                }
                // A name that is not there (yet) is none.
            }
        }
        Ok(None)
    }

    fn after(&self, event: &Event) -> Result<Verdict> {
        let path = match event.actions.as_slice() {
            [Action::Read { path, .. }] => self.base.shown(&self.base.place(path, Path::new("")).real),
            _ => "output".to_owned(),
        };
        let mut hidden: Vec<Found> = Vec::new();
        let mut value = event.output.clone().unwrap_or(Value::Null);
        self.redact(&mut value, &path, &mut hidden)?;
        let written = self.written(event)?;
        if hidden.is_empty() {
            return Ok(written.map_or(Verdict::Pass, Verdict::Report));
        }
        let mut note = if self.redacts {
            format!(
                "hidden in the output: {}, with a placeholder (‹rule 1a2b›) in its place, the same for the same secret.\n",
                count(&hidden)
            )
        } else {
            format!("the output has {} in it.\n", count(&hidden))
        };
        list(&mut note, &hidden);
        if self.redacts {
            note.push_str("Go on with the placeholders, and do not write them to files.\n");
        } else {
            note.push_str(
                "Do not repeat, store or send them. Tell the person: what an agent has read is to be replaced.\n",
            );
        }
        if let Some(written) = written {
            note.push_str(&written);
        }
        Ok(if self.redacts { Verdict::Replace { value, note } } else { Verdict::Report(note) })
    }

    /// The prompt as it will be sent, without its secrets.
    fn hide(&self, event: &Event) -> Result<Verdict> {
        let mut value = event.output.clone().unwrap_or(Value::Null);
        let mut hidden = Vec::new();
        self.redact(&mut value, "prompt", &mut hidden)?;
        if hidden.is_empty() {
            return Ok(Verdict::Pass);
        }
        Ok(Verdict::Replace { value, note: format!("hidden in the prompt: {}", count(&hidden)) })
    }

    /// Replaces the secrets of a value's strings.
    fn redact(&self, value: &mut Value, path: &str, hidden: &mut Vec<Found>) -> Result<()> {
        let mut failed = None;
        redact::map_strings(value, &mut |text| match self.secrets(text.as_bytes(), path, HIDE) {
            Ok(found) if found.is_empty() => None,
            Ok(found) => {
                let new = self.redactor.redact(text, &found);
                hidden.extend(found);
                Some(new)
            }
            Err(e) => {
                failed.get_or_insert(e);
                None
            }
        });
        // The same secret may stand in another string, where nothing around it tells what it is.
        if !hidden.is_empty() {
            let again: Vec<Found> = hidden.iter().map(|f| Found { spans: Vec::new(), ..f.clone() }).collect();
            redact::map_strings(value, &mut |text| Some(self.redactor.redact(text, &again)));
        }
        failed.map_or(Ok(()), Err)
    }

    /// What is to be said of the secrets in files that were written, if there are any.
    fn written(&self, event: &Event) -> Result<Option<String>> {
        let mut said = String::new();
        for action in &event.actions {
            let Action::Write { path, texts } = action else { continue };
            let place = self.base.place(path, Path::new(""));
            if self.sensitive.why(&place, self.base).is_some() {
                continue;
            }
            let Ok(Some(content)) = place.read(LARGEST) else { continue };
            let shown = self.base.shown(&place.path);
            let mut found = self.all_secrets(&content, &shown, HIDE)?;
            let new = |f: &Found| texts.iter().any(|t| memchr::memmem::find(t.as_bytes(), f.value.expose()).is_some());
            found.retain(new);
            if !found.is_empty() {
                let _ = writeln!(said, "{path} now has {} in it.", count(&found));
                list(&mut said, &found);
                said.push_str(REMEDY);
                said.push_str(&self.allowing_finding(&found, &shown));
            }
        }
        Ok((!said.is_empty()).then_some(said))
    }

    /// The secrets of a text that no comment allows.
    fn secrets(&self, text: &[u8], path: &str, least: Confidence) -> Result<Vec<Found>> {
        let mut found = self.all_secrets(text, path, least)?;
        found.retain(|f| !f.is_allowed_by_comment);
        Ok(found)
    }

    fn all_secrets(&self, text: &[u8], path: &str, least: Confidence) -> Result<Vec<Found>> {
        self.inspector.find(text, path, least)
    }

    /// The secrets that a text brings into a file: not those that it has already. What a comment allows counts,
    /// for the comment is the agent's own.
    fn secrets_written(&self, text: &str, path: &str, old: &[u8], least: Confidence) -> Result<Vec<Found>> {
        let mut found = self.all_secrets(text.as_bytes(), path, least)?;
        found.retain(|f| memchr::memmem::find(old, f.value.expose()).is_none());
        Ok(found)
    }

    /// The line with which a person allows a path.
    fn allowing_path(&self, place: &Place) -> String {
        // What a link leads to is what is kept, unless its own name says so.
        let by_name = Place { path: place.path.clone(), real: place.path.clone() };
        let path = if self.sensitive.why(&by_name, self.base).is_some() { &place.path } else { &place.real };
        let below_home = self.base.home.as_ref().and_then(|home| path.strip_prefix(home).ok());
        let shown = match below_home.filter(|_| !path.starts_with(&self.base.root)) {
            Some(rest) => format!("~/{}", rest.display()),
            None => self.base.shown(path),
        };
        format!("A person may allow it, in .keysift.toml:\n    [agent]\n    allow = [{}]\n", toml::Value::from(shown))
    }

    /// The line with which a person allows findings.
    fn allowing_finding(&self, found: &[Found], path: &str) -> String {
        let rule = found.first().map_or("", |f| f.rule.id.as_str());
        let line = if path.is_empty() { "the line" } else { "its line" };
        format!("A person may allow it, with a comment on {line}:\n    keysift:allow[{rule}] the reason\n")
    }
}

const REMEDY: &str =
    "Instead: reference it as `op://…` (or another secret store) or `${VAR}`, and keep the value out of the file.\n";

fn article(name: &str) -> String {
    let plural = name.starts_with("credentials") || name.ends_with("credentials") || name.ends_with("tokens");
    match name.chars().next() {
        _ if plural => format!("it holds {name}"),
        Some('a' | 'e' | 'i' | 'o' | 'u') if !name.starts_with("a ") && !name.starts_with("an ") => {
            format!("it is an {name}")
        }
        _ if name.starts_with("a ") || name.starts_with("an ") => format!("it is {name}"),
        _ => format!("it is a {name}"),
    }
}

fn count(found: &[Found]) -> String {
    match found {
        [one] => format!("a secret ({})", one.rule.description),
        more => format!("{} secrets", more.len()),
    }
}

fn list(into: &mut String, found: &[Found]) {
    for secret in found.iter().take(NAMED) {
        let (path, line) = secret.at.first().map_or(("", 0), |(p, l)| (p.as_str(), *l));
        let _ = writeln!(
            into,
            "  {path}:{line}: {} ({}, {})",
            secret.rule.description,
            secret.rule.id,
            secret.value.redacted()
        );
    }
    if found.len() > NAMED {
        let _ = writeln!(into, "  and {} more", found.len() - NAMED);
    }
}

/// The files that a prompt mentions: `@path`, `@"a path"`, `@file:path`.
fn mentions(prompt: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in prompt.match_indices('@') {
        // An address is none.
        if prompt[..at].ends_with(|c: char| c.is_alphanumeric() || "._+-".contains(c)) {
            continue;
        }
        let rest = &prompt[at + 1..];
        let path = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or_default(),
            None => {
                let rest = rest.strip_prefix("file:").unwrap_or(rest);
                let end = rest.find(|c: char| c.is_whitespace() || "\"'`()<>,;|".contains(c)).unwrap_or(rest.len());
                rest[..end].trim_end_matches(['.', ':', '!', '?'])
            }
        };
        // `@src/main.rs#L10-20`
        let path = path.split('#').next().unwrap_or(path);
        if !path.is_empty() {
            found.push(path.to_owned());
        }
    }
    found.sort();
    found.dedup();
    found
}

/// `a.{b,c}` is two names; at most a few.
fn braces(text: &str) -> Vec<String> {
    let split = text.split_once('{').and_then(|(head, rest)| {
        let (inside, tail) = rest.split_once('}')?;
        inside.contains(',').then_some((head, inside, tail))
    });
    match split {
        Some((head, inside, tail)) => {
            inside.split(',').take(EXPANDED).map(|part| format!("{head}{part}{tail}")).collect()
        }
        None => vec![text.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_paths_and_addresses_are_not() {
        assert_eq!(
            mentions("see @.env, and @\"a b.txt\". mail me@x.org @src/a.rs#L1"),
            [".env", "a b.txt", "src/a.rs"]
        );
        assert!(mentions("a@b.c user@host @ ").is_empty());
    }

    #[test]
    fn braces_are_alternatives() {
        assert_eq!(braces("a/.{env,x}b"), ["a/.envb", "a/.xb"]);
        assert_eq!(braces("${HOME}"), ["${HOME}"]);
    }
}
