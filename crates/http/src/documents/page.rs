//! An OpenAPI document as a page: no script, no font, no address of anybody else.

use serde_json::Value;

/// Its looks, in the light and in the dark.
const STYLE: &str = include_str!("page.css");

/// The page.
pub(super) fn of(document: &str) -> String {
    let document: Value = serde_json::from_str(document).unwrap_or(Value::Null);
    let info = &document["info"];
    let title = escaped(text(&info["title"]));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<main>\n<header><h1>{title} <small>{}</small></h1>\n{}\
         <p><a href=\"/openapi.json\">openapi.json</a></p></header>\n",
        escaped(text(&info["version"])),
        prose(text(&info["description"])),
    );
    for tag in items(&document["tags"]) {
        let name = text(&tag["name"]);
        page += &format!("<h2>{}</h2>\n{}", escaped(name), prose(text(&tag["description"])));
        for (path, method, operation) in operations(&document) {
            if items(&operation["tags"]).any(|of| of == name) {
                page += &shown(&document, path, method, operation);
            }
        }
    }
    page += "<h2>Shapes</h2>\n";
    for (name, schema) in members(&document["components"]["schemas"]) {
        page += &format!(
            "<details id=\"shape-{0}\"><summary><code>{0}</code></summary>\n{1}{2}</details>\n",
            escaped(name),
            prose(text(&schema["description"])),
            fields(schema),
        );
    }
    page + "</main>\n</html>\n"
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    members(&document["paths"]).flat_map(|(path, methods)| {
        members(methods).map(move |(method, operation)| (path, method, operation))
    })
}

fn shown(document: &Value, path: &str, method: &str, operation: &Value) -> String {
    let mut out = format!(
        "<details id=\"{}\"><summary><b class=\"{method}\">{}</b> <code>{}</code> <span>{}</span></summary>\n{}{}",
        escaped(text(&operation["operationId"])),
        method.to_uppercase(),
        escaped(path),
        escaped(text(&operation["summary"])),
        prose(text(&operation["description"])),
        who(operation),
    );
    let parameters: String = items(&operation["parameters"]).map(parameter).collect();
    if !parameters.is_empty() {
        out += &format!("<h3>Parameters</h3><table>{parameters}</table>\n");
    }
    let body = &operation["requestBody"]["content"]["application/json"];
    if body.is_object() {
        out += &format!("<h3>Body</h3><p>{}</p>{}\n", kind(&body["schema"]), example(body));
    }
    out += "<h3>Answers</h3><table>";
    for (status, response) in members(&operation["responses"]) {
        out += &answer(status, resolved(document, response));
    }
    out + "</table></details>\n"
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
    let examples: String = members(&response["content"]).map(|(_, content)| example(content)).collect();
    let shapes = shapes.join(" or ");
    let description = escaped(text(&response["description"]));
    format!("<tr><td><code>{}</code><td>{shapes}<td>{description}{examples}", escaped(status))
}

fn example(content: &Value) -> String {
    match &content["example"] {
        Value::Null => String::new(),
        Value::String(text) => format!("<pre>{}</pre>", escaped(text)),
        example => format!("<pre>{}</pre>", escaped(&format!("{example:#}"))),
    }
}

/// The fields of an object, or what else a schema is.
fn fields(schema: &Value) -> String {
    let required: Vec<&str> = items(&schema["required"]).map(text).collect();
    let rows: String = members(&schema["properties"])
        .map(|(name, field)| {
            let mark = if required.contains(&name.as_str()) { "" } else { " <small>optional</small>" };
            let description = escaped(text(&field["description"]));
            format!("<tr><td><code>{}</code>{mark}<td>{}<td>{description}", escaped(name), kind(field))
        })
        .collect();
    let choices: String = items(&schema["anyOf"]).map(fields).collect();
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
    let named = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        one => text(one).to_owned(),
    };
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

/// Paragraphs, with `code` between backquotes.
fn prose(text: &str) -> String {
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.is_empty());
    paragraphs.map(|paragraph| format!("<p>{}</p>\n", with_code(paragraph))).collect()
}

fn with_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 1 { format!("<code>{}</code>", escaped(part)) } else { escaped(part) })
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
