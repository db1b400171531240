//! The integration tests: one binary, a file a topic, real git.

mod archives;
mod canary;
mod cli;
mod common;
mod config;
mod delta;
mod layering;
mod limits;
mod reports;
mod rules;
mod sources;
mod surroundings;
mod triage;
