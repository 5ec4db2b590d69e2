/** Money inside is a `bigint` of micro-units (1 USD = 1,000,000); in events and JSON it is text, because JSON numbers are doubles. */
export type Micros = bigint;

/** "0.012" for 12000n: at least no trailing zeros, at most six decimals; the form every answer and event shows. */
export function formatMoney(micros: Micros): string {
  const negative = micros < 0n;
  const digits = (negative ? -micros : micros).toString().padStart(7, "0");
  const fraction = digits.slice(-6).replace(/0+$/, "");
  return `${negative ? "-" : ""}${digits.slice(0, -6)}${fraction ? `.${fraction}` : ""}`;
}

/** Micro-units of a decimal text; undefined when it is not a plain decimal with at most six decimals and twelve whole digits. */
export function parseMoney(text: string): Micros | undefined {
  const match = /^(-?)(\d{1,12})(?:\.(\d{1,6}))?$/.exec(text);
  if (!match) return undefined;
  const micros = BigInt(match[2]!) * 1_000_000n + BigInt((match[3] ?? "").padEnd(6, "0"));
  return match[1] ? -micros : micros;
}
