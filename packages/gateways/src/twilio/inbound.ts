import type { InboundReading, InboundRequest } from "../descriptor.ts";

/** Most that Twilio hands over with one message. */
const maxMedia = 10;

/** A message from a person. Throws for a form that has none. */
export function twilioInbound({ raw }: InboundRequest): InboundReading {
  const form = new URLSearchParams(raw.toString("utf8"));
  const required = (name: string): string => {
    const value = form.get(name);
    if (value === null || value === "") throw new Error(`an inbound form without ${name}`);
    return value;
  };
  const count = Math.min(maxMedia, Number(form.get("NumMedia") ?? 0) || 0);
  const media = Array.from({ length: count }, (_, index) => ({
    url: form.get(`MediaUrl${index}`) ?? "",
    type: form.get(`MediaContentType${index}`) ?? undefined,
  })).filter(({ url }) => /^https?:\/\//i.test(url));
  const text = form.get("Body") ?? "";
  return {
    providerMessageId: form.get("MessageSid") ?? required("SmsSid"),
    from: required("From"),
    to: required("To"),
    ...((text !== "" || media.length === 0) && { text }),
    ...(media.length > 0 && { media }),
    kind: "message",
  };
}
