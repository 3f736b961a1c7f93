//! Names of what is sent and fetched, as the rest of the adapter knows them.

use std::fmt::Write as _;

use keygate_domain::Resource;
use sha2::{Digest, Sha256};

/// The session of an upload. Its id is all that lets a request in, so it is known by its sum.
pub(super) fn upload(id: &str) -> Resource {
    let mut sum = String::with_capacity(64);
    for byte in Sha256::digest(id.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(sum, "{byte:02x}");
    }
    Resource::new("upload", sum)
}

/// What a path below the version is about: `files/abc:download` is the file `abc`,
/// `fileSearchStores/s:uploadToFileSearchStore` the store `s`. What lies inside another is that other's.
/// Nothing where a collection alone is named.
pub(super) fn in_path(segments: &[&str]) -> Option<Resource> {
    let &[collection, name, ..] = segments else { return None };
    let kind = match collection {
        "files" => "files",
        "fileSearchStores" => "fileSearchStores",
        "environments" => "environments",
        "generatedFiles" => "generatedFiles",
        "ragStores" => "ragStores",
        _ => return None,
    };
    let id = name.split(':').next().filter(|id| !id.is_empty())?;
    Some(Resource::new(kind, id))
}

/// The file with a name of the form `files/abc`.
pub(super) fn file(name: &str) -> Option<Resource> {
    let id = name.strip_prefix("files/").filter(|id| !id.is_empty() && !id.contains('/'))?;
    Some(Resource::new("files", id))
}
