//! The agent guard's hooks in the settings of agents: put in, taken out, nothing else disturbed.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::common::{Repo, Run};

/// Each agent, and the file of its hooks in the home directory and in a repository.
const FILES: &[(&str, &str, &str)] = &[
    ("claude-code", ".claude/settings.json", ".claude/settings.json"),
    ("codex", ".codex/hooks.json", ".codex/hooks.json"),
    ("copilot", ".copilot/hooks/keysift.json", ".github/hooks/keysift.json"),
    ("cursor", ".cursor/hooks.json", ".cursor/hooks.json"),
    ("droid", ".factory/settings.json", ".factory/settings.json"),
    ("gemini", ".gemini/settings.json", ".gemini/settings.json"),
    ("opencode", ".config/opencode/plugins/keysift.js", ".opencode/plugins/keysift.js"),
    ("vibe", ".vibe/hooks.toml", ".vibe/hooks.toml"),
    ("vscode", ".copilot/hooks/keysift.json", ".github/hooks/keysift.json"),
    ("windsurf", ".codeium/windsurf/hooks.json", ".windsurf/hooks.json"),
];

fn agent(repo: &Repo, args: &[&str]) -> Run {
    repo.keysift(["agent"].iter().chain(args))
}

fn home(repo: &Repo, file: &str) -> PathBuf {
    repo.world.path("home").join(file)
}

