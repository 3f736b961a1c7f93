//! An `OpenAPI` document as a page: no script, no font, no address of anybody else.

use serde_json::Value;

/// Its looks, in the light and in the dark.
const STYLE: &str = include_str!("page.css");

/// The page.
pub(super) fn of(document: &str) -> String {
    let document: Value = serde_json::from_str(document).unwrap_or(Value::Null);
    let info = &document["info"];
    let title = escaped(text(&info["title"]));
    let mut page = vec![format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<main>\n<header><h1>{title} <small>{}</small></h1>\n{}\
         <p><a href=\"/openapi.json\">openapi.json</a></p></header>\n",
        escaped(text(&info["version"])),
        prose(text(&info["description"])),
    )];
    for tag in items(&document["tags"]) {
        let name = text(&tag["name"]);
        page.push(format!("<h2>{}</h2>\n{}", escaped(name), prose(text(&tag["description"]))));
        for (path, method, operation) in operations(&document) {
            if items(&operation["tags"]).any(|of| of == name) {
                page.push(shown(&document, path, method, operation));
            }
        }
    }
    page.push("<h2>Shapes</h2>\n".to_owned());
    for (name, schema) in members(&document["components"]["schemas"]) {
        page.push(format!(
            "<details id=\"shape-{0}\"><summary><code>{0}</code></summary>\n{1}{2}</details>\n",
            escaped(name),
            prose(text(&schema["description"])),
            fields(schema),
        ));
    }
    page.push("</main>\n</html>\n".to_owned());
    page.concat()
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    members(&document["paths"]).flat_map(|(path, methods)| {
        members(methods).map(move |(method, operation)| (path, method, operation))
    })
}

fn shown(document: &Value, path: &str, method: &str, operation: &Value) -> String {
    let head = format!(
        "<details id=\"{}\"><summary><b class=\"{method}\">{}</b> <code>{}</code> <span>{}</span></summary>\n{}{}",
        escaped(text(&operation["operationId"])),
        method.to_uppercase(),
        escaped(path),
        escaped(text(&operation["summary"])),
        prose(text(&operation["description"])),
        who(operation),
    );
    let parameters = concat(items(&operation["parameters"]).map(parameter));
    let parameters = match parameters.as_str() {
        "" => String::new(),
        rows => format!("<h3>Parameters</h3><table>{rows}</table>\n"),
    };
    let body = &operation["requestBody"]["content"]["application/json"];
    let body = if body.is_null() {
        String::new()
    } else {
        format!("<h3>Body</h3><p>{}</p>{}\n", kind(&body["schema"]), example(body))
    };
    let answers = members(&operation["responses"]);
    let answers = concat(answers.map(|(status, response)| answer(status, resolved(document, response))));
    format!("{head}{parameters}{body}<h3>Answers</h3><table>{answers}</table></details>\n")
}

fn who(operation: &Value) -> String {
    let names: Vec<&str> = items(&operation["security"])
        .map(|way| members(way).next().map_or("nobody in particular", |(name, _)| name.as_str()))
        .collect();
    let words = match names.as_slice() {
        [] => "Open to everybody.".to_owned(),
        names => format!("For {}.", names.join(", or "))
            .replace("clientToken", "a client's token")
            .replace("adminToken", "the admin token")
            .replace("nobody in particular", "loopback"),
    };
    format!("<p class=\"who\">{words}</p>\n")
}

fn parameter(parameter: &Value) -> String {
    let required = if parameter["required"] == true { " <em>required</em>" } else { "" };
    format!(
        "<tr><td><code>{}</code> <small>{}</small>{required}<td>{}<td>{}",
        escaped(text(&parameter["name"])),
        escaped(text(&parameter["in"])),
        kind(&parameter["schema"]),
        escaped(text(&parameter["description"])),
    )
}

fn answer(status: &str, response: &Value) -> String {
    let shapes: Vec<String> =
        members(&response["content"]).map(|(_, content)| kind(&content["schema"])).collect();
    let examples = concat(members(&response["content"]).map(|(_, content)| example(content)));
    let shapes = shapes.join(" or ");
    let description = escaped(text(&response["description"]));
    format!("<tr><td><code>{}</code><td>{shapes}<td>{description}{examples}", escaped(status))
}

fn example(content: &Value) -> String {
    let example = &content["example"];
    if example.is_null() {
        return String::new();
    }
    let shown = example.as_str().map_or_else(|| format!("{example:#}"), str::to_owned);
    format!("<pre>{}</pre>", escaped(&shown))
}

/// The fields of an object, or what else a schema is.
fn fields(schema: &Value) -> String {
    let required: Vec<&str> = items(&schema["required"]).map(text).collect();
    let rows = members(&schema["properties"]).map(|(name, field)| {
        let mark = if required.contains(&name.as_str()) { "" } else { " <small>optional</small>" };
        let description = escaped(text(&field["description"]));
        format!("<tr><td><code>{}</code>{mark}<td>{}<td>{description}", escaped(name), kind(field))
    });
    let (rows, choices) = (concat(rows), concat(items(&schema["anyOf"]).map(fields)));
    if rows.is_empty() { choices } else { format!("<table>{rows}</table>{choices}\n") }
}

/// What a schema is, in a word.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#shape-{0}\">{0}</a>", escaped(name));
    }
    if schema["anyOf"].is_array() {
        return items(&schema["anyOf"]).map(kind).collect::<Vec<_>>().join(" or ");
    }
    if schema["enum"].is_array() {
        let values: Vec<String> = items(&schema["enum"])
            .map(|value| format!("<code>{}</code>", escaped(&value.to_string())))
            .collect();
        return values.join(" ");
    }
    let kinds: Vec<&str> = items(&schema["type"]).chain([&schema["type"]]).map(text).collect();
    let named = kinds.into_iter().filter(|kind| !kind.is_empty()).collect::<Vec<_>>().join(" or ");
    if schema["items"].is_object() {
        return format!("{} of {}", escaped(&named), kind(&schema["items"]));
    }
    if schema["additionalProperties"].is_object() {
        return format!("{}: {} by name", escaped(&named), kind(&schema["additionalProperties"]));
    }
    escaped(&named)
}

fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let target = value["$ref"].as_str().and_then(|path| document.pointer(path.trim_start_matches('#')));
    target.unwrap_or(value)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn concat(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().concat()
}

/// Paragraphs, with `code` between backquotes.
fn prose(text: &str) -> String {
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.is_empty());
    concat(paragraphs.map(|paragraph| format!("<p>{}</p>\n", with_code(paragraph))))
}

fn with_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    concat(parts.map(
        |(at, part)| {
            if at % 2 == 1 { format!("<code>{}</code>", escaped(part)) } else { escaped(part) }
        },
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
