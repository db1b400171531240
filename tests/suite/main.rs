//! The integration tests: one binary, a file a topic, real git.

mod common;
mod layering;
mod reports;
mod sources;
