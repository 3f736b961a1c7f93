//! `docs/reference/api.md`, made of the `OpenAPI` document that the gateway serves.

use std::fs;

use serde_json::{Map, Value};

use super::generated::{cell, is_current};
use super::markdown::house;

const HEAD: &str = "# The gateway's own routes

Made of the OpenAPI document that every gateway serves at `/openapi.json`, and shows with every field at `/docs`; a test fails if it
is not. The providers' routes are the providers' own: see [Gemini](../gemini.md), [Live and signalling](../live.md) and
[files](../files.md). Refusals are those of [errors](../errors.md).
";

/// Refusals that every route has, explained in `docs/errors.md`.
const LEAST_REFUSAL: u16 = 400;

#[test]
fn the_page_of_routes_is_made_of_the_openapi_document() {
    let document = fs::read_to_string(house().join("crates/http/src/documents/openapi.json")).unwrap();
    is_current("api.md", &page(&serde_json::from_str(&document).unwrap()));
}

fn page(document: &Value) -> String {
    let tags = document["tags"].as_array().unwrap();
    let written = tags.iter().map(|tag| {
        let name = tag["name"].as_str().unwrap();
        let about = tag["description"].as_str().unwrap_or_default();
        let routes: String =
            routes(document).filter(|route| route.has_tag(name)).map(|route| route.written()).collect();
        format!("\n## {name}\n\n{about}\n{routes}")
    });
    HEAD.to_owned() + &written.collect::<Vec<_>>().concat()
}

struct Route<'a> {
    document: &'a Value,
    method: &'a str,
    path: &'a str,
    says: &'a Value,
}

fn routes(document: &Value) -> impl Iterator<Item = Route<'_>> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(move |(path, methods)| {
        let methods = methods.as_object().into_iter().flat_map(Map::iter);
        methods.map(move |(method, says)| Route { document, method, path, says })
    })
}

impl Route<'_> {
    fn has_tag(&self, name: &str) -> bool {
        self.says["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == name))
    }

    fn written(&self) -> String {
        let summary = self.says["summary"].as_str().unwrap_or_default();
        let about = self.says["description"].as_str().unwrap_or_default();
        let about = if about.is_empty() { String::new() } else { format!("\n{about}\n") };
        let head = format!("\n### {} {}\n\n{summary}.\n{about}", self.method.to_uppercase(), self.path);
        let tokens = format!("\nToken: {}.\n", self.tokens());
        [head, tokens, self.parameters(), self.body(), self.answers()].concat()
    }

    fn tokens(&self) -> String {
        let names = self.says["security"].as_array().into_iter().flatten().map(|one| {
            match one.as_object().and_then(|one| one.keys().next()).map(String::as_str) {
                Some("clientToken") => "a client's",
                Some("adminToken") => "the admin's",
                Some(_) | None => "none",
            }
        });
        let names: Vec<&str> = names.collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", or ") }
    }

    fn parameters(&self) -> String {
        let rows: String = self.says["parameters"].as_array().into_iter().flatten().map(parameter).collect();
        if rows.is_empty() { rows } else { format!("\n| parameter | where | what |\n|---|---|---|\n{rows}") }
    }

    fn body(&self) -> String {
        let schema = &self.says["requestBody"]["content"]["application/json"]["schema"];
        let rows = self.fields(schema);
        if rows.is_empty() { rows } else { format!("\n| field of the body | what |\n|---|---|\n{rows}") }
    }

    fn answers(&self) -> String {
        let responses = self.says["responses"].as_object().into_iter().flat_map(Map::iter);
        responses
            .filter(|(status, _)| status.parse::<u16>().is_ok_and(|status| status < LEAST_REFUSAL))
            .map(|(status, answer)| self.answer(status, answer))
            .collect()
    }

    fn answer(&self, status: &str, answer: &Value) -> String {
        let about = answer["description"].as_str().unwrap_or_default();
        let rows = self.fields(&answer["content"]["application/json"]["schema"]);
        let table = if rows.is_empty() { rows } else { format!("\n| field | what |\n|---|---|\n{rows}") };
        format!("\n**{status}** {about}\n{table}")
    }

    /// A row for each field of an object; none for what is not described.
    fn fields(&self, schema: &Value) -> String {
        let properties = self.meant(schema)["properties"].as_object().into_iter().flat_map(Map::iter);
        let required = self.meant(schema)["required"].as_array();
        properties
            .map(|(name, field)| {
                let about = field["description"].as_str().or(self.meant(field)["description"].as_str());
                let is_needed = required.is_some_and(|names| names.iter().any(|known| known == name));
                let may = if is_needed { "" } else { " (may be absent)" };
                format!("| `{name}`{may} | {} |\n", cell(about.unwrap_or_default()))
            })
            .collect::<Vec<_>>()
            .concat()
    }

    fn meant<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/schemas/"));
        name.map_or(schema, |name| &self.document["components"]["schemas"][name])
    }
}

fn parameter(says: &Value) -> String {
    let text = |name: &str| cell(says[name].as_str().unwrap_or_default());
    format!("| `{}` | {} | {} |\n", text("name"), text("in"), text("description"))
}
