//! The integration tests: one binary, a file a topic, real git.

mod agent;
mod agent_session;
mod agent_settings;
mod archives;
mod cache;
mod canary;
mod cli;
mod common;
mod config;
mod delta;
mod hidden;
mod history;
mod large;
mod layering;
mod limits;
mod places;
mod reports;
mod rules;
mod sources;
mod surroundings;
mod triage;
mod workflow;
