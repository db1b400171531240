//! `keysift hook NAME`: what git's hooks call. Each scans what is about to happen, says nothing where there is
//! nothing to say, and otherwise what to do; a status other than 0 makes git stop.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    env, fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice, ByteVec};
use clap::Subcommand;
use keysift::{
    Error, Result,
    report::Format,
    source::{
        oid::Oid,
        repository::{Environment, Repository},
    },
};

use super::{
    CLEAN, Done, FINDINGS, INCOMPLETE,
    scan::{self, Ground, How, Known, Subject},
};

/// What stands in a commit's message above what git cuts away.
const SCISSORS: &[u8] = b" ------------------------ >8 ------------------------";

/// The flags of `keysift hook`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    hook: Hook,
}

#[derive(Debug, Subcommand)]
enum Hook {
    /// Before a commit: what it adds. Under the pre-commit framework, every stage
    #[command(visible_alias = "pre-merge-commit")]
    PreCommit {
        /// Files, as the pre-commit framework names them
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        how: Box<How>,
    },
    /// Before a commit: its message
    CommitMsg {
        /// The file with the message, as git names it
        file: PathBuf,
        #[command(flatten)]
        how: Box<How>,
    },
    /// Before a push: what the remote does not have (reads what git says on standard input)
    PrePush {
        /// The remote, as git names it
        remote: String,
        /// Its URL, as git names it
        url: Option<String>,
        #[command(flatten)]
        how: Box<How>,
    },
    /// On a server, before a push is taken: what it brings (reads what git says on standard input)
    PreReceive {
        #[command(flatten)]
        how: Box<How>,
    },
}

/// Runs `keysift hook`.
pub(crate) fn run(args: &Args) -> Done {
    match &args.hook {
        Hook::PreCommit { files, how } => pre_commit(files, how),
        Hook::CommitMsg { file, how } => commit_msg(file, how),
        Hook::PrePush { remote, how, .. } => pre_push(remote, how),
        Hook::PreReceive { how } => pre_receive(how),
    }
}

/// What a hook says at the end.
struct Words {
    /// What was stopped: `this commit`.
    what: &'static str,
    /// What to do if it is no secret.
    otherwise: &'static str,
}

const COMMIT: Words = Words {
    what: "this commit",
    otherwise: "no secret after all? write `keysift:allow REASON` into a comment on its line, or run \
                `keysift baseline update --staged` (`create` the first time)",
};
const MESSAGE: Words = Words {
    what: "this commit",
    otherwise: "git kept the message: `git commit -eF \"$(git rev-parse --git-path COMMIT_EDITMSG)\"` goes on with it",
};
const PUSH: Words = Words {
    what: "this push, nothing has left this machine",
    otherwise: "no secret after all? write `keysift:allow REASON` into a comment on its line in the commit that \
                brings it, or run `keysift baseline update --history`",
};
const RECEIVED: Words = Words {
    what: "this push: the server has not taken it",
    otherwise: "comments, ignore file and baseline of the pushed commits do not count before the branch has them",
};

/// Scans, writes, and adds the hook's own words.
fn finish(ground: Ground, subject: Subject, how: &How, words: &Words) -> Done {
    let made = scan::make(ground, subject, how, Known::SetAside)?;
    conclude(made, how, words)
}

fn conclude(made: scan::Made, how: &How, words: &Words) -> Done {
    let code = scan::status(&made.report, how.output.exit_zero);
    let is_silent = code == CLEAN && made.report.findings.is_empty() && !how.output.verbose;
    if is_silent && how.output.format == Format::Text && how.output.output.is_none() {
        return Ok(code);
    }
    scan::write(made, &how.output, code)?;
    if how.output.format == Format::Text {
        let mut out = anstream::stdout().lock();
        match code {
            FINDINGS => writeln!(out, "\nkeysift stopped {}.\n{}", words.what, words.otherwise)?,
            INCOMPLETE => writeln!(out, "\nkeysift stopped {}: it could not look at all of it.", words.what)?,
            _ => {}
        }
    }
    Ok(code)
}

fn here(subject: &Subject, how: &How) -> Result<Ground> {
    Ground::of(subject, how, &how.wish())
}

fn pre_commit(files: &[PathBuf], how: &How) -> Done {
    let subject = match under_framework(files)? {
        Some(subject) => subject,
        None => Subject::Staged,
    };
    let words = if matches!(subject, Subject::History { .. }) { PUSH } else { COMMIT };
    finish(here(&subject, how)?, subject, how, &words)
}

/// What is to be scanned under the pre-commit framework, where it is not what is staged.
fn under_framework(files: &[PathBuf]) -> Result<Option<Subject>> {
    let get = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    if get("PRE_COMMIT").is_none() {
        return Ok(None);
    }
    if let (Some(from), Some(to)) = (get("PRE_COMMIT_FROM_REF"), get("PRE_COMMIT_TO_REF")) {
        return Ok(Some(Subject::commits(vec![format!("{from}..{to}")])));
    }
    // A push to a remote that has nothing of this branch.
    if let Some(branch) = get("PRE_COMMIT_LOCAL_BRANCH") {
        return Ok(Some(Subject::commits(vec![branch])));
    }
    // git itself is committing.
    if get("GIT_INDEX_FILE").is_some() {
        return Ok(None);
    }
    // `pre-commit run`, with or without `--all-files` or `--files`: what is named, staged or not.
    if files.is_empty() {
        return Ok(Some(Subject::Files(vec![PathBuf::from(".")])));
    }
    let repository = Repository::discover(Path::new("."), &Environment::of_process())?;
    let (staged, _) = repository.map(|r| r.staged()).transpose()?.unwrap_or_default();
    let staged: HashSet<BString> = staged.into_iter().map(|file| file.path).collect();
    let all_staged = files.iter().all(|file| staged.contains(Vec::from_path_lossy(file).as_bstr()));
    Ok((!all_staged).then(|| Subject::Files(files.to_vec())))
}

