const zeros = /^0+$/;
const form = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;
const sampledBit = 1;

export type Place = {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
};

function parsed(text: string): Place | undefined {
  const [, version, traceId = "", spanId = "", flags = "", more] = form.exec(text) ?? [];
  // Of a version that is not known yet the first four fields are as they are in this one; `ff` is none (W3C Trace Context, 3.2.2 and 4.3).
  if (version === undefined || version === "ff" || (version === "00" && more !== undefined))
    return undefined;
  if (zeros.test(traceId) || zeros.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & sampledBit) !== 0 };
}

/** Longer ones are of no version that there will be soon, and every event would carry them. */
const mostChars = 128;

/** What a request's `traceparent` is kept as; undefined where it is none, which is as if it had not been sent. */
export function acceptedTraceparent(
  header: string | readonly string[] | undefined,
): string | undefined {
  if (typeof header !== "string" || header.length > mostChars) return undefined;
  const place = parsed(header);
  return place && (header.startsWith("00-") ? header : traceparentOf(place));
}

export const traceparentOf = ({ traceId, spanId, isSampled }: Place): string =>
  `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;

/** The same place, where nobody is told of it. */
export const unsampled = (traceparent: string): string => `${traceparent.slice(0, -2)}00`;

/** Where in which trace something is; undefined where nobody is told of it. */
export function sampledPlace(traceparent: string | undefined): Place | undefined {
  // The last digit alone tells most of them apart, without an object.
  if (traceparent === undefined || (traceparent.charCodeAt(traceparent.length - 1) & 1) === 0)
    return undefined;
  const place = parsed(traceparent);
  return place?.isSampled === true ? place : undefined;
}
