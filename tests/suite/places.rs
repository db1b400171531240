//! What the place of a value says about it: the same bytes in a program, in a configuration and in a test.

use crate::common::{Repo, filled};

/// The paths of the findings that are shown.
fn shown(repo: &Repo) -> Vec<String> {
    let report = repo.keysift(["scan", "--format", "json"]).json();
    let findings = report["findings"].as_array().expect("findings").iter();
    let mut paths: Vec<String> = findings
        .flat_map(|finding| finding["locations"].as_array().expect("locations").clone())
        .map(|at| at["path"].as_str().expect("a path").to_owned())
        .collect();
    paths.sort_unstable();
    paths
}

#[test]
fn a_word_as_password_counts_where_a_system_runs_with_it() {
    let repo = Repo::new();
    for path in [".env", "docker-compose.yml", "app/application.properties", "my.cnf", "etc/app.ini"] {
        repo.write(path, "DB_PASSWORD=hunter2\n");
    }
    for path in ["src/connect.py", "lib/Connect.java", "tests/connect.yml", "README.md"] {
        repo.write(path, "DB_PASSWORD=hunter2\n");
    }
    assert_eq!(shown(&repo), [".env", "app/application.properties", "docker-compose.yml", "etc/app.ini", "my.cnf"]);
}

#[test]
fn a_token_that_says_it_is_fake_is_low_where_tokens_are_shown() {
    let repo = Repo::new();
    let id = format!("AKIA{}", filled("{base32:12}FAKE", 3));
    repo.write("deploy.yml", format!("aws_access_key_id: {id}\n"));
    repo.write("tests/deploy.yml", format!("aws_access_key_id: {id}\n"));
    assert_eq!(shown(&repo), ["deploy.yml"]);
}

#[test]
fn hashes_of_passwords_are_low_in_tests() {
    let repo = Repo::new();
    let user = format!("admin:{}{}\n", "$apr1$", filled("{alnum:8}${alnum:22}", 4));
    repo.write("deploy/.htpasswd", &user);
    repo.write("tests/data/.htpasswd", &user);
    assert_eq!(shown(&repo), ["deploy/.htpasswd"]);
}

#[test]
fn a_web_token_without_a_signature_is_none() {
    let repo = Repo::new();
    let token = filled("{base64({{\"alg\":\"HS256\"}})}.{base64({{\"sub\":\"77\"}})}.", 5);
    let signature = filled("{b64url:43}", 6);
    repo.write("a.cfg", format!("token = \"{token}\"\n"));
    repo.write("b.cfg", format!("token = \"{token}{signature}\"\n"));
    repo.write("c.cfg", format!("token = \"{token}signature\"\n"));
    assert_eq!(shown(&repo), ["b.cfg"]);
}
