<?php

// Receives webhooks, verifies them by Standard Webhooks 1.0 and logs each event once. PHP 8.1 or later, no packages, behind any server:
//   SECRET=whsec_… php -S 127.0.0.1:3000 receiver.php

declare(strict_types=1);

// Older or newer than this is refused, so that a recorded request cannot be sent again later.
const TOLERANCE_SECONDS = 300;
const MAX_BODY_BYTES = 1024 * 1024;

function isGenuine(string $secret, string $body): bool
{
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    $given = $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '';
    if ($id === '' || !preg_match('/^[0-9]{1,12}$/D', $timestamp)) {
        return false;
    }
    if (abs(time() - (int) $timestamp) > TOLERANCE_SECONDS) {
        return false;
    }
    $key = base64_decode(substr($secret, strlen('whsec_')), true);
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    // While a secret is rotated there is a signature for each.
    foreach (explode(' ', $given) as $part) {
        if (hash_equals($expected, $part)) {
            return true;
        }
    }
    return false;
}

// Delivery is at least once, and PHP forgets everything after each request: a file says what was handled. In an application it is a
// unique key, in the transaction that stores the event's effect.
function handleOnce(array $event): void
{
    $folder = getenv('SEEN') ?: sys_get_temp_dir() . '/webhooks-seen';
    is_dir($folder) || mkdir($folder, 0700, true);
    $mark = fopen($folder . '/' . hash('sha256', $event['id']), 'c+');
    flock($mark, LOCK_EX);
    if (fread($mark, 1) === '') {
        handle($event);
        // Only now: what failed is asked for again with a 500, and must not be taken for a repetition then.
        fwrite($mark, '1');
    }
    fclose($mark);
}

/** Several of an endpoint that takes batches: each by its own id, which is the webhook-id of one that comes alone. */
function eventsIn(string $body): array
{
    $said = json_decode($body, true, flags: JSON_THROW_ON_ERROR);
    return $said['events'] ?? [$said];
}

/** What you do with an event. Store it here and work on it later: an answer that takes over 15 s counts as failed. */
function handle(array $event): void
{
    $data = json_encode((object) $event['data'], JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
    file_put_contents('php://stderr', "{$event['type']} {$event['sequence']} $data\n");
}

$secret = getenv('SECRET') ?: '';
if (!str_starts_with($secret, 'whsec_')) {
    throw new RuntimeException("SECRET must be the endpoint's, whsec_…");
}
// The bytes as they came: a JSON parser before the check would change them.
$body = file_get_contents('php://input', length: MAX_BODY_BYTES + 1);
if (strlen($body) > MAX_BODY_BYTES) {
    http_response_code(413);
} elseif ($_SERVER['REQUEST_METHOD'] !== 'POST' || !isGenuine($secret, $body)) {
    http_response_code(401);
} else {
    try {
        foreach (eventsIn($body) as $event) {
            handleOnce($event);
        }
        http_response_code(204);
    } catch (Throwable $error) {
        error_log((string) $error);
        http_response_code(500);
    }
}
