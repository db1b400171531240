//! What git's own commands do not make, but a history may have all the same.

use std::{fs, io::Write, process::Command};

use crate::common::{Repo, Run, github_token};

fn line(seed: u64) -> String {
    format!("token = \"{}\"\n", github_token(seed))
}

/// git with something on standard input; what it says.
fn git(repo: &Repo, args: &[&str], input: &str) -> String {
    let mut git: Command = repo.world.git_command(repo.path());
    git.args(args);
    Run::of(git, input.as_bytes()).exits(0).out.trim().to_owned()
}

#[test]
fn a_tree_of_trees_that_name_themselves_ends() {
    let repo = Repo::new();
    let blob = git(&repo, &["hash-object", "-w", "--stdin"], &line(1));
    let mut tree = git(&repo, &["mktree"], &format!("100644 blob {blob}\tf\n"));
    for _ in 0..40 {
        tree = git(&repo, &["mktree"], &format!("040000 tree {tree}\ta\n040000 tree {tree}\tb\n"));
    }
    let commit = git(&repo, &["commit-tree", "-p", "HEAD", "-m", "bomb", &tree], "");
    repo.git(["update-ref", "refs/heads/bomb", &commit]);
    let run = repo.keysift(["scan", "--history", "--format=json"]).exits(1);
    assert!(run.out.contains("places to look at"), "what was left out is said");
}

#[test]
fn a_tree_inside_of_itself_ends() {
    let repo = Repo::new();
    // No tree has its own hash in it, but a file may lie about its name.
    let id = "ab".repeat(20);
    let mut object = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    object.write_all(b"tree 28\x0040000 a\0").unwrap();
    object.write_all(&[0xab; 20]).unwrap();
    fs::create_dir_all(repo.dot_git("objects/ab")).unwrap();
    fs::write(repo.dot_git("objects/ab").join(&id[2..]), object.finish().unwrap()).unwrap();
    fs::write(repo.dot_git("refs/tags/odd"), format!("{id}\n")).unwrap();
    repo.keysift(["scan", "--history"]).exits(0);
    let head = repo.oid("HEAD");
    let commit = repo.run("cat-file commit HEAD").replacen(&repo.oid("HEAD^{tree}"), &id, 1);
    let commit = commit.replacen("author", &format!("parent {head}\nauthor"), 1);
    let commit = git(&repo, &["hash-object", "--literally", "-t", "commit", "-w", "--stdin"], &commit);
    fs::write(repo.dot_git("refs/heads/curious"), format!("{commit}\n")).unwrap();
    repo.keysift(["scan", "--history"]).exits(0);
    let run = repo.keysift(["scan", "--history", "main..curious"]).exits(3);
    assert!(run.out.contains("places to look at"), "{run:#?}");
}

#[test]
fn what_a_tree_lacks_is_said_where_its_base_lacks_it_too() {
    let repo = Repo::new();
    for n in 0..100 {
        repo.write(format!("d/f{n}"), format!("{n}\n"));
    }
    repo.run("add d");
    repo.commit("many");
    // Nothing leads to this tree, but as the larger one it is what the other is made from in a pack.
    let entries = repo.run("ls-tree HEAD:d") + &repo.run("ls-tree HEAD:d").replace("\tf", "\tz");
    let base = git(&repo, &["mktree"], &entries);
    let lost = repo.oid("HEAD:d/f50");
    let objects = repo.run("rev-list --objects --no-object-names --all");
    let objects: Vec<&str> = objects.lines().chain([base.as_str()]).filter(|id| *id != lost).collect();
    git(&repo, &["pack-objects", "-q", ".git/objects/pack/pack"], &objects.join("\n"));
    repo.run("prune-packed");
    fs::remove_file(repo.loose(&lost)).unwrap();
    let index = fs::read_dir(repo.dot_git("objects/pack")).unwrap().flatten().map(|e| e.path());
    let index = index.into_iter().find(|p| p.extension().is_some_and(|e| e == "idx")).unwrap();
    assert!(repo.git(["verify-pack", "-v", index.to_str().unwrap()]).contains(&format!("1 {base}")));
    let run = repo.keysift(["scan", "--history"]).exits(3);
    assert!(run.out.contains(&format!("{lost}: the object is missing")), "{run:#?}");
}

#[test]
fn a_ref_may_name_a_tree() {
    let repo = Repo::new();
    let blob = git(&repo, &["hash-object", "-w", "--stdin"], &line(2));
    let tree = git(&repo, &["mktree"], &format!("100644 blob {blob}\tin.env\n"));
    repo.git(["tag", "of-a-tree", &tree]);
    let run = repo.keysift(["scan", "--history"]).exits(1);
    assert!(run.out.contains("in.env:1:10"), "{run:#?}");
}

#[test]
fn headers_of_a_commit_are_looked_at() {
    let repo = Repo::new();
    let commit =
        repo.run("cat-file commit HEAD").replacen("\n\n", &format!("\nnote first\n {}\n\n", line(3).trim()), 1);
    let commit = git(&repo, &["hash-object", "-t", "commit", "-w", "--stdin"], &commit);
    repo.git(["update-ref", "refs/heads/odd", &commit]);
    let run = repo.keysift(["scan", "--history"]).exits(1);
    assert!(run.out.contains(&format!("commit {} header:2:11", &commit[..12])), "{run:#?}");
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_an_object_is_not_waited_for() {
    let repo = Repo::new();
    repo.put("a", "more\n");
    let path = repo.loose(&repo.oid("HEAD:a"));
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let run = repo.keysift(["scan", "--history"]).exits(3);
    assert!(run.out.contains("it is a pipe"), "{run:#?}");
}
