import { expect, test } from "vitest";
import { changeOf, typedAs, type Endpoint } from "../src/pages/webhook-settings.ts";

const endpoint: Endpoint = {
  id: "whe_1",
  url: "https://example.com/",
  event_types: ["message.*"],
  types: ["message.*"],
  filters: null,
  status: "enabled",
  disabled_reason: null,
  description: null,
  rate_limit: 5,
  concurrency_limit: null,
  asymmetric_signature: true,
  public_keys: [],
  timestamped_signature_header: "X-Acme-Signature",
  ordering: "per_subject",
  headers: {},
  created_at: "",
  updated_at: "",
};

test.each([
  null,
  { channels: ["sms" as const], tags: ["vip", "big, order"] },
  { metadata: { shop: ["acme", "zeta"], order: 5, paid: true } },
  { metadata: { code: "5", yes: "true", blank: " x ", lines: "a\nb", "a:b": "x: y", '"q': "" } },
])("a form that changes nothing keeps the endpoint as it is, with the filters %j", (filters) => {
  expect(changeOf(typedAs({ ...endpoint, filters }))).toEqual({
    url: "https://example.com/",
    event_types: ["message.*"],
    filters,
    description: null,
    rate_limit: 5,
    concurrency_limit: null,
    asymmetric_signature: true,
    timestamped_signature_header: "X-Acme-Signature",
    ordering: "per_subject",
  });
});
