//! `keysift rules list|show|test`.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Subcommand;
use keysift::{
    canary,
    detect::Detector,
    rule::{BUILTIN_TOML, Kind, Rule, Ruleset},
    triage::{self, Triage},
};

use super::{CLEAN, Done, FINDINGS, policy::Policy, setup};

/// How many times each template is filled.
const ROUNDS: u64 = 8;
/// Most keywords of a rule that are shown.
const MOST_KEYWORDS: usize = 40;

/// The flags of `keysift rules`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One line a rule
    List {
        #[command(flatten)]
        rules: Rules,
    },
    /// One rule, whole
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        rules: Rules,
    },
    /// Run the examples and counter-examples of rules through the detector, and report what each rule costs
    Test {
        #[command(flatten)]
        rules: setup::RuleFlags,
    },
}

/// Which rules: those of the configuration, and what flags make of them.
#[derive(Debug, clap::Args)]
struct Rules {
    /// The configuration (default: .keysift.toml or .gitleaks.toml at the root of the repository)
    #[arg(long, value_name = "FILE", env = "KEYSIFT_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: setup::RuleFlags,
}

impl Rules {
    fn active(&self) -> keysift::Result<Ruleset> {
        let policy = Policy::here(Path::new("."), self.config.as_deref())?;
        self.flags.apply(policy.config.ruleset(with_examples()?)?.0)
    }
}

/// Runs `keysift rules`.
pub(crate) fn run(args: &Args) -> Done {
    match &args.command {
        Command::List { rules } => list(&rules.active()?),
        Command::Show { id, rules } => show(&rules.active()?, id),
        Command::Test { rules } => {
            let all = rules.apply(with_examples()?)?;
            let mut own = all.clone();
            if !rules.rules.is_empty() {
                let mut named = Ruleset::default();
                for path in &rules.rules {
                    named.extend(Ruleset::read(path)?.ruleset);
                }
                own.rules.retain(|r| named.rules.iter().any(|n| n.id == r.id));
            }
            test(&own)
        }
    }
}

/// The built-in rules with their examples, which the embedded form leaves out.
fn with_examples() -> keysift::Result<Ruleset> {
    Ok(Ruleset::parse(BUILTIN_TOML, "rules.toml")?.ruleset)
}

fn list(ruleset: &Ruleset) -> Done {
    let mut out = anstream::stdout().lock();
    for rule in &ruleset.rules {
        writeln!(
            out,
            "{:<44} {:<9} {:<7} {}",
            rule.id,
            rule.severity.name(),
            rule.confidence.name(),
            rule.description
        )?;
    }
    writeln!(out, "{} rules", ruleset.rules.len())?;
    Ok(CLEAN)
}

fn show(ruleset: &Ruleset, id: &str) -> Done {
    let Some(rule) = ruleset.rules.iter().find(|r| r.id == id) else {
        return Err(setup::unknown_rule(ruleset, id).into());
    };
    let mut out = anstream::stdout().lock();
    writeln!(out, "{}\n  {}", rule.id, rule.description)?;
    writeln!(out, "  severity    {}\n  confidence  {}", rule.severity.name(), rule.confidence.name())?;
    if !rule.pattern.is_empty() {
        writeln!(out, "  expression  {}", rule.pattern)?;
    }
    let label = if rule.near { "near" } else { "keywords" };
    let shown = rule.keywords.len().min(MOST_KEYWORDS);
    let more = match rule.keywords.len() - shown {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    writeln!(out, "  {label:<11} {}{more}", rule.keywords[..shown].join(", "))?;
    for (label, value) in [("checksum", &rule.checksum), ("docs", &rule.docs), ("rotate", &rule.rotate)] {
        if let Some(value) = value {
            writeln!(out, "  {label:<11} {value}")?;
        }
    }
    for (number, example) in rule.examples.iter().enumerate() {
        let filled = canary::fill(rule, example, number as u64)?;
        writeln!(out, "  example     {}", filled.escape_default())?;
    }
    Ok(CLEAN)
}

/// Whether no template can make an example: the checksum is over more than a template knows.
fn structural(rule: &Rule) -> bool {
    rule.checksum.as_deref() == Some("nkey")
}

fn test(ruleset: &Ruleset) -> Done {
    let mut out = anstream::stdout().lock();
    let detector = Detector::new(ruleset)?;
    let triage = Triage::new(ruleset, triage::Options::default())?;
    let (mut failed, mut tried) = (0, 0);
    let mut costs: Vec<(u128, &str)> = Vec::new();
    for (number, rule) in ruleset.rules.iter().enumerate() {
        let begun = Instant::now();
        for (templates, wanted) in [(&rule.examples, true), (&rule.counter_examples, false)] {
            for text in templates {
                tried += 1;
                let mut wrong = 0;
                let mut sample = String::new();
                for seed in 0..ROUNDS {
                    match canary::fill(rule, text, seed * 7919 + number as u64) {
                        Ok(filled) => {
                            if canary::finds(&detector, &triage, number as u32, &filled).is_ok() != wanted {
                                wrong += 1;
                                sample = filled;
                            }
                        }
                        Err(error) => {
                            wrong = ROUNDS;
                            sample = error.to_string();
                            break;
                        }
                    }
                }
                // A random value may by chance look like a placeholder; a rule that is wrong is wrong often.
                if wrong * 4 > ROUNDS {
                    failed += 1;
                    let what = if wanted { "finds nothing in" } else { "finds something in" };
                    writeln!(
                        out,
                        "{}: {what} {wrong}/{ROUNDS} of `{text}`, e.g. {}",
                        rule.id,
                        sample.escape_default()
                    )?;
                }
            }
        }
        if rule.examples.is_empty() && !rule.identifier && rule.kind != Kind::Assignment && !structural(rule) {
            writeln!(out, "{}: has no examples", rule.id)?;
            failed += 1;
        }
        costs.push((begun.elapsed().as_micros(), &rule.id));
    }
    costs.sort_unstable_by(|a, b| b.cmp(a));
    writeln!(out, "{} rules, {tried} examples and counter-examples, {failed} wrong", ruleset.rules.len())?;
    let dearest: Vec<String> = costs.iter().take(5).map(|(us, id)| format!("{id} {us} µs")).collect();
    writeln!(out, "dearest to try, compilation included: {}", dearest.join(", "))?;
    Ok(if failed == 0 { CLEAN } else { FINDINGS })
}
