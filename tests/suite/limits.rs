//! Limits are said where people look for them, with the values that the program has.

use keysift::limits;

use crate::common::World;

#[test]
fn the_help_and_the_documentation_have_every_limit() {
    let world = World::new();
    let help = world.keysift(&world.path(""), ["scan", "--help"]).exits(0).out;
    // The terminal's width may have wrapped it.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let help = words(&help);
    let documented = include_str!("../../docs/limits.md");
    let mut rows = documented.lines().filter(|line| line.starts_with("| ")).skip(1);
    for limit in limits::all() {
        let gap = limit.gap.map_or("", |gap| gap.name());
        let row = format!("| {} | {} | {gap} |", limit.what, limit.value);
        assert_eq!(rows.next().map(words), Some(words(&row)));
        assert!(help.contains(&format!("{}: {}", limit.what, limit.value)), "{row}\n{help}");
    }
    assert_eq!(rows.next(), None);
}
