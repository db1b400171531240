//! The built-in rules through the real detector.

use keysift::rule::{BUILTIN_TOML, Ruleset};

use crate::common::{Repo, filled};

#[test]
fn the_embedded_rules_are_those_of_the_text() {
    let text = Ruleset::parse(BUILTIN_TOML, "rules.toml").unwrap().ruleset;
    assert_eq!(text.hash_without_examples(), Ruleset::builtin().hash());
}

#[test]
fn examples_are_found_and_counter_examples_are_not() {
    let repo = Repo::new();
    let run = repo.keysift(["rules", "test"]);
    assert_eq!(run.status, 0, "{}", run.out);
}

#[test]
fn every_rule_names_where_its_format_is_documented() {
    let rules = Ruleset::builtin().rules;
    let missing: Vec<&str> = rules.iter().filter(|r| r.docs.is_none()).map(|r| r.id.as_str()).collect();
    assert!(missing.len() * 20 < rules.len(), "{missing:?}");
}

#[test]
fn a_secret_names_the_other_half_of_its_pair() {
    let repo = Repo::new();
    let (id, sid) = (filled("AKIA{base32:16}", 1), filled("AC{hex:32}", 2));
    let (secret, token) = (filled("{alnum:39}7", 3), filled("{alnum:31}7", 4));
    repo.write("near", format!("aws_access_key_id = {id}\naws_secret_access_key = {secret}\n"));
    repo.write("far", format!("TWILIO_SID={sid}\n{}TWILIO_AUTH_TOKEN={token}\n", "#\n".repeat(40)));
    repo.write("sid", format!("TWILIO_ACCOUNT_SID={sid}\n"));
    let report = repo.keysift(["scan", "--format", "json", "--show-secrets"]).exits(1).json();
    let found = |rule: &str| report["findings"].as_array().unwrap().iter().find(|f| f["rule"] == rule).cloned();
    let aws = found("aws-secret-access-key").expect("the secret is found");
    assert_eq!(aws["partners"][0]["rule"], "aws-access-key-id");
    assert_eq!(aws["partners"][0]["secret"], id);
    let twilio = found("twilio-auth-token").expect("the token is found");
    assert!(twilio["partners"].as_array().is_none_or(Vec::is_empty), "its partner stands too far away");
    assert_eq!(found("twilio-account-sid"), None, "an identifier opens nothing alone");
    // Redacted by default, the partner too.
    let text = repo.keysift(["scan"]).exits(1).out;
    assert!(text.contains("with aws-access-key-id AKIA…") && !text.contains(&id), "{text}");
}

#[test]
fn a_pair_is_one_finding() {
    let repo = Repo::new();
    let (id, other) = (filled("AKIA{base32:16}", 1), filled("AKIA{base32:16}", 2));
    let secret = |seed| filled("{alnum:39}7", seed);
    let pair = |id: &str, seed| format!("aws_access_key_id = {id}\naws_secret_access_key = {}\n", secret(seed));
    let found = |args: &[&str]| {
        let report = repo.keysift([&["scan", "--format", "json"], args].concat()).json();
        let findings = report["findings"].as_array().unwrap().clone();
        let mut found: Vec<String> =
            findings.iter().map(|f| format!("{} {}", f["rule"].as_str().unwrap(), f["locations"][0]["path"])).collect();
        found.sort();
        found
    };
    // Two secrets name one id.
    repo.write("pair", pair(&id, 3) + &format!("aws_secret_access_key = {}\n", secret(4)));
    repo.write("alone", format!("aws_access_key_id = {other}\n"));
    let (pair_secret, alone) = ("aws-secret-access-key \"pair\"", "aws-access-key-id \"alone\"");
    assert_eq!(found(&[]), [alone, pair_secret, pair_secret]);
    assert_eq!(found(&["--only-rule", "aws-access-key-id"]), [alone, "aws-access-key-id \"pair\""]);

    // Elsewhere it stands alone, and then it is a finding with every place of it.
    repo.write("here", format!("aws_access_key_id = {id}\n"));
    assert_eq!(found(&[]), [alone, "aws-access-key-id \"here\"", pair_secret, pair_secret]);

    // Where the pair is set aside, so is its half; in a commit before its secret came it stood alone.
    let repo = Repo::new();
    let allowed = pair(&id, 3).replace("\naws_secret", "\n# keysift:allow-next-line\naws_secret");
    repo.write("allowed", allowed);
    assert_eq!(repo.keysift(["scan"]).status, 0);
    repo.put("allowed", "");
    repo.put("later", format!("aws_access_key_id = {id}\n"));
    repo.put("later", pair(&id, 5));
    let report = repo.keysift(["scan", "--history", "--format", "json"]).exits(1).json();
    assert_eq!(report["findings"].as_array().unwrap().len(), 2);
    let report = repo.keysift(["scan", "--history", "HEAD~1..HEAD", "--format", "json"]).exits(1).json();
    assert_eq!(report["findings"].as_array().unwrap().len(), 1);
    let partner = &report["findings"][0]["partners"][0];
    assert_eq!((&partner["rule"], &partner["locations"][0]["start_line"]), (&"aws-access-key-id".into(), &1.into()));
}

