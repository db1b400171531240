//! The integration tests: one binary, a file a topic, real git.

mod agent;
mod agent_session;
mod agent_settings;
mod cli;
mod common;
mod config;
mod delta;
mod layering;
mod reports;
mod rules;
mod sources;
mod triage;
mod workflow;
