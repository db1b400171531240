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
