//! `keysift explain FILE:LINE`: why a line was found, or at which stage it was dropped.

use std::{fs, io::Write};

use keysift::{
    Error,
    detect::{Certainty, Detector, score, text},
    rule::Ruleset,
};

use super::{CLEAN, Done, setup};

/// The flags of `keysift explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A place: FILE:LINE, or FILE for all its lines
    #[arg(value_name = "FILE[:LINE]")]
    place: String,
    /// Show the values
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    rules: setup::RuleFlags,
}

/// Runs `keysift explain`.
pub(crate) fn run(args: &Args) -> Done {
    let (path, line) = match args.place.rsplit_once(':') {
        Some((path, line)) if line.parse::<usize>().is_ok() => (path, line.parse::<usize>().ok()),
        _ => (args.place.as_str(), None),
    };
    let content = fs::read(path)
        .map_err(|e| Error::new(format!("cannot read {path}")).because(e).help("name a file as FILE:LINE"))?;
    let ruleset = args.rules.apply(Ruleset::builtin())?;
    let detector = Detector::new(&ruleset)?;
    let text = text::text(&content);
    let mut out = anstream::stdout().lock();
    let line_of = |at: usize| text[..at].iter().filter(|b| **b == b'\n').count() + 1;
    let mut shown = 0;
    for trace in detector.explain(&text) {
        let at = line_of(trace.outcome.secret.start.min(text.len()));
        if line.is_some_and(|l| l != at && l != line_of(trace.hit.start)) {
            continue;
        }
        shown += 1;
        let rule = &ruleset.rules[trace.rule as usize];
        let how = match &trace.decoded {
            Some(_) => "in encoded text".to_owned(),
            None => format!("at keyword `{}`", String::from_utf8_lossy(&text[trace.hit.clone()]).escape_debug()),
        };
        let value = trace.decoded.as_deref().unwrap_or(&text[trace.outcome.secret.clone()]);
        let secret = keysift::finding::Secret::new(value);
        let value =
            if args.show_secrets { String::from_utf8_lossy(secret.expose()).into_owned() } else { secret.redacted() };
        let verdict = match trace.outcome.verdict {
            Ok(Certainty::Fixed(confidence)) => format!("found, confidence {}", confidence.name()),
            Ok(Certainty::Scored(odds)) => {
                let total = odds + score::path_adjustment(path.as_bytes());
                let name = score::confidence(total).map_or("none", |c| c.name());
                format!("scored {odds:+.2}, with the path {total:+.2}: confidence {name}")
            }
            Err(why) => format!("dropped: {why}"),
        };
        writeln!(
            out,
            "{path}:{at}: rule {} {how}, value {} ({} bytes): {verdict}",
            rule.id,
            value.escape_debug(),
            secret.len()
        )?;
        for (feature, weight) in &trace.outcome.contributions {
            writeln!(out, "    {weight:+.2}  {feature}")?;
        }
    }
    if shown == 0 {
        writeln!(out, "{}: no rule has a keyword here", args.place)?;
    }
    Ok(CLEAN)
}
