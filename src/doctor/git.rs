//! The layers of git: its hooks, here and everywhere, and what a server or CI adds.
