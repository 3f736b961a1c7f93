//! The gateway's own routes as documents: `OpenAPI` 3.1 for machines, a page of it for people.
//!
//! The document is kept by hand and held against the gateway by tests: against the list of routes here, and
//! against every answer by a fuzzer (tests/clients/python). It is not derived from the types that are
//! answered: most of them live in pure crates, which would have to know of documents, and a derived document
//! says what a field is called and not what it means.

mod page;

use std::sync::LazyLock;

use actix_web::HttpResponse;

/// The document.
const OPENAPI: &str = include_str!("openapi.json");

/// The page of it, made once.
static PAGE: LazyLock<String> = LazyLock::new(|| page::of(OPENAPI));

/// How long a reader may keep a document, in seconds: as long as nobody installs another version.
const KEPT: &str = "max-age=300";

/// `GET /openapi.json`.
pub(crate) async fn openapi() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json; charset=utf-8")
        .insert_header(("cache-control", KEPT))
        .body(OPENAPI)
}

/// `GET /docs`. It loads nothing and runs nothing.
pub(crate) async fn docs() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("cache-control", KEPT))
        .insert_header(("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"))
        .body(PAGE.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn document() -> Value {
        serde_json::from_str(OPENAPI).unwrap()
    }

    /// The routes as `house_routes` declares them, by its own text.
    fn declared() -> BTreeSet<(String, String)> {
        let source = include_str!("../house_routes.rs");
        let declarations = source.split("pub(crate) fn house_routes").nth(1).unwrap();
        let declarations = declarations.split("\n}\n").next().unwrap();
        let mut scope = "";
        let mut found = BTreeSet::new();
        for line in declarations.lines() {
            if let Some(path) = between(line, "web::scope(\"", "\"") {
                scope = path;
            }
            for (declaration, method) in [("readable(\"", "get"), ("order(\"", "post")] {
                if let Some(path) = between(line, declaration, "\"") {
                    found.insert((format!("{scope}{path}"), method.to_owned()));
                }
            }
        }
        found
    }

    fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
        text.split(before).nth(1)?.split(after).next()
    }

    #[test]
    fn every_route_of_the_house_is_documented_and_no_other() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let methods = |(path, of): (&String, &Value)| {
            let methods: Vec<String> = of.as_object().unwrap().keys().cloned().collect();
            methods.into_iter().map(|method| (path.clone(), method)).collect::<Vec<_>>()
        };
        let documented: BTreeSet<(String, String)> = paths.iter().flat_map(methods).collect();
        assert_eq!(documented, declared());
        assert!(documented.contains(&("/api/{provider}/status".to_owned(), "get".to_owned())));
    }

    #[test]
    fn the_document_is_of_this_version() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    /// Every `$ref` leads somewhere, and every schema and response is used.
    #[test]
    fn references_lead_somewhere() {
        let document = document();
        let mut named = BTreeSet::new();
        collect(&document, &mut named);
        for reference in &named {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        for part in ["schemas", "responses"] {
            for name in document["components"][part].as_object().unwrap().keys() {
                assert!(named.contains(&format!("#/components/{part}/{name}")), "{name} is not used");
            }
        }
    }

    fn collect(value: &Value, named: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, inner)| match inner.as_str() {
                Some(reference) if key == "$ref" => drop(named.insert(reference.to_owned())),
                _ => collect(inner, named),
            }),
            Value::Array(items) => items.iter().for_each(|item| collect(item, named)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn the_page_shows_everything_and_loads_nothing() {
        let document = document();
        for (path, operations) in document["paths"].as_object().unwrap() {
            assert!(PAGE.contains(path.as_str()), "{path}");
            for operation in operations.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(PAGE.contains(&format!("id=\"{id}\"")), "{id}");
            }
        }
        for forbidden in ["<script", "http://", "https://", "<link", "<img", "@import", "url("] {
            assert!(!PAGE.contains(forbidden), "{forbidden}");
        }
        assert_eq!(PAGE.matches("<details").count(), PAGE.matches("</details>").count());
    }
}
