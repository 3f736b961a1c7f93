//! Embeddings: `embedContent`, `batchEmbedContents` and the OpenAI-compatible form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::error::GoogleError;
use super::generate::body;
use super::prompt::{field, text_of, tokens_of};
use super::routes::Route;
use super::serve::{Gate, framed};
use crate::quota::Demand;
use crate::wire::{Answer, Call};
use crate::world::Shared;

/// Dimensions when none are asked for.
const DIMENSIONS: usize = 3072;
/// Texts of one batch.
const MOST_TEXTS: usize = 100;

/// One text to embed.
struct Text {
    text: String,
    dimensions: usize,
}

/// `:embedContent`
pub(super) fn one(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let text = single(&body(call)?)?;
    let values = vector(&text.text, text.dimensions);
    charge(world, gate, &[text])?;
    Ok(framed(Answer::json(200, &json!({"embedding": {"values": values}}))))
}

/// `:batchEmbedContents`
pub(super) fn batch(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let texts = many(&body(call)?)?;
    charge(world, gate, &texts)?;
    let values = |text: &Text| json!({"values": vector(&text.text, text.dimensions)});
    Ok(framed(Answer::json(200, &json!({"embeddings": texts.iter().map(values).collect::<Vec<_>>()}))))
}

/// `POST /V/openai/embeddings`
pub(super) fn compatible(
    world: &Shared,
    route: &Route,
    call: &Call,
    gate: &Gate<'_>,
) -> Result<Answer, GoogleError> {
    let body = body(call)?;
    let texts = inputs(&body)?;
    let tokens = charge(world, gate, &texts)?;
    let is_base64 = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let data: Vec<Value> = texts.iter().enumerate().map(|(at, text)| item(at, text, is_base64)).collect();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    let list = json!({"object": "list", "data": data, "model": route.model, "usage": usage});
    Ok(framed(Answer::json(200, &list)))
}

/// Each text is a request. Says the tokens.
fn charge(world: &Shared, gate: &Gate<'_>, texts: &[Text]) -> Result<u64, GoogleError> {
    let tokens = texts.iter().map(|text| tokens_of(&text.text).max(1)).sum();
    let demand = Demand { requests: texts.len() as u64, input_tokens: tokens };
    let now = world.clock.now();
    world.with(|world| {
        world.google.charge(&gate.caller, &gate.scene, demand, now)?;
        world.google.spent(&gate.caller, tokens, now);
        Ok(tokens)
    })
}

fn item(at: usize, text: &Text, is_base64: bool) -> Value {
    let vector = vector(&text.text, text.dimensions);
    let embedding = if is_base64 {
        let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
        json!(STANDARD.encode(bytes))
    } else {
        json!(vector)
    };
    json!({"object": "embedding", "embedding": embedding, "index": at})
}

fn single(body: &Value) -> Result<Text, GoogleError> {
    let content = body
        .get("content")
        .ok_or_else(|| GoogleError::invalid("* EmbedContentRequest.content: content is not specified\n"))?;
    let dimensions = field(body, "outputDimensionality", "output_dimensionality").or_else(|| {
        let config = field(body, "embedContentConfig", "embed_content_config")?;
        field(config, "outputDimensionality", "output_dimensionality")
    });
    Ok(Text { text: text_of(content), dimensions: asked(dimensions) })
}

fn many(body: &Value) -> Result<Vec<Text>, GoogleError> {
    let requests = body.get("requests").and_then(Value::as_array).filter(|requests| !requests.is_empty());
    let requests = requests.ok_or_else(|| {
        GoogleError::invalid("* BatchEmbedContentsRequest.requests: requests is not specified\n")
    })?;
    if requests.len() > MOST_TEXTS {
        return Err(GoogleError::invalid(format!(
            "* BatchEmbedContentsRequest.requests: at most {MOST_TEXTS} requests can be in one batch\n"
        )));
    }
    requests.iter().map(single).collect()
}

fn inputs(body: &Value) -> Result<Vec<Text>, GoogleError> {
    let dimensions = asked(body.get("dimensions"));
    let texts: Vec<Text> = match body.get("input") {
        Some(Value::String(text)) => vec![Text { text: text.clone(), dimensions }],
        Some(Value::Array(list)) => {
            let text = |value: &Value| Text {
                text: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
                dimensions,
            };
            list.iter().take(MOST_TEXTS).map(text).collect()
        }
        _ => Vec::new(),
    };
    if texts.is_empty() { Err(GoogleError::invalid("input is not specified")) } else { Ok(texts) }
}

fn asked(dimensions: Option<&Value>) -> usize {
    dimensions.and_then(Value::as_u64).map_or(DIMENSIONS, |count| (count as usize).clamp(1, DIMENSIONS))
}

/// The same numbers for the same text, whoever asks: a walk seeded by the text's digest.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let digest = Sha256::digest(text.as_bytes());
    let mut state = digest.iter().take(8).fold(0_u64, |state, byte| state << 8 | u64::from(*byte));
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1 << 24) as f32 - 0.5) * 0.1
    };
    (0..dimensions).map(|_| next()).collect()
}
