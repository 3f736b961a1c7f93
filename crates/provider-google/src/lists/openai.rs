//! Lists of the OpenAI-compatible surface: pages are asked for by the last item of the one before
//! (`after=batches/b&limit=20`).

use bytes::Bytes;
use keygate_domain::{Intent, Resource};
use keygate_provider::{Inbound, Listed, ListedPage, Listing, PageMark};

use super::{base, parameter, quoted, with_parameters};
use crate::references::{collection, named, split, with_id};

/// One list.
pub(super) struct List {
    collection: &'static str,
    /// The path, with what the query asks besides paging.
    base: String,
    size: Option<usize>,
    after: Option<String>,
}

impl List {
    /// How `inbound` is put together, if it lists what projects keep: models are everybody's.
    pub(super) fn of(intent: &Intent, inbound: &Inbound<'_>) -> Option<Self> {
        let segment = inbound.path.trim_end_matches('/').rsplit('/').next()?;
        let known = collection(segment).filter(|known| known.name != "models")?;
        Some(Self {
            collection: known.name,
            base: base(intent, inbound, &["after", "limit"]),
            size: parameter(inbound, &["limit"]).and_then(|size| size.parse().ok()).filter(|size| *size > 0),
            after: parameter(inbound, &["after"]).filter(|after| !after.is_empty()),
        })
    }

    /// An item by its id, which is a name on this surface, or the end of one.
    fn item(&self, id: &str) -> Option<Resource> {
        named(id).or_else(|| with_id(self.collection, id))
    }
}

fn id_of(item: &[u8]) -> Option<String> {
    split::member(item, "id").and_then(split::string)
}

impl Listing for List {
    fn kind(&self) -> &'static str {
        self.collection
    }

    fn mark(&self) -> PageMark<'_> {
        let Some(after) = &self.after else { return PageMark::Start };
        self.item(after).map_or(PageMark::Foreign, |item| PageMark::Behind { item, name: after })
    }

    fn is_paged_by_items(&self) -> bool {
        true
    }

    fn page_size(&self) -> Option<usize> {
        self.size
    }

    fn target(&self, token: Option<&str>, size: Option<usize>) -> String {
        let size = size.map(|size| size.to_string());
        with_parameters(&self.base, [("limit", size.as_deref()), ("after", token)])
    }

    fn read(&mut self, answer: &Bytes) -> Option<ListedPage> {
        if !split::is_whole(answer) || !answer.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        let items = split::member(answer, "data").into_iter().flat_map(split::elements);
        let listed = |item: &[u8]| {
            let resource = id_of(item).and_then(|id| self.item(&id));
            Listed { resource, json: answer.slice_ref(item) }
        };
        let items: Vec<Listed> = items.map(listed).collect();
        let has_more = split::member(answer, "has_more") == Some(b"true");
        let next = items.last().filter(|_| has_more).and_then(|last| id_of(&last.json));
        Some(ListedPage { items, next })
    }

    fn write(&self, items: &[Bytes], next: Option<(&str, Option<&str>)>) -> Bytes {
        let id = |item: Option<&Bytes>| {
            item.and_then(|item| id_of(item)).map_or_else(|| "null".to_owned(), |id| quoted(&id))
        };
        // Behind an empty page there is nothing to go on behind.
        let has_more = next.is_some() && !items.is_empty();
        let mut page = br#"{"object":"list","data":["#.to_vec();
        page.extend_from_slice(&items.join(&b','));
        let (first, last) = (id(items.first()), id(items.last()));
        let end = format!("],\"first_id\":{first},\"last_id\":{last},\"has_more\":{has_more}}}\n");
        page.extend_from_slice(end.as_bytes());
        Bytes::from(page)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::list;
    use super::*;

    #[test]
    fn batches_and_videos_are_put_together_and_models_are_not() {
        for (target, kind) in [
            ("/v1beta/openai/batches", "batches"),
            ("/openai/v1/videos?limit=3", "videos"),
            ("/v1/openai/batches?after=b", "batches"),
        ] {
            assert_eq!(list(target).unwrap().kind(), kind, "{target}");
        }
        assert!(list("/v1beta/openai/models").is_none() && list("/openai/v1/models").is_none());
    }

    #[test]
    fn pages_begin_behind_an_item() {
        let batches = list("/openai/v1/batches?limit=2&order=asc&key=k&after=batches%2Fb").unwrap();
        let item = Resource::new("batches", "b");
        assert_eq!(batches.mark(), PageMark::Behind { item: item.clone(), name: "batches/b" });
        assert_eq!(batches.page_size(), Some(2));
        assert_eq!(
            batches.target(Some("batches/b"), Some(1)),
            "/v1beta/openai/batches?order=asc&limit=1&after=batches%2Fb"
        );
        assert_eq!(batches.target(None, None), "/v1beta/openai/batches?order=asc");
        let bare = list("/openai/v1/batches?after=b").unwrap();
        assert_eq!(bare.mark(), PageMark::Behind { item, name: "b" });
        assert_eq!(list("/openai/v1/batches?after=").unwrap().mark(), PageMark::Start);
        assert_eq!(list("/openai/v1/batches?after=a%20b").unwrap().mark(), PageMark::Foreign);
    }

    #[test]
    fn parts_are_read_and_written_as_they_came() {
        let mut videos = list("/openai/v1/videos").unwrap();
        let answer = Bytes::from_static(
            br#"{"object":"list","data":[{"id":"videos/a", "x":1},{"id":"b"}],"has_more":true}"#,
        );
        let page = videos.read(&answer).unwrap();
        let names: Vec<String> =
            page.items.iter().map(|item| item.resource.as_ref().unwrap().to_string()).collect();
        assert_eq!((names, page.next.as_deref()), (vec!["videos/a".into(), "videos/b".into()], Some("b")));
        let items: Vec<Bytes> = page.items.into_iter().map(|item| item.json).collect();
        assert_eq!(
            videos.write(&items, Some(("group", Some("b")))),
            "{\"object\":\"list\",\"data\":[{\"id\":\"videos/a\", \"x\":1},{\"id\":\"b\"}],\
             \"first_id\":\"videos/a\",\"last_id\":\"b\",\"has_more\":true}\n"
        );
        let empty =
            "{\"object\":\"list\",\"data\":[],\"first_id\":null,\"last_id\":null,\"has_more\":false}\n";
        assert_eq!(videos.write(&[], Some(("group", None))), empty);
        let last = videos.read(&Bytes::from_static(br#"{"data":[{"id":"c"}]}"#)).unwrap();
        assert_eq!((last.items.len(), last.next), (1, None));
        assert!(videos.read(&Bytes::from_static(b"[]")).is_none());
    }
}
