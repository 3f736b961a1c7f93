//! Lists of what projects keep, as one.

mod openai;

use std::borrow::Cow;

use bytes::Bytes;
use keygate_domain::Intent;
use keygate_provider::{Inbound, Listed, ListedPage, Listing, PageMark};

use crate::query::{self, decode};
use crate::references::{OTHER, collection, named, named_in_path, split, with_id};
use crate::routes::{Effect, encode};
use crate::surface::Surface;

/// Begins each page token of ours. What follows is the fingerprint of a group, and the provider's own token,
/// both in the clear: neither opens anything.
const TOKEN: &str = "kg.";

/// How `inbound` is put together, if it lists what every project has a part of.
pub(crate) fn listing(intent: &Intent, inbound: &Inbound<'_>) -> Option<Box<dyn Listing>> {
    // What lies inside something that is named is its owner's alone.
    if !intent.references.is_empty() || Effect::of(intent.operation) != Some(Effect::List) {
        return None;
    }
    if Surface::of(inbound.path) == Surface::OpenAi {
        return openai::List::of(intent, inbound).map(|list| Box::new(list) as Box<dyn Listing>);
    }
    Some(Box::new(List::of(intent, inbound)))
}

/// One list.
struct List {
    collection: &'static str,
    /// The path, with what the query asks besides paging.
    base: String,
    size: Option<usize>,
    token: Option<String>,
    /// The caller spells parameters with underscores, as Interactions has them.
    is_snake: bool,
    /// The member that holds the items, as the provider calls it.
    items: Option<String>,
    /// The member that holds the token, as the provider calls it.
    next: &'static str,
}

impl List {
    fn of(intent: &Intent, inbound: &Inbound<'_>) -> Self {
        let segment = inbound.path.trim_start_matches('/').split('/').nth(1).unwrap_or_default();
        let parameter = |names: [&str; 2]| parameter(inbound, &names);
        let is_snake = inbound.query_pairs().any(|(name, _)| matches!(name, "page_token" | "page_size"));
        Self {
            collection: collection(segment).map_or(OTHER, |known| known.name),
            base: base(intent, inbound, &["pageToken", "page_token", "pageSize", "page_size"]),
            size: parameter(["pageSize", "page_size"])
                .and_then(|size| size.parse().ok())
                .filter(|size| *size > 0),
            token: parameter(["pageToken", "page_token"]).filter(|token| !token.is_empty()),
            is_snake,
            items: None,
            next: if is_snake { "next_page_token" } else { "nextPageToken" },
        }
    }

    fn listed(&self, name: &str, item: &[u8], answer: &Bytes) -> Listed {
        let text = |name: &str| split::member(item, name).and_then(split::string);
        let by_name = text("name").and_then(|name| match self.collection {
            OTHER => named_in_path(&name.split('/').collect::<Vec<_>>()),
            _ => named(&name),
        });
        let by_id = || match self.collection {
            OTHER => with_id(OTHER, &format!("{name}/{}", text("id")?)),
            known => with_id(known, &text("id")?),
        };
        Listed { resource: by_name.or_else(by_id), json: answer.slice_ref(item) }
    }
}

