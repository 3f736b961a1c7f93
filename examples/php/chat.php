<?php
// A question over plain HTTP, without a package. In Laravel the same is Http::withHeaders([...])->post(...).

$url = getenv('KEYGATE_URL') ?: 'http://127.0.0.1:8080';
$token = getenv('KEYGATE_TOKEN') ?: 'keygate';

/** The answer to a question of a user, or what they should be told when there is none. */
function ask(string $url, string $token, string $user, string $words): string
{
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => ['content-type: application/json', "authorization: Bearer $token"],
        'content' => json_encode(['message' => $words, 'user_id' => $user]),
        'ignore_errors' => true, // a refusal has a body too
        'timeout' => 120,
    ]]);
    $body = file_get_contents("$url/api/v1/assistant/query", false, $context);
    if ($body === false) {
        throw new RuntimeException("no gateway at $url");
    }
    $answer = json_decode($body, true, flags: JSON_THROW_ON_ERROR);

    return $answer['reply'] ?? $answer['message'] ?? $answer['detail'];
}

echo ask($url, $token, 'ada', 'Say hello'), "\n";