fn commit_msg(file: &Path, how: &How) -> Done {
    let text =
        fs::read(file).map_err(|e| Error::new(format!("cannot read the message {}", file.display())).because(e))?;
    let subject = Subject::Message(as_committed(&text).to_vec());
    finish(here(&subject, how)?, subject, how, &MESSAGE)
}

/// The message without what git cuts away below its scissors: the diff of `git commit --verbose`.
fn as_committed(text: &[u8]) -> &[u8] {
    let mut at = 0;
    for line in text.lines_with_terminator() {
        // In front stands the comment character, whichever it is.
        if line.trim_end().strip_suffix(SCISSORS).is_some_and(|sign| !sign.is_empty() && sign.len() <= 4) {
            return &text[..at];
        }
        at += line.len();
    }
    text
}

/// What git tells a hook of one ref.
struct Update {
    /// The first id: pre-push the local one, pre-receive the old one.
    first: Oid,
    /// The second id: pre-push the remote's, pre-receive the new one.
    second: Oid,
    name: BString,
}

/// Reads the lines that git writes to a hook; the ids are the words at these places, the name at the third.
fn updates(places: [usize; 3]) -> Result<Vec<Update>> {
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text).map_err(|e| Error::new("cannot read what git says").because(e))?;
    let mut all = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&[u8]> = line.split_str(" ").collect();
        let id = |at: usize| words.get(at).and_then(|word| Oid::from_hex(word));
        let update = id(places[0]).zip(id(places[1])).zip(words.get(places[2]));
        let Some(((first, second), name)) = update else {
            return Err(Error::new("cannot read what git says of a ref")
                .because(format!("`{}` is no such line", line.as_bstr()))
                .help("this command is for git to call: `keysift install` sets it up"));
        };
        all.push(Update { first, second, name: (*name).into() });
    }
    Ok(all)
}

fn pre_push(remote: &str, how: &How) -> Done {
    let mut revs = Vec::new();
    // Local ref, local id, remote ref, remote id.
    let updates = updates([1, 3, 2])?;
    let ground = here(&Subject::Staged, how)?;
    let repository = ground.repository.as_ref().ok_or_else(scan::not_a_repository)?;
    let mut theirs = BTreeSet::new();
    for Update { first: ours, second, .. } in updates.iter().filter(|update| !update.first.is_zero()) {
        revs.push(ours.to_string());
        // After a forced push by somebody else we may not have what the remote has.
        theirs.extend((!second.is_zero() && repository.has(*second)).then_some(*second));
    }
    if revs.is_empty() {
        return Ok(CLEAN);
    }
    let prefix = format!("refs/remotes/{remote}/");
    let (refs, _) = repository.refs();
    theirs.extend(refs.iter().filter(|r| r.name.starts_with(prefix.as_bytes())).map(|r| r.target));
    revs.extend(theirs.iter().map(|id| format!("^{id}")));
    finish(ground, Subject::commits(revs), how, &PUSH)
}

fn pre_receive(how: &How) -> Done {
    // Old id, new id, ref.
    let updates: Vec<Update> = updates([0, 1, 2])?.into_iter().filter(|update| !update.second.is_zero()).collect();
    let repository =
        Repository::discover(Path::new("."), &Environment::of_process())?.ok_or_else(scan::not_a_repository)?;
    let (refs, _) = repository.refs();
    let known: BTreeSet<Oid> = refs.iter().map(|r| r.target).collect();
    // Each ref is judged by the policy that it has; a new one by that of the default branch.
    let mut by_base: BTreeMap<Option<Oid>, Vec<&Update>> = BTreeMap::new();
    for update in &updates {
        let base = match how.policy_from() {
            Some(rev) => repository.resolve(&[rev])?.include.first().copied(),
            None if update.first.is_zero() => repository.head(),
            None => Some(update.first),
        };
        by_base.entry(base).or_default().push(update);
    }
    let mut code = CLEAN;
    for (base, updates) in by_base {
        let first = updates[0];
        let label = match (how.policy_from(), base) {
            (Some(rev), _) => rev.into(),
            (None, None) => BString::from("the server"),
            (None, Some(_)) if first.first.is_zero() => repository.head_branch().unwrap_or_else(|| "HEAD".into()),
            (None, Some(_)) => first.name.strip_prefix(b"refs/heads/").unwrap_or(&first.name).into(),
        };
        let ground = Ground::of_push(base, first.second, &label.to_string(), how)?;
        let revs = updates.iter().map(|update| update.second.to_string());
        let revs = revs.chain(known.iter().map(|id| format!("^{id}"))).collect();
        let mut made = scan::make(ground, Subject::commits(revs), how, Known::SetAside)?;
        // Not pushed: the server is being asked just now.
        for location in made.report.findings.iter_mut().flat_map(|finding| &mut finding.locations) {
            location.pushed = Some(false);
            location.in_head = None;
        }
        code = match (code, conclude(made, how, &RECEIVED)?) {
            (FINDINGS, _) | (_, FINDINGS) => FINDINGS,
            (a, b) => a.max(b),
        };
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_at_the_scissors() {
        let text = b"subject\n\n# a comment\n# ------------------------ >8 ------------------------\ndiff\n";
        assert_eq!(as_committed(text), b"subject\n\n# a comment\n");
        assert_eq!(as_committed(b"; ------------------------ >8 ------------------------\r\nx"), b"");
        assert_eq!(as_committed(b"no scissors"), b"no scissors");
    }
}
