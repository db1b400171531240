//! git's index file.
#![no_main]

use std::sync::OnceLock;

use keysift_fuzz::Folder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    static FOLDER: OnceLock<Folder> = OnceLock::new();
    let folder = FOLDER.get_or_init(Folder::new);
    folder.write("index", data);
    if let Some(repository) = folder.open() {
        let _ = repository.tracked();
        let _ = repository.staged();
    }
});