impl Listing for List {
    fn kind(&self) -> &'static str {
        self.collection
    }

    fn mark(&self) -> PageMark<'_> {
        let Some(token) = &self.token else { return PageMark::Start };
        let Some((group, token)) = token.strip_prefix(TOKEN).and_then(|ours| ours.split_once('.')) else {
            return PageMark::Foreign;
        };
        PageMark::At { group, token: Some(token).filter(|token| !token.is_empty()) }
    }

    fn page_size(&self) -> Option<usize> {
        self.size
    }

    fn target(&self, token: Option<&str>, size: Option<usize>) -> String {
        let (size_name, token_name) =
            if self.is_snake { ("page_size", "page_token") } else { ("pageSize", "pageToken") };
        let size = size.map(|size| size.to_string());
        with_parameters(&self.base, [(size_name, size.as_deref()), (token_name, token)])
    }

    fn read(&mut self, answer: &Bytes) -> Option<ListedPage> {
        if !split::is_whole(answer) || !answer.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        let mut page = ListedPage::default();
        for (key, value) in split::members(answer) {
            let name = key.read()?;
            match &*name {
                "nextPageToken" | "next_page_token" => {
                    self.next = if name.contains('_') { "next_page_token" } else { "nextPageToken" };
                    page.next = split::string(value).filter(|token| !token.is_empty());
                }
                // The first array that holds objects holds what is listed.
                _ if value.starts_with(b"[") && page.items.is_empty() => {
                    page.items =
                        split::elements(value).map(|item| self.listed(&name, item, answer)).collect();
                    self.items = Some(name.into_owned());
                }
                _ => {}
            }
        }
        Some(page)
    }

    fn write(&self, items: &[Bytes], next: Option<(&str, Option<&str>)>) -> Bytes {
        let mut page = Vec::with_capacity(items.iter().map(|item| item.len() + 2).sum::<usize>() + 256);
        page.push(b'{');
        if let (Some(name), false) = (&self.items, items.is_empty()) {
            page.extend_from_slice(format!("{}:[", quoted(name)).as_bytes());
            page.extend_from_slice(&items.join(&b','));
            page.push(b']');
        }
        if let Some((group, token)) = next {
            let token = quoted(&format!("{TOKEN}{group}.{}", token.unwrap_or_default()));
            let comma = if page.len() > 1 { "," } else { "" };
            page.extend_from_slice(format!("{comma}\"{}\":{token}", self.next).as_bytes());
        }
        page.extend_from_slice(b"}\n");
        Bytes::from(page)
    }
}

/// What a parameter says of those called so.
fn parameter(inbound: &Inbound<'_>, names: &[&str]) -> Option<String> {
    let (_, value) = inbound.query_pairs().find(|(name, _)| names.contains(name))?;
    decode(value).map(Cow::into_owned)
}

/// The path, with what the query asks besides `paging`.
fn base(intent: &Intent, inbound: &Inbound<'_>, paging: &[&str]) -> String {
    let path = intent.target.split('?').next().unwrap_or_default().to_owned();
    let pairs = inbound.query.unwrap_or_default().split('&');
    let others = pairs.filter(|pair| !paging.contains(&pair.split('=').next().unwrap_or_default()));
    query::target(path, Some(&others.collect::<Vec<_>>().join("&")))
}

