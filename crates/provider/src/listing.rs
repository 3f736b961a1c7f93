//! Lists of which every group has a part.

use bytes::Bytes;
use keygate_domain::Resource;

/// How a list is put together that a provider keeps for each group by itself: how the part of one group is
/// asked for, read, and written as part of the whole. Made for one call; pure like the rest of an adapter.
pub trait Listing: Send {
    /// The kind of what is listed, as its resources are called.
    fn kind(&self) -> &'static str;

    /// Where the caller's page begins.
    fn mark(&self) -> PageMark<'_>;

    /// Whether the next page is asked for by the last item of this one, and not by a token.
    fn is_paged_by_items(&self) -> bool {
        false
    }

    /// How many items the caller wants at most, if it says so.
    fn page_size(&self) -> Option<usize>;

    /// The path and query that ask a group for at most `size` items, from its own `token` on.
    fn target(&self, token: Option<&str>, size: Option<usize>) -> String;

    /// A group's answer; nothing if it cannot be read.
    fn read(&mut self, answer: &Bytes) -> Option<ListedPage>;

    /// The caller's page. `next` is where the page behind it begins.
    fn write(&self, items: &[Bytes], next: Option<(&str, Option<&str>)>) -> Bytes;
}

/// Where a page begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageMark<'a> {
    /// At the beginning.
    Start,
    /// In the part of the group with this fingerprint, from the provider's own token on, if there is one.
    At {
        /// The fingerprint of the group.
        group: &'a str,
        /// The provider's token.
        token: Option<&'a str>,
    },
    /// Behind this item, which some group has, by the name that it has there.
    Behind {
        /// The item.
        item: Resource,
        /// Its name.
        name: &'a str,
    },
    /// Nobody here gave this token.
    Foreign,
}

/// The part of one group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListedPage {
    /// What it lists.
    pub items: Vec<Listed>,
    /// The provider's token for what follows in this group.
    pub next: Option<String>,
}

/// One item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// What it is, if it says so.
    pub resource: Option<Resource>,
    /// The item as the provider wrote it.
    pub json: Bytes,
}
