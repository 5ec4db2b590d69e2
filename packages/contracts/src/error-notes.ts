import type { ErrorCode } from "./errors.ts";

/** What each error means and what to do about it, for the page about it. Words in backquotes are set as code. */
export const errorNotes: Readonly<Record<ErrorCode, string>> = {
  invalid_request:
    "A field is missing, unknown, of the wrong type or out of range. `errors` names each with its path. Unknown fields are refused so that a typing error is not silently ignored.",
  malformed_json:
    "The body is empty, is not JSON, repeats a key, is nested too deeply, or has a number with more digits than are kept: send such numbers as text.",
  bad_request:
    "The request breaks HTTP itself: two `Host` headers, a body whose length is told in two ways.",
  headers_too_large: "Address and headers together have 16 KB at most.",
  body_too_large: "Split a batch, or host media elsewhere and send its address.",
  unsupported_media_type:
    "Send `Content-Type: application/json`, in UTF-8 and without a content encoding.",
  request_timeout: "The body came too slowly. Nothing was done.",
  authentication_required:
    "Send `Authorization: Bearer …` with an API key or the access token of a session.",
  invalid_key:
    "The key is mistyped (it has a checksum) or unknown. Look for a cut-off or a stray character.",
  key_revoked: "Issue another key. Two may be active at once, so that a rotation needs no gap.",
  invalid_token:
    "An access token that has expired or is not known: get the next one with `POST /mobile/sessions/refresh`. Of an invitation or a password reset: it was used, has expired, or another one took its place; ask for a new one.",
  session_revoked:
    "Sign in again. It was signed out, its refresh token was used twice, the password was changed, or the agent was disabled.",
  invalid_signature:
    "A provider's callback that the provider did not sign: look at the secret that signs, and at `HELIOGRAPH_PUBLIC_URL`, which must be where the provider calls.",
  invalid_credentials:
    "Address, password or code is wrong, or the agent cannot sign in there: these are not told apart.",
  totp_required: "Send the request again with `totp`: a code of the app, or a recovery code.",
  insufficient_scope: "`required_scope` names the one that is needed.",
  partner_suspended:
    "The operator of the installation has suspended you: nothing is sent or changed, what is scheduled waits. You can still read, revoke keys and sign out. Ask the operator.",
  partner_moved:
    "Your account, with its keys, messages and funds, lives in another installation of the platform from now on: send every request there. `moved_to` is its address, where the operator has given one.",
  partner_moving:
    "The operator is moving your account to another installation. You can still read; whatever changes something is refused until it is there, which takes minutes. Send it again after `Retry-After`, with the same idempotency key.",
  ip_not_allowed:
    "The key has a list of allowed networks and the caller's address is not in it. Behind a proxy, `HELIOGRAPH_TRUST_PROXY` decides which address counts.",
  not_found:
    "There is nothing at this address, or it belongs to another partner or environment: these are not told apart.",
  method_not_allowed: "`Allow` lists those that are.",
  conflict:
    "What you want to change has moved on: a message that is no longer scheduled cannot be canceled. Read it again.",
  precondition_failed:
    "`If-Match` names another state than the present one, whose tag is in `etag`: somebody changed it since you read it. Read it again and decide anew. Nothing was changed. What has no `ETag` takes no `If-Match` but `*`.",
  external_id_taken:
    "`contact_id` names the contact that has it. Merge the two, or take the id from that one first. Nothing of the request was applied.",
  contact_merged: "`merged_into` names the contact that it is part of now: change that one.",
  contact_erased:
    "Its data are destroyed and nothing brings them back. Its external ids are free for a new contact.",
  attachment_quota_exceeded:
    "All attachments of a partner in an environment have a bound together (`HELIOGRAPH_ATTACHMENTS_QUOTA_MB`). `DELETE /attachments/{id}` makes room at once; for one that was sent, with `?even_if_sent=true`.",
  attachment_pending:
    "A file that came with a message is fetched from its provider, which may take some seconds, and is tried again for a day where it fails. `Retry-After` says when to ask again.",
  attachment_lost:
    "A file that came with a message is not to be had: its provider has it no more (`gone`), it is larger than 10 MB (`too_large`), too many were waiting (`too_many`), for a day there was no room for it in the quota (`no_room`), or every try of a day failed (`refused`, `unreachable`). `errors` says which; the message itself is there.",
  attachment_in_use:
    "A message that names it may not be sent yet, and those that were sent show it. `?even_if_sent=true` destroys it all the same: their media then open no more, and a message that waits goes out with a link to nothing.",
  link_not_valid:
    "A part of the link was changed, or it was made with another master key. Read the attachment again: its `url` is made anew each time.",
  link_expired: "Links live for an hour. Read the attachment again for a new one.",
  sequence_ahead:
    "You ask for what comes after an event that the feed does not have, so the answer would be nothing for ever. Where you took the number from this feed, its operator has restored a backup and not said so to it; ask there. To read on from the newest event, ask `GET /events` without `after` and go to its end.",
  idempotency_in_progress: "Wait for `Retry-After` and send the same request again.",
  idempotency_key_reused:
    "`original` names what the key was used for. Use a new key for a new intent.",
  insufficient_funds:
    "`cost` says what the message would cost, `GET /balance` what there is. Top up, then send again with the same key: a refused request has not claimed it. A sandbox key tops up its own wallet with `POST /wallet/topups`; live wallets are topped up by the operator of the installation.",
  spend_limit_reached:
    "The wallet's `spend_limit_day` or `spend_limit_month` leaves no room for `cost`: days and months are those of UTC, and what came back was not spent. Wait, or raise the limit with `PUT /wallet/settings`. Nothing was charged, and a refused request has not claimed its key. A message that was accepted and then found no room ends as `rejected` with this code.",
  recipient_suppressed: "The recipient is on the suppression list for this channel.",
  country_not_allowed:
    "The operator of the installation lets you write to numbers of some countries only: `GET /limits` lists them in `allowed_countries`. It keeps others from making you pay for numbers that they profit from. Ask the operator for another country.",
  sender_not_allowed:
    "The operator has set which senders the recipient's country takes: `errors` says what is wrong with `from`, `country_prefix` whose rule it is. Give another sender, or none where the rule has a default. A message that was accepted before the rule was set, and by which no gateway may go any more, ends as `failed` with this code, or goes by its next step.",
  template_not_found:
    "No template with this slug, channel, version or language, or a template is required on this channel.",
  template_variables_invalid:
    "A variable is missing, unknown, too long or of another type. `errors` names each.",
  session_window_closed:
    "WhatsApp takes a text of your own for 24 hours after the person wrote last. Send a template; once the person answers it, texts go again. Your own messages and notes do not open the window.",
  channel_not_enabled:
    "No gateway is configured for the channel in this environment. `GET /gateways` lists those that are. An operator enables e-mail with `HELIOGRAPH_SMTP_URL`, and any channel for trials with `HELIOGRAPH_LOG_GATEWAY_CHANNELS`.",
  no_price:
    "No entry of your price list covers the channel, the destination and the category, or no version of the list is in force yet. What has no price is not free: nothing was sent or charged. `GET /prices` shows the list; ask the operator of the installation for an entry.",
  feature_not_available:
    "The field is known and reserved, but this version does nothing with it, and does not pretend to. Today there is no such field.",
  clock_limit_reached:
    "A sandbox's clock can be advanced by 400 days in all, and never goes back. `left_seconds` says how far it can still go.",
  rate_limited:
    "`policy` names the limit that was met, and `RateLimit-Policy` and `RateLimit` tell it and what is left; wait for `Retry-After`, or as an item of a batch for `retry_after_seconds`. Batches that come at once are let in as long as there is room; the others are told to wait. What was put off with 429 or 503 is not charged, and nobody waits longer than a minute. It is also the answer when the bodies of a partner's requests in flight are together larger than 24 MiB.",
  log_unavailable:
    "The request was not accepted, or it is not known whether it was: `detail` says so then. Retry with the same key; there will be one message.",
  overloaded:
    "The bodies of all requests in flight are together larger than the service takes at once (96 MiB). Nothing was done; retry after `Retry-After`.",
  internal: "A bug on our side. Safe to retry with the same key; tell us the `request_id`.",
};
