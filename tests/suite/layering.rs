//! Who may import whom: the table in docs/ARCHITECTURE.md, held against the code.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A room and what it may import.
type Table = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The fenced block `layers`: `room: room room …` a line. A room may name only rooms above it, so that
/// there are no cycles.
fn table(text: &str) -> Table {
    let block = text.split_once("```layers\n").expect("docs/ARCHITECTURE.md has a block `layers`").1;
    let block = block.split_once("\n```").expect("the block `layers` ends").0;
    let mut table = Table::new();
    for line in block.lines().filter(|l| !l.trim().is_empty()) {
        let (room, rest) = line.split_once(':').unwrap_or_else(|| panic!("`{line}` is no `room: rooms`"));
        let may: BTreeSet<String> = rest.split_whitespace().map(str::to_owned).collect();
        for other in &may {
            assert!(table.contains_key(other), "`{line}`: {other} does not stand above {room}");
        }
        assert!(table.insert(room.trim().to_owned(), may).is_none(), "{room} stands twice in the table");
    }
    table
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// The room of a file: `src/report/sarif.rs` is in `report`.
fn room(file: &Path) -> String {
    let first = file.strip_prefix(root().join("src")).unwrap().components().next().unwrap();
    Path::new(first.as_os_str()).file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The names that stand directly behind `start`, with their lines.
fn imports(text: &str, start: &str) -> Vec<(usize, String)> {
    let code: String = text
        .lines()
        .map(|l| if l.trim_start().starts_with("//") { "\n".to_owned() } else { format!("{l}\n") })
        .collect();
    let mut found = Vec::new();
    for (at, _) in code.match_indices(start) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$' || c == ':') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        found.extend(heads(&code[at + start.len()..]).into_iter().map(|name| (line, name)));
    }
    found
}

/// The first names of a use tree: `a::b` gives `a`, `{a, b::{c, d}, e}` gives `a`, `b` and `e`.
fn heads(tree: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(inner) = tree.strip_prefix('{') else { return vec![word(tree)] };
    let (mut depth, mut names, mut expects) = (1, Vec::new(), true);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => expects = true,
            _ if depth == 1 && expects && !c.is_whitespace() => {
                names.push(word(&inner[at..]));
                expects = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// What the crate's root hands on, and where it comes from.
fn home(name: &str) -> &str {
    match name {
        "Error" | "Result" => "error",
        "Finding" => "finding",
        "Gap" | "GapKind" => "gap",
        "Report" => "report",
        other => other,
    }
}

#[test]
fn code_imports_only_what_the_table_allows() {
    let table = table(&fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap().replace('\r', ""));
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    files.sort();
    let (mut rooms, mut wrong, mut seen) = (BTreeSet::new(), Vec::new(), 0);
    for file in &files {
        let room = room(file);
        rooms.insert(room.clone());
        // These two are the roots of the library and of the program: they name every room.
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(may) = table.get(&room) else {
            wrong.push(format!("{}: the room `{room}` is not in the table", file.display()));
            continue;
        };
        let text = fs::read_to_string(file).unwrap();
        // From src/room.rs `super` is the crate's root, which `crate::` is the name for.
        if file.parent() == Some(&root().join("src")) && text.lines().any(|l| l.starts_with("use super::")) {
            wrong.push(format!("{}: write `use crate::…` for other rooms", file.display()));
        }
        // The command line is in the program, to which the library is a crate like any other.
        let start = if room == "cli" { "keysift::" } else { "crate::" };
        for (line, name) in imports(&text, start) {
            let other = home(&name);
            seen += 1;
            if other != room && !may.contains(other) {
                wrong.push(format!("{}:{line}: {room} may not import {other}", file.display()));
            }
        }
    }
    let stale: Vec<_> = table.keys().filter(|r| !rooms.contains(*r)).collect();
    assert!(stale.is_empty(), "the table names rooms that are not there: {stale:?}");
    assert!(wrong.is_empty(), "\n{}\ndocs/ARCHITECTURE.md says who may import whom", wrong.join("\n"));
    assert!(seen > 50, "only {seen} imports seen: does the test still read them?");
}

#[test]
fn imports_are_read_from_every_form() {
    let code = "use crate::{\n    a::{self, b},\n    c::d,\n    E,\n};\n// use crate::no;\nlet x: crate::f::G = crate::h();\n\
                use keysift::i::J; my_crate::no; $crate::no;";
    let names: Vec<String> = imports(code, "crate::").into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "c", "E", "f", "h"]);
    assert_eq!(imports(code, "crate::")[3].0, 7);
    assert_eq!(imports(code, "keysift::"), [(8, "i".to_owned())]);
}

#[test]
#[should_panic(expected = "b does not stand above a")]
fn the_table_has_no_cycles() {
    table("```layers\na: b\nb: a\n```");
}