#[test]
fn hooks_are_put_in_and_taken_out_for_every_agent_and_scope() {
    for (name, user, project) in FILES {
        let repo = Repo::new();
        for (scope, path) in [("--user", home(&repo, user)), ("--project", repo.path().join(project))] {
            let run = agent(&repo, &["install", "--agent", name, scope, "--dry-run"]).exits(0);
            assert!(run.out.contains("\n+") && !path.exists(), "{run:#?}");
            let run = agent(&repo, &["install", "--agent", name, scope]).exits(0);
            assert!(run.out.contains("+++ ") && run.out.contains("is guarded now"), "{run:#?}");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(env!("CARGO_BIN_EXE_keysift")), "the path is absolute: {text}");
            let run = agent(&repo, &["install", "--agent", name, scope]).exits(0);
            assert!(run.out.contains("is guarded already"), "{run:#?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "{name}: twice is once");
            agent(&repo, &["uninstall", "--agent", name, scope]).exits(0);
            assert!(!path.exists(), "{name}: {}", fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn what_else_stands_in_the_settings_stays() {
    let json = "{\n    // mine\n    \"model\": \"opus\",\n    \"hooks\": {\n        \"EVENT\": [\n            {\n                \
                \"command\": \"other\"\n            }\n        ]\n    },\n    \"zeta\": [1,2,  3] // end\n}\n";
    for (name, event, file) in [
        ("claude-code", "PreToolUse", ".claude/settings.json"),
        ("codex", "PreToolUse", ".codex/hooks.json"),
        ("cursor", "preToolUse", ".cursor/hooks.json"),
        ("gemini", "BeforeTool", ".gemini/settings.json"),
        ("windsurf", "pre_read_code", ".codeium/windsurf/hooks.json"),
    ] {
        let repo = Repo::new();
        let path = home(&repo, file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let before = json.replace("EVENT", event).replace("\"model\"", "\"version\": 1,\n    \"model\"");
        fs::write(&path, &before).unwrap();
        agent(&repo, &["install", "--agent", name]).exits(0);
        let after = fs::read_to_string(&path).unwrap();
        let parts = ["// mine", "\"model\": \"opus\",", "\"command\": \"other\"", "\"zeta\": [1,2,  3]", "// end"];
        for part in parts {
            assert!(after.contains(part), "{name}: {part}\n{after}");
        }
        agent(&repo, &["uninstall", "--agent", name]).exits(0);
        assert_eq!(fs::read_to_string(&path).unwrap(), before, "{name}");
    }
    let repo = Repo::new();
    let path = home(&repo, ".vibe/hooks.toml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let before = "# mine\n[[hooks]]\nname = \"other\" # kept\ntype = \"pre_tool\"\ncommand = \"x\"\n";
    fs::write(&path, before).unwrap();
    agent(&repo, &["install", "--agent", "vibe"]).exits(0);
    assert!(fs::read_to_string(&path).unwrap().starts_with(before));
    agent(&repo, &["uninstall", "--agent", "vibe"]).exits(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
}

#[test]
fn a_hook_that_has_moved_is_put_right_and_one_beside_it_stays() {
    let repo = Repo::new();
    let path = home(&repo, ".claude/settings.json");
    agent(&repo, &["install", "--agent", "claude-code"]).exits(0);
    let text = fs::read_to_string(&path).unwrap();
    let moved = text.replace(env!("CARGO_BIN_EXE_keysift"), "/old/keysift");
    fs::write(&path, &moved).unwrap();
    let run = agent(&repo, &["status"]).exits(1);
    assert!(run.out.contains("/old/keysift") && run.out.contains("agent install --agent claude-code"), "{run:#?}");
    agent(&repo, &["install"]).exits(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "by its folder the agent is found without being named");
    let run = agent(&repo, &["status"]).exits(0);
    assert!(run.out.contains("Claude Code") && run.out.contains("user: guarded"), "{run:#?}");
    // Somebody put a hook beside ours.
    let mut settings: Value = serde_json::from_str(&text).unwrap();
    let list = settings["hooks"]["PreToolUse"][0]["hooks"].as_array_mut().unwrap();
    list.push(serde_json::json!({ "type": "command", "command": "theirs" }));
    fs::write(&path, settings.to_string()).unwrap();
    agent(&repo, &["install"]).exits(0);
    agent(&repo, &["uninstall"]).exits(0);
    let left: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(left["hooks"]["PreToolUse"][0]["hooks"][0]["command"], "theirs");
    assert!(!left.to_string().contains("keysift"), "{left:#}");
}

#[test]
fn claude_code_fails_closed_and_denies_by_itself() {
    let repo = Repo::new();
    let path = home(&repo, ".claude/settings.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "{\"permissions\": {\"deny\": [\"Bash(rm:*)\"]}}").unwrap();
    agent(&repo, &["install", "--agent", "claude-code"]).exits(0);
    let settings: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    for event in ["PreToolUse", "UserPromptSubmit"] {
        assert_eq!(settings["hooks"][event][0]["hooks"][0]["onFailure"], "block");
    }
    let deny = settings["permissions"]["deny"].as_array().unwrap();
    assert!(deny.contains(&"Bash(rm:*)".into()) && deny.contains(&"Read(**/.env)".into()), "{deny:?}");
    agent(&repo, &["uninstall", "--agent", "claude-code"]).exits(0);
    let settings: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(settings, serde_json::json!({ "permissions": { "deny": ["Bash(rm:*)"] } }));
}

#[test]
fn settings_that_make_no_sense_are_left_alone() {
    let repo = Repo::new();
    for (name, file, text) in [
        ("claude-code", ".claude/settings.json", "{ \"hooks\": "),
        ("claude-code", ".claude/settings.json", "{\"hooks\": []}"),
        ("cursor", ".cursor/hooks.json", "[]"),
        ("vibe", ".vibe/hooks.toml", "hooks = 1\n"),
        ("vibe", ".vibe/hooks.toml", "[[hooks"),
    ] {
        let path = home(&repo, file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let run = agent(&repo, &["install", "--agent", name]).exits(2);
        assert!(run.err.contains(file) && run.err.contains("nothing was changed"), "{run:#?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    // A file of our name that is not ours.
    let path = home(&repo, ".copilot/hooks/keysift.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "{}").unwrap();
    agent(&repo, &["uninstall", "--agent", "copilot"]).exits(0);
    assert!(path.exists());
}

#[cfg(unix)]
#[test]
fn links_and_rights_of_settings_stay() {
    use std::os::unix::fs::PermissionsExt;
    let repo = Repo::new();
    let real = repo.world.path("dotfiles.json");
    fs::write(&real, "{}\n").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    let path = home(&repo, ".claude/settings.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&real, &path).unwrap();
    agent(&repo, &["install", "--agent", "claude-code"]).exits(0);
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("agent hook"));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_stranger_among_the_names_is_refused() {
    let repo = Repo::new();
    let run = agent(&repo, &["install", "--agent", "clippy"]).exits(2);
    assert!(run.err.contains("claude-code"), "{run:#?}");
    let run = agent(&repo, &["install"]).exits(2);
    assert!(run.err.contains("no agent is found"), "{run:#?}");
    agent(&repo, &["status"]).exits(0);
}