fn with_parameters(base: &str, parameters: [(&str, Option<&str>); 2]) -> String {
    let mut target = base.to_owned();
    for (name, value) in parameters {
        if let Some(value) = value {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.extend([name, "=", &encode(value)]);
        }
    }
    target
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use http::{HeaderMap, Method};
    use keygate_provider::Origin;

    use super::*;

    pub(super) fn list(target: &str) -> Option<Box<dyn Listing>> {
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let inbound = Inbound {
            method: &Method::GET,
            path,
            query,
            headers: &headers,
            body: &body,
            origin: Origin::INSIDE,
            request_id: "",
        };
        listing(&crate::routes::understand(&inbound).unwrap(), &inbound)
    }

    #[test]
    fn what_every_project_has_a_part_of_is_put_together() {
        for (target, kind) in [
            ("/v1beta/files", "files"),
            ("/v1/cachedContents?pageSize=3", "cachedContents"),
            ("/v1beta/batches", "batches"),
            ("/v1beta/models/m/operations", "models"),
            ("/v1beta/agents?page_size=5", "agents"),
            ("/v1beta/futures", "resource"),
        ] {
            assert_eq!(list(target).unwrap().kind(), kind, "{target}");
        }
        for target in
            ["/v1beta/models", "/v1beta/files/x", "/v1beta/fileSearchStores/s/documents", "/openai/v1/models"]
        {
            assert!(list(target).is_none(), "{target}");
        }
    }

    #[test]
    fn each_part_is_asked_for_with_the_providers_own_token() {
        let files =
            list("/v1beta/files?pageSize=7&key=k&filter=a%3Db&pageToken=kg.1234.own%2Fto.ken").unwrap();
        assert_eq!(files.page_size(), Some(7));
        assert_eq!(files.mark(), PageMark::At { group: "1234", token: Some("own/to.ken") });
        assert_eq!(
            files.target(Some("own/to.ken"), Some(3)),
            "/v1beta/files?filter=a%3Db&pageSize=3&pageToken=own%2Fto.ken"
        );
        assert_eq!(files.target(None, None), "/v1beta/files?filter=a%3Db");
        let next = list("/v1/agents?page_token=kg.1234.&page_size=0").unwrap();
        assert_eq!((next.mark(), next.page_size()), (PageMark::At { group: "1234", token: None }, None));
        assert_eq!(next.target(Some("t"), Some(2)), "/v1/agents?page_size=2&page_token=t");
        assert_eq!(list("/v1/files?pageToken=googles").unwrap().mark(), PageMark::Foreign);
        assert_eq!(list("/v1/files?pageToken=").unwrap().mark(), PageMark::Start);
    }

    #[test]
    fn parts_are_read_and_written_as_they_came() {
        let mut batches = list("/v1beta/batches").unwrap();
        let answer = Bytes::from_static(
            br#"{ "operations": [ {"name": "batches/a", "x": "]"}, {"name":"batches/b"} ], "nextPageToken": "t" }"#,
        );
        let page = batches.read(&answer).unwrap();
        let names: Vec<String> =
            page.items.iter().map(|item| item.resource.as_ref().unwrap().to_string()).collect();
        assert_eq!(
            (names, page.next),
            (vec!["batches/a".to_owned(), "batches/b".to_owned()], Some("t".to_owned()))
        );
        let items: Vec<Bytes> = page.items.into_iter().map(|item| item.json).collect();
        assert_eq!(
            batches.write(&items, Some(("f", Some("t")))),
            "{\"operations\":[{\"name\": \"batches/a\", \"x\": \"]\"},{\"name\":\"batches/b\"}],\"nextPageToken\":\"kg.f.t\"}\n"
        );
        assert_eq!(batches.write(&[], None), "{}\n");
        assert_eq!(batches.write(&[], Some(("f", None))), "{\"nextPageToken\":\"kg.f.\"}\n");
    }

    #[test]
    fn what_has_ids_instead_of_names_keeps_its_spelling() {
        let mut agents = list("/v1beta/agents").unwrap();
        let page =
            agents.read(&Bytes::from_static(br#"{"agents":[{"id":"mine"}],"next_page_token":"t"}"#)).unwrap();
        assert_eq!(page.items[0].resource.as_ref().unwrap().to_string(), "agents/mine");
        assert_eq!(agents.write(&[], Some(("f", None))), "{\"next_page_token\":\"kg.f.\"}\n");
        let mut futures = list("/v1beta/futures").unwrap();
        let page = futures
            .read(&Bytes::from_static(br#"{"futures":[{"id":"x"},{"odd":1},{"name":"futures/y"}]}"#))
            .unwrap();
        assert_eq!(page.items[0].resource.as_ref().unwrap().to_string(), "resource/futures/x");
        assert!(page.items[1].resource.is_none());
        assert_eq!(page.items[2].resource.as_ref().unwrap().to_string(), "resource/futures/y");
    }

    #[test]
    fn what_is_no_list_is_not_read() {
        let mut files = list("/v1beta/files").unwrap();
        for answer in ["", "[]", "<html>", "{\"files\":[", "null"] {
            assert!(files.read(&Bytes::from_static(answer.as_bytes())).is_none(), "{answer}");
        }
        assert_eq!(files.read(&Bytes::from_static(b"{}")).unwrap(), ListedPage::default());
    }
}
