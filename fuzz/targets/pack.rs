//! A pack and its index, byte for byte as the input has them: two bytes say where the index ends.
#![no_main]

use std::sync::OnceLock;

use keysift_fuzz::{Folder, Input, history};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    static FOLDER: OnceLock<Folder> = OnceLock::new();
    let folder = FOLDER.get_or_init(Folder::new);
    let mut input = Input(data);
    let split = input.number();
    folder.write("objects/pack/pack-1.idx", input.take(split));
    folder.write("objects/pack/pack-1.pack", input.0);
    if let Some(repository) = folder.open() {
        history::inspect(&repository);
    }
});
