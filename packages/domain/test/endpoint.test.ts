import { describe, expect, it } from "vitest";
import { evolveEndpoint, signingSecrets, type Endpoint } from "../src/endpoint.ts";

const at = Date.UTC(2026, 0, 1);
const hourMs = 3_600_000;
const event = (type: string, data: object, recordedAt = at) =>
  ({
    type,
    data: { endpoint_id: "whe_1", ...data },
    metadata: { partner: "ptn_1" },
    recordedAt,
  }) as unknown as Parameters<typeof evolveEndpoint>[1];
const created = evolveEndpoint(
  undefined,
  event("WebhookEndpointCreated", {
    url: "https://a.example/",
    event_types: [],
    secret: "one",
    created_at: "2026-01-01T00:00:00.000Z",
  }),
)!;
const fold = (...events: ReturnType<typeof event>[]): Endpoint =>
  events.reduce<Endpoint | undefined>(evolveEndpoint, created)!;
const rotated = (secret: string, recordedAt: number, overlapMs: number) =>
  event(
    "WebhookSecretRotated",
    { secret, previous_secret_expires_at: new Date(recordedAt + overlapMs).toISOString() },
    recordedAt,
  );

describe("an endpoint", () => {
  it("starts enabled, with one secret, for every type when none is named", () => {
    expect(created).toMatchObject({
      id: "whe_1",
      partner: "ptn_1",
      status: "enabled",
      event_types: null,
      rate_limit: null,
      secrets: [{ sealed: "one", expires_at: null }],
    });
  });

  it("keeps earlier secrets as long as their overlaps last, three at most, the current one first", () => {
    const twice = fold(rotated("two", at, hourMs), rotated("three", at + 1, 2 * hourMs));
    expect(twice.secrets.map((secret) => secret.sealed)).toEqual(["three", "two", "one"]);
    expect(twice.secrets[2]!.expires_at).toBe(new Date(at + hourMs).toISOString());
    expect(
      fold(rotated("two", at, hourMs), rotated("three", at + 2 * hourMs, hourMs)).secrets.map(
        (secret) => secret.sealed,
      ),
    ).toEqual(["three", "two"]);
    expect(
      fold(rotated("2", at, 9), rotated("3", at, 9), rotated("4", at, 9)).secrets,
    ).toHaveLength(3);
  });

  it("holds the same secrets under another seal once they were sealed anew", () => {
    const sealed = event("WebhookEndpointResealed", {
      secrets: ["2'", "1'"],
      sealed_headers: "h'",
    });
    const before = fold(rotated("two", at, hourMs));
    expect(evolveEndpoint(before, sealed)).toEqual({
      ...before,
      secrets: before.secrets.map((secret, index) => ({ ...secret, sealed: ["2'", "1'"][index]! })),
    });
    const withHeaders = { ...before, sealed_headers: "h" };
    expect(evolveEndpoint(withHeaders, sealed)!.sealed_headers).toBe("h'");
  });

  it("ends every earlier secret with the overlap of the newest rotation", () => {
    const none = fold(rotated("two", at, 24 * hourMs), rotated("three", at + 1, 0));
    expect(none.secrets.map((secret) => secret.sealed)).toEqual(["three"]);
    const shorter = fold(rotated("two", at, 24 * hourMs), rotated("three", at, hourMs));
    expect(shorter.secrets.map((secret) => secret.expires_at)).toEqual([
      null,
      ...Array(2).fill(new Date(at + hourMs).toISOString()),
    ]);
    const longer = fold(rotated("two", at, hourMs), rotated("three", at, 24 * hourMs));
    expect(longer.secrets[2]!.expires_at).toBe(new Date(at + hourMs).toISOString());
    expect(signingSecrets(longer.secrets, at + hourMs - 1)).toHaveLength(3);
    expect(signingSecrets(longer.secrets, at + hourMs)).toHaveLength(2);
  });

  it("has the headers of its last change, sealed or from before they were", () => {
    const plain = fold(
      event("WebhookEndpointUpdated", {
        url: "https://a.example/",
        status: "enabled",
        headers: { a: "b" },
      }),
    );
    expect(plain).toMatchObject({ headers: { a: "b" } });
    const change = event("WebhookEndpointUpdated", {
      url: "https://a.example/",
      status: "enabled",
      sealed_headers: "v1.x",
    });
    const sealed = evolveEndpoint(plain, change)!;
    expect(sealed).toMatchObject({ headers: {}, sealed_headers: "v1.x" });
    const taken = event("WebhookEndpointUpdated", { url: "https://a.example/", status: "enabled" });
    for (const gone of [taken, event("WebhookEndpointDeleted", {})])
      expect(evolveEndpoint(sealed, gone)).not.toHaveProperty("sealed_headers");
  });

  it("is disabled with a reason that enabling clears", () => {
    const disabled = fold(event("WebhookEndpointDisabled", { url: "", reason: "gone" }));
    expect(disabled).toMatchObject({ status: "disabled", disabled_reason: "gone" });
    const update = event("WebhookEndpointUpdated", {
      url: "https://b.example/",
      event_types: ["message.sent"],
      status: "enabled",
    });
    expect(evolveEndpoint(disabled, update)).toMatchObject({
      status: "enabled",
      disabled_reason: null,
      url: "https://b.example/",
      event_types: ["message.sent"],
    });
  });

  it("forgets its secrets when it is deleted and never comes back", () => {
    const deleted = fold(event("WebhookEndpointDeleted", {}));
    expect(deleted).toMatchObject({ status: "deleted", secrets: [] });
    const update = event("WebhookEndpointUpdated", {
      url: "https://b.example/",
      status: "enabled",
    });
    expect(evolveEndpoint(deleted, update)).toBe(deleted);
    expect(evolveEndpoint(undefined, update)).toBeUndefined();
  });
});
