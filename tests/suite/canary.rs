//! A configuration that finds nothing is an error and not a clean scan.

use crate::common::{Repo, github_token};

/// What keysift says of a repository with this configuration, and its status.
fn scan(config: &str) -> (i32, String) {
    let repo = Repo::new();
    repo.write(".keysift.toml", config);
    repo.write("a.txt", format!("token = \"{}\"\n", github_token(1)));
    let run = repo.keysift(["scan"]);
    (run.status, run.err)
}

fn rule(more: &str) -> String {
    format!("[[rules]]\nid = \"acme-key\"\ndescription = \"a key\"\nexamples = [\"acme_{{hex:32}}\"]\n{more}\n")
}

#[test]
fn a_rule_that_finds_none_of_its_examples_is_an_error() {
    let good = rule("token = 'acme_[0-9a-f]{32}'");
    assert_eq!(scan(&good), (1, String::new()));
    // Where it holds is not what is tried.
    assert_eq!(scan(&format!("{good}path = 'nowhere/.*'\n")).0, 1);
    for (inert, why) in [
        (rule("token = 'acme_[0-9a-f]{40}'"), "does not match"),
        (rule("token = 'acme_[0-9a-f]{32}'\nentropy = 4.5"), "entropy"),
        (rule("token = 'acme_[0-9a-f]{32}'\n[[rules.allowlists]]\nregexes = ['^acme_']"), "allowlist of the rule"),
    ] {
        let (status, said) = scan(&inert);
        assert_eq!(status, 2, "{said}");
        assert!(said.contains("acme-key") && said.contains("inert") && said.contains(why), "{said}");
    }
}

#[test]
fn an_override_that_makes_a_rule_inert_is_an_error() {
    let (status, said) = scan("[override.github-classic-pat]\ntoken = 'ghp_x[a-z]{40}'\n");
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("github-classic-pat") && said.contains("inert"), "{said}");
}

#[test]
fn an_allowlist_that_allows_everything_is_an_error() {
    let (status, said) = scan("[[allowlists]]\ndescription = \"all\"\nregexes = ['.']\n");
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("allowlist") && said.contains("all"), "{said}");
    // One that allows something is none of our business.
    assert_eq!(scan("[[allowlists]]\nregexes = ['^example']\n").0, 1);
}
