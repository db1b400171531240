//! keysift finds secrets in git repositories and folders, and says what it did not look at.
//!
//! # The flow
//!
//! ```text
//! source ──bytes──▶ detect ──match──▶ triage ──finding──▶ report ──▶ text │ json │ sarif │ …
//!   │               (content only)    (where it stands)   (pure functions)
//!   └─ where the bytes were seen: path, index, commit ──▶┘
//! ```
//!
//! [`scan`](scan::scan) is the whole flow on one screen. Sources ([`source`]) push borrowed contents; the
//! detector ([`detect`]) is a pure function of their bytes; triage ([`triage`]) is the one place that says
//! "not this one"; the formats ([`report`]) are pure functions of the finished [`Report`]. What was asked
//! for and could not be covered is a [`Gap`], never a log line.
//!
//! The library never prints, never exits, holds no globals and opens no network connection.
//!
//! # Example
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//! use keysift::{detect::Detector, report, rule::{Confidence, Ruleset}, scan, source::stdin::Stdin, triage};
//!
//! # fn main() -> keysift::Result<()> {
//! let rules = Ruleset::builtin();
//! let detector = Detector::new(&rules)?;
//! let triage = triage::Triage::new(&rules, triage::Options { inline: true, ..Default::default() })?;
//! let settings = scan::Settings {
//!     min_confidence: Confidence::Medium,
//!     allow_gaps: Vec::new(),
//!     stop: &AtomicBool::new(false),
//!     progress: &|_, _| {},
//!     rules_hash: rules.hash(),
//!     repository: None,
//!     large_files: None,
//!     remarks: Vec::new(),
//!     verbose: false,
//! };
//! let source = Stdin::new(&b"nothing to see here"[..], "notes.txt");
//! let report = scan::scan(report::Mode::Stdin, &source, &detector, &triage, settings)?;
//! assert!(report.findings.is_empty() && report.scan.is_complete());
//! # Ok(())
//! # }
//! ```

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod agent;
pub mod canary;
pub mod config;
pub mod content;
pub mod detect;
pub mod doctor;
mod error;
pub mod finding;
mod gap;
pub mod limits;
pub mod report;
pub mod rule;
pub mod scan;
pub mod source;
pub mod triage;

pub use error::{Error, Result};
pub use finding::Finding;
pub use gap::{Gap, GapKind};
pub use report::Report;