#[test]
fn a_baseline_knows_both_halves_of_a_pair() {
    let repo = Repo::new();
    let (id, secret) = (filled("AKIA{base32:16}", 1), filled("{alnum:39}7", 2));
    let id = format!("aws_access_key_id = {id}\n");
    repo.write("pair", format!("{id}aws_secret_access_key = {secret}\n"));
    repo.keysift(["baseline", "create"]).exits(0);
    repo.keysift(["scan"]).exits(0);
    // The secret goes, its id stays: that is nothing new.
    repo.write("pair", id);
    repo.keysift(["scan"]).exits(0);
}

#[test]
fn an_identifier_owns_its_bytes() {
    let repo = Repo::new();
    let id = filled("{digit:12}-{lownum:31}7.apps.googleusercontent.com", 1);
    repo.write("ids", format!("# twilio auth token\nclient = '{id}'\nclient_secret = '{id}'\n"));
    assert_eq!(repo.keysift(["scan"]).status, 0);
    let token = filled("{alnum:31}7", 2);
    repo.write("token", format!("# twilio auth token\nclient = '{token}'\n"));
    assert!(repo.keysift(["scan"]).exits(1).out.contains("twilio-auth-token"));
}

#[test]
fn a_finding_says_what_its_value_says() {
    let repo = Repo::new();
    let claims = "{{\"iss\":\"https://issuers1.example\",\"exp\":1500000000}}";
    let token = format!("{{base64({{{{\"alg\":\"HS512\"}}}})}}.{{base64({claims})}}.{{b64url:86}}");
    let token = filled(&token, 5);
    let key = filled("-----BEGIN RSA PRIVATE KEY-----\n{b64:64}\n{b64:64}\n{b64:40}\n", 6);
    repo.write("token", format!("token = \"{token}\"\n"));
    repo.write("key.pem", key);
    let report = repo.keysift(["scan", "--format", "json"]).exits(1).json();
    let notes = |rule: &str| {
        let findings = report["findings"].as_array().unwrap();
        findings.iter().find(|f| f["rule"] == rule).unwrap_or_else(|| panic!("{report}"))["notes"].clone()
    };
    let expected = ["signed with HS512", "issued by https://issuers1.example", "expired 2017-07-14"];
    assert_eq!(notes("json-web-token"), serde_json::json!(expected));
    assert_eq!(notes("private-key"), serde_json::json!(["not encrypted", "cut off"]));
}

#[test]
fn pairs_name_rules_that_there_are() {
    let rules = Ruleset::builtin().rules;
    for rule in &rules {
        for half in rule.requires.iter().chain(&rule.partners) {
            assert!(rules.iter().any(|r| r.id == half.rule), "{} names {}", rule.id, half.rule);
        }
    }
}
