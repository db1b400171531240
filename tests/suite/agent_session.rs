//! A session of an agent, played by a script: the events that it sends, through the hooks as they stand in its
//! settings, and what it does with the answers.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Repo, Run, github_token};

/// An agent's loop: it asks its hooks before and after each tool, and obeys them as its documentation says.
struct Session<'a> {
    repo: &'a Repo,
    dialect: Dialect,
}

#[derive(Clone, Copy, PartialEq)]
enum Dialect {
    Claude,
    /// Passes over hooks that fail; reads JSON alone.
    Copilot,
}

/// What became of a step.
#[derive(Debug, PartialEq)]
enum Outcome {
    Denied(String),
    /// What the model is shown, and what it is told besides.
    Shown(String, String),
}

impl Session<'_> {
    /// The commands of an event, as the settings have them.
    fn commands(&self, event: &str) -> Vec<String> {
        let home = self.repo.world.path("home");
        let (file, list) = match self.dialect {
            Dialect::Claude => (home.join(".claude/settings.json"), "hooks"),
            Dialect::Copilot => (home.join(".copilot/hooks/keysift.json"), "bash"),
        };
        let settings: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let entries = settings["hooks"][event].as_array().unwrap().clone();
        entries
            .iter()
            .flat_map(|entry| match self.dialect {
                Dialect::Claude => {
                    entry[list].as_array().unwrap().iter().map(|h| h["command"].as_str().unwrap().to_owned()).collect()
                }
                Dialect::Copilot => vec![entry[list].as_str().unwrap().to_owned()],
            })
            .collect()
    }

    /// Runs the hooks of an event; their answer, if it counts.
    fn ask(&self, event: &str, fields: Value) -> Value {
        let mut payload = match self.dialect {
            Dialect::Claude => {
                json!({ "session_id": "session", "transcript_path": "/home/u/.claude/projects/p/s.jsonl",
                "cwd": self.repo.path(), "permission_mode": "default", "hook_event_name": event })
            }
            Dialect::Copilot => {
                json!({ "sessionId": "session", "timestamp": 1_763_884_800_000_u64, "cwd": self.repo.path() })
            }
        };
        payload.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let mut answer = Value::Null;
        for line in self.commands(event) {
            let mut command = self.repo.world.command("sh", self.repo.path());
            command.args(["-c", &line]);
            let run = Run::of(command, payload.to_string().as_bytes());
            match (self.dialect, run.status) {
                (_, 0) => answer = serde_json::from_str(run.out.trim()).unwrap_or(Value::Null),
                (Dialect::Claude, 2) => answer = json!({ "blocked": run.err }),
                _ => panic!("the hook failed: {run:#?}"),
            }
        }
        answer
    }

    /// A tool is called; `works` does it.
    fn calls(&self, tool: &str, input: Value, works: impl FnOnce() -> String) -> Outcome {
        match self.dialect {
            Dialect::Claude => {
                let fields = json!({ "tool_name": tool, "tool_input": input, "tool_use_id": "t" });
                let before = self.ask("PreToolUse", fields.clone());
                let decision = &before["hookSpecificOutput"];
                if decision["permissionDecision"] == "deny" {
                    return Outcome::Denied(decision["permissionDecisionReason"].as_str().unwrap().to_owned());
                }
                assert_eq!(before, Value::Null, "silence is the only other answer");
                let text = works();
                let shape = |text: &str| match tool {
                    "Read" => json!({ "type": "text", "file": { "filePath": "x", "content": text, "numLines": 1 } }),
                    _ => json!({ "stdout": text, "stderr": "", "interrupted": false, "isImage": false }),
                };
                let mut fields = fields;
                fields["tool_response"] = shape(&text);
                let after = self.ask("PostToolUse", fields);
                let updated = &after["hookSpecificOutput"]["updatedToolOutput"];
                let place = if tool == "Read" { "/file/content" } else { "/stdout" };
                let shown = updated.pointer(place).and_then(Value::as_str).unwrap_or(&text).to_owned();
                let note = after["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default();
                Outcome::Shown(shown, note.to_owned())
            }
            Dialect::Copilot => {
                let name = match tool {
                    "Bash" => "bash",
                    "Read" => "view",
                    _ => "create",
                };
                let mut input = input;
                let fields = input.as_object_mut().unwrap();
                if let Some(path) = fields.remove("file_path") {
                    fields.insert("path".to_owned(), path);
                }
                if let Some(text) = fields.remove("content") {
                    fields.insert("file_text".to_owned(), text);
                }
                let before = self.ask("preToolUse", json!({ "toolName": name, "toolArgs": input }));
                if before["permissionDecision"] == "deny" {
                    return Outcome::Denied(before["permissionDecisionReason"].as_str().unwrap().to_owned());
                }
                assert_eq!(before, Value::Null);
                let text = works();
                let result = json!({ "resultType": "success", "textResultForLlm": text });
                let after =
                    self.ask("postToolUse", json!({ "toolName": name, "toolArgs": input, "toolResult": result }));
                let shown = after["modifiedResult"]["textResultForLlm"].as_str().unwrap_or(&text).to_owned();
                Outcome::Shown(shown, after["additionalContext"].as_str().unwrap_or_default().to_owned())
            }
        }
    }

    /// A person sends a prompt; whether it was stopped.
    fn prompts(&self, prompt: &str) -> bool {
        let event = if self.dialect == Dialect::Claude { "UserPromptSubmit" } else { "userPromptSubmitted" };
        let answer = self.ask(event, json!({ "prompt": prompt }));
        assert!(answer == Value::Null || answer["reason"].is_string(), "{answer}");
        answer["decision"] == "block"
    }

    fn read(&self, path: &str) -> Outcome {
        let path = self.repo.path().join(path);
        self.calls("Read", json!({ "file_path": path }), || fs::read_to_string(&path).unwrap())
    }

    fn runs(&self, command: &str) -> Outcome {
        self.calls("Bash", json!({ "command": command }), || {
            let mut shell = self.repo.world.command("sh", self.repo.path());
            shell.args(["-c", command]).env("API_TOKEN", github_token(77));
            Run::of(shell, b"").out
        })
    }

    fn writes(&self, path: &str, content: &str) -> Outcome {
        let path = self.repo.path().join(path);
        self.calls("Write", json!({ "file_path": path, "content": content }), || {
            fs::write(&path, content).unwrap();
            "written".to_owned()
        })
    }
}

