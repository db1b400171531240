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
fn a_password_that_is_the_name_of_its_database_is_low() {
    let repo = Repo::new();
    let service = |password: &str| {
        format!("db:\n  POSTGRES_DB: orkav\n  POSTGRES_USER: orkav\n  POSTGRES_PASSWORD: {password}\n")
    };
    repo.write("same.yml", service("orkav"));
    repo.write("other.yml", service("hunter2"));
    repo.write("twice.yml", format!("DB_PASSWORD: hunter2\nOTHER_DB_PASSWORD: hunter2\n{}", service("hunter2")));
    assert_eq!(shown(&repo), ["other.yml", "twice.yml", "twice.yml", "twice.yml"]);
}

#[test]
fn the_key_of_a_pages_search_is_low() {
    let repo = Repo::new();
    let key = filled("{hex:32}", 8);
    repo.write("site.js", format!("search: {{\n  appId: 'X1',\n  apiKey: '{key}',\n  indexName: 'docs',\n}}\n"));
    repo.write("app.js", format!("client: {{\n  host: 'X1',\n  apiKey: '{key}',\n}}\n"));
    assert_eq!(shown(&repo), ["app.js"]);
}

#[test]
fn a_word_that_a_script_hands_to_a_program_is_low() {
    let repo = Repo::new();
    repo.write("build/setup.sh", "mysql -u root -porchard -e 'DROP DATABASE x'\n");
    repo.write("build/backup.sh", format!("mysql -u root -p{} -e 'DROP DATABASE x'\n", filled("{alnum:16}", 9)));
    assert_eq!(shown(&repo), ["build/backup.sh"]);
}

#[test]
fn tokens_in_a_row_and_a_password_in_a_url_that_is_a_token_are_found() {
    let repo = Repo::new();
    let (one, two) = (filled("AKIA{base32:16}", 10), filled("AKIA{base32:16}", 11));
    repo.write("row.txt", format!("{one}{two}\n"));
    let password = filled("{alnum:20}", 12);
    repo.write("url.txt", format!("src = 'https://git+deploy-token-3:{password}@git.example.org/a/b'\n"));
    assert_eq!(shown(&repo), ["row.txt", "url.txt"]);
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