fn plays(dialect: Dialect, agent: &str) {
    let repo = Repo::new();
    let token = github_token(1);
    repo.write(".env", format!("API_TOKEN={token}\n"));
    repo.put("app.py", format!("import os\ntoken = \"{token}\"\n"));
    repo.put("lib.py", "def add(a, b):\n    return a + b\n");
    repo.keysift(["agent", "install", "--agent", agent]).exits(0);
    let session = Session { repo: &repo, dialect };
    let is_denied = |outcome: &Outcome, word: &str| matches!(outcome, Outcome::Denied(reason) if reason.contains(word));

    assert!(is_denied(&session.read(".env"), "environment file"));
    assert!(is_denied(&session.runs("cat .env"), ".env.example"));
    assert!(is_denied(&session.runs("env"), "printenv PATH"));
    let Outcome::Shown(shown, note) = session.read("app.py") else { panic!("a source file may be read") };
    assert!(!shown.contains(&token) && shown.contains("token = \"‹github-classic-pat "), "{shown}");
    assert!(note.contains("placeholder"), "{note}");
    // The same secret from elsewhere is the same one.
    let Outcome::Shown(again, _) = session.runs("grep token app.py") else { panic!("and searched") };
    assert_eq!(again.lines().next(), shown.lines().nth(1), "the placeholder is stable");
    let reported = session.writes("new.py", &format!("import os\nkey = \"{token}\"\n"));
    assert!(is_denied(&reported, "new.py:2") && is_denied(&reported, "op://") && !repo.path().join("new.py").exists());
    assert!(session.prompts("please look at @.env"));
    assert!(session.prompts(&format!("my token is {token}")));

    for (outcome, shown) in [
        (session.read("lib.py"), "def add(a, b):\n    return a + b\n"),
        (session.runs("ls"), "README\napp.py\nlib.py\n"),
        (session.runs("git log --oneline | wc -l | tr -d ' '"), "3\n"),
        (session.writes("new.py", "import os\nkey = os.environ[\"API_TOKEN\"]\n"), "written"),
        (
            session.runs("git add new.py && git -c user.name=a -c user.email=b commit -qm 'read the key at run time'"),
            "",
        ),
    ] {
        assert_eq!(outcome, Outcome::Shown(shown.to_owned(), String::new()), "ordinary work is not disturbed");
    }
    assert!(!session.prompts("add a test for @lib.py, please"));
}

#[test]
fn claude_code_is_guarded_through_a_session() {
    plays(Dialect::Claude, "claude-code");
}

#[test]
fn copilot_is_guarded_through_a_session_although_it_passes_over_exit_codes() {
    plays(Dialect::Copilot, "copilot");
}

#[test]
fn copilots_prompt_is_sent_without_its_secrets_even_if_it_is_sent() {
    let repo = Repo::new();
    repo.keysift(["agent", "install", "--agent", "copilot"]).exits(0);
    let session = Session { repo: &repo, dialect: Dialect::Copilot };
    let token = github_token(5);
    let text = format!("use {token} please");
    let answer = session.ask("userPromptTransformed", json!({ "prompt": text, "transformedPrompt": text }));
    let sent = answer["modifiedTransformedPrompt"].as_str().unwrap();
    assert!(sent.starts_with("use ‹github-classic-pat ") && sent.ends_with("› please"), "{sent}");
}
